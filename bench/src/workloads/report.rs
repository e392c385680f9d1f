//! The report: shares of the limit first, then what they are made of.

use std::fmt::Write;
use std::time::Duration;

use super::choice::Totals;
use super::list::Workload;
use super::server::Memory;
use super::turns::{Measured, Side};
use super::walk::Walk;
use super::{Arguments, Size, growth};
use crate::Result;
use crate::load::Loading;
use crate::store::Kind;

/// What came of one database of one size. Pairs are of the limit and of Parlour.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) kind: Kind,
    pub(super) size: Size,
    pub(super) description: String,
    pub(super) contents: Totals,
    pub(super) loading: Option<Loading>,
    pub(super) measured: Vec<Measured>,
    pub(super) walk: Option<Walk>,
    /// How soon each was ready.
    pub(super) starts: [Duration; 2],
    /// Memory before the first request, and after the last.
    pub(super) idle: [Memory; 2],
    pub(super) memory: [Memory; 2],
}

/// The connections at which the targets are.
const AT: usize = 16;

/// The whole report as Markdown.
pub(super) fn report(arguments: &Arguments, machine: &str, results: &[Results]) -> Result<String> {
    let mut text = String::from("# Parlour beside the limit\n\n");
    writeln!(
        text,
        "Parlour as it is served, and the limit: what one would write by hand for just these answers, an endpoint on axum with \
         statements that are prepared (on PostgreSQL pipelined, rows binary; on SQLite run where they are asked for) and JSON \
         written into one buffer. Both are processes of their own over the same database, with the same answers, which is \
         checked first. {} turns of {} s for each side; a ratio is the one in the middle of the turns. Requests differ: other \
         agents, terms, users, cursors, chosen by seed {}. {machine}\n",
        arguments.rounds, arguments.seconds, arguments.seed
    )?;
    for result in results {
        one(&mut text, result)?;
    }
    growth::tables(&mut text, results)?;
    Ok(text)
}

fn one(text: &mut String, result: &Results) -> Result<()> {
    let Totals {
        agents,
        users,
        sessions,
        messages,
    } = result.contents;
    writeln!(
        text,
        "\n## {}, size {}\n",
        result.kind.name(),
        result.size.name()
    )?;
    writeln!(
        text,
        "{}; {agents} agents, {users} users, {sessions} sessions, {messages} messages.",
        result.description
    )?;
    if let Some(loading) = &result.loading {
        let seconds = loading.taken.as_secs_f64();
        let messages = f64::from(u32::try_from(loading.messages).unwrap_or(u32::MAX));
        writeln!(
            text,
            "Loaded in {seconds:.0} s, {} messages a second.",
            number(messages / seconds)
        )?;
    }
    shares(text, result)?;
    rates(text, result)?;
    processor(text, result)?;
    latencies(text, result)?;
    around(text, result)
}

/// The columns of a table that has one for each number of connections.
fn columns(result: &Results) -> Vec<usize> {
    let mut columns: Vec<_> = result.measured.iter().map(|one| one.connections).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

fn workloads(result: &Results) -> Vec<Workload> {
    let mut workloads: Vec<_> = result.measured.iter().map(|one| one.workload).collect();
    workloads.dedup();
    workloads
}

fn find(result: &Results, workload: Workload, connections: usize) -> Option<&Measured> {
    let is_it = |one: &&Measured| (one.workload, one.connections) == (workload, connections);
    result.measured.iter().find(is_it)
}

/// A table with a row for each workload and a column for each number of connections.
fn table(
    text: &mut String,
    result: &Results,
    title: &str,
    cell: impl Fn(&Measured) -> String,
) -> Result<()> {
    let columns = columns(result);
    write!(text, "\n### {title}\n\n| connections |")?;
    for column in &columns {
        write!(text, " {column} |")?;
    }
    writeln!(text, "\n|---|{}", "---:|".repeat(columns.len()))?;
    for workload in workloads(result) {
        write!(text, "| {} |", workload.title())?;
        for &column in &columns {
            let cell = find(result, workload, column).map_or_else(String::new, &cell);
            write!(text, " {cell} |")?;
        }
        writeln!(text)?;
    }
    Ok(())
}

fn shares(text: &mut String, result: &Results) -> Result<()> {
    table(
        text,
        result,
        "Parlour's share of the limit's requests a second",
        |one| {
            let ratio = one.ratio;
            match one.workload.target() {
                Some(target) if one.connections == AT => {
                    let verdict = if ratio >= target {
                        "reached"
                    } else {
                        "**missed**"
                    };
                    format!("**{ratio:.2}** (of {target}: {verdict})")
                }
                _ => format!("{ratio:.2}"),
            }
        },
    )
}

fn rates(text: &mut String, result: &Results) -> Result<()> {
    table(text, result, "Requests a second: limit, Parlour", |one| {
        format!(
            "{}, {}",
            number(one.limit.rate()),
            number(one.parlour.rate())
        )
    })
}

fn latencies(text: &mut String, result: &Results) -> Result<()> {
    table(
        text,
        result,
        "Milliseconds, p50 and p99: limit; Parlour",
        |one| {
            let of = |side: &Side| {
                format!(
                    "{} {}",
                    number(side.percentile(50)),
                    number(side.percentile(99))
                )
            };
            format!("{}; {}", of(&one.limit), of(&one.parlour))
        },
    )
}

/// Processor time, at the connections of the targets where that was measured.
fn processor(text: &mut String, result: &Results) -> Result<()> {
    let columns = columns(result);
    let Some(&at) = columns.iter().find(|&&at| at == AT).or(columns.first()) else {
        return Ok(());
    };
    writeln!(
        text,
        "\n### Processor time of a request, in microseconds, at {at} connections\n\n\
         | | limit: server | database | Parlour: server | database | server by limit's | all by limit's | client, for either |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|"
    )?;
    for workload in workloads(result) {
        if let Some(one) = find(result, workload, at) {
            let [server, database, client] = one.limit.cpu();
            let [our_server, our_database, our_client] = one.parlour.cpu();
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {:.2} | {:.2} | {}, {} |",
                workload.title(),
                number(server),
                number(database),
                number(our_server),
                number(our_database),
                our_server / server,
                (our_server + our_database) / (server + database),
                number(client),
                number(our_client)
            )?;
        }
    }
    Ok(())
}

/// The walk, memory and start.
fn around(text: &mut String, result: &Results) -> Result<()> {
    if let Some(walk) = &result.walk {
        writeln!(
            text,
            "\n### {}\n\nOne client, {} pages with {} users and sessions in all.\n\n\
             | | rows a second | server, µs a row | database, µs a row |\n|---|---:|---:|---:|",
            Workload::W8.title(),
            walk.pages,
            walk.rows
        )?;
        for (at, name) in ["limit", "Parlour"].into_iter().enumerate() {
            let [server, database, _] = walk.cpu(at);
            writeln!(
                text,
                "| {name} | {} | {server:.2} | {database:.2} |",
                number(walk.rate(at))
            )?;
        }
        writeln!(
            text,
            "| Parlour by limit | **{:.2}** | | |",
            walk.rate(1) / walk.rate(0)
        )?;
    }
    let mebibytes =
        |kibibytes: u64| number(f64::from(u32::try_from(kibibytes).unwrap_or(u32::MAX)) / 1024.0);
    writeln!(
        text,
        "\n### Start and memory\n\n| | ready after, ms | idle, MiB | after the last request | at most |\n|---|---:|---:|---:|---:|"
    )?;
    for (at, name) in ["limit", "Parlour"].into_iter().enumerate() {
        writeln!(
            text,
            "| {name} | {} | {} | {} | {} |",
            number(result.starts[at].as_secs_f64() * 1e3),
            mebibytes(result.idle[at].now),
            mebibytes(result.memory[at].now),
            mebibytes(result.memory[at].most)
        )?;
    }
    Ok(())
}

/// One workload at a number of connections, while it is measured.
pub(super) fn line(one: &Measured) -> String {
    let of = |side: &Side| {
        let [server, database, client] = side.cpu();
        format!(
            "{}/s, p50 {} ms, p99 {} ms, CPU server {} + database {} + client {} µs",
            number(side.rate()),
            number(side.percentile(50)),
            number(side.percentile(99)),
            number(server),
            number(database),
            number(client)
        )
    };
    format!(
        "{} connections: {:.2}; limit {}; Parlour {}",
        one.connections,
        one.ratio,
        of(&one.limit),
        of(&one.parlour)
    )
}

/// Three digits that tell something.
pub(super) fn number(value: f64) -> String {
    match value {
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
