//! The report: ratios first, absolute times as context.

use std::fmt::Write;
use std::time::Duration;

use crate::Result;
use crate::load::Loading;
use crate::shapes::list::Group;
use crate::shapes::measure::{Measured, Times};
use crate::shapes::sample::Sample;
use crate::shapes::walk::Walk;
use crate::shapes::{Arguments, ingest};
use crate::store::Kind;

/// What a held shape may take, in terms of its bare SQL.
const LIMIT: f64 = 3.0;
/// What a search may take in the database.
const SEARCH_LIMIT: Duration = Duration::from_millis(100);

/// What came of one database.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) kind: Kind,
    pub(crate) description: String,
    pub(crate) sample: Sample,
    pub(crate) loading: Option<Loading>,
    pub(crate) recording: Option<Loading>,
    pub(crate) shapes: Vec<Measured>,
    pub(crate) walk: Option<Walk>,
}

/// The whole report as Markdown.
pub(crate) fn report(arguments: &Arguments, machine: &str, results: &[Results]) -> Result<String> {
    let mut text = String::from("# Parlour, measured\n\n");
    writeln!(
        text,
        "{} users, {} messages, seed {}; {} s a shape. {machine}\n",
        arguments.users, arguments.messages, arguments.seed, arguments.seconds
    )?;
    text.push_str(
        "*In process* is Parlour's router from the bytes of a request to the bytes of the answer, against *bare SQL*: \
         the statements one would write for just that answer, by sqlx, prepared, every column decoded, no JSON. \
         *HTTP* is Parlour on a kept connection against a hand-written axum and sqlx endpoint on another, both with the \
         same JSON. One client; the four take turns.\n\n",
    );
    text.push_str("## Targets\n\n");
    for one in results {
        targets(&mut text, one)?;
    }
    for one in results {
        writeln!(text, "\n## {}\n", one.kind.name())?;
        context(&mut text, one)?;
        for group in Group::ALL {
            tables(&mut text, one, group)?;
        }
        walked(&mut text, one)?;
        absolute(&mut text, one)?;
    }
    Ok(text)
}

/// Which promises hold.
fn targets(text: &mut String, results: &Results) -> Result<()> {
    let name = results.kind.name();
    for group in Group::ALL {
        let shapes: Vec<_> = of(results, group).collect();
        if shapes.is_empty() || !group.is_held_to_bare_sql() {
            continue;
        }
        let within = |shape: &&&Measured| ratio(&shape.ours, &shape.bare, Times::p50) <= LIMIT;
        let held = shapes.iter().filter(within).count();
        let worst = shapes
            .iter()
            .map(|shape| ratio(&shape.ours, &shape.bare, Times::p50))
            .fold(0.0, f64::max);
        let verdict = if held == shapes.len() {
            "holds"
        } else {
            "DOES NOT HOLD"
        };
        writeln!(
            text,
            "- {name}, {} ≤ {LIMIT:.0} × bare SQL: **{verdict}** ({held} of {}; worst {worst:.2})",
            group.title().to_lowercase(),
            shapes.len(),
        )?;
    }
    if let Some(worst) = of(results, Group::Search).max_by_key(|shape| shape.waited.most()) {
        let most = worst.waited.most();
        let verdict = if most <= SEARCH_LIMIT {
            "**holds**: every search stayed"
        } else {
            "**DOES NOT HOLD**: not every search stayed"
        };
        writeln!(
            text,
            "- {name}, search: {verdict} within {} ms in the database; the slowest single one took {} ms ({}; half of those took {} ms)",
            SEARCH_LIMIT.as_millis(),
            ms(most),
            worst.shape.name,
            ms(worst.waited.p50()),
        )?;
    }
    let differing: Vec<_> = results
        .shapes
        .iter()
        .filter(|shape| !shape.same)
        .map(|shape| shape.shape.name.as_str())
        .collect();
    if differing.is_empty() {
        writeln!(
            text,
            "- {name}: both sides gave the same JSON for every shape"
        )?;
    } else {
        writeln!(
            text,
            "- {name}: **the two sides DIFFER** in {}",
            differing.join("; ")
        )?;
    }
    if let Some(walk) = &results.walk {
        let verdict = if walk.wrong == 0 {
            "every row exactly once"
        } else {
            "**rows MISSED or repeated**"
        };
        writeln!(
            text,
            "- {name}: the walk through {} users met {verdict}",
            results.sample.users
        )?;
    }
    Ok(())
}

/// What was measured on, and how it was loaded.
fn context(text: &mut String, results: &Results) -> Result<()> {
    let all = results.sample.all;
    writeln!(
        text,
        "{}. {} agents, {} users, {} sessions, {} messages; the largest agent has {} users.\n",
        results.description,
        all.agents,
        all.users,
        all.sessions,
        all.messages,
        results.sample.users
    )?;
    if let Some(loading) = &results.loading {
        writing(text, "Loading by batches of 20,000 events", loading)?;
    } else {
        writeln!(
            text,
            "The audience was kept from an earlier run: loading was not measured.\n"
        )?;
    }
    if let Some(recording) = &results.recording {
        let what = format!(
            "`recordMessages` from {} clients, {} events each time, into an empty database",
            ingest::CLIENTS,
            ingest::BATCH
        );
        writing(text, &what, recording)?;
    }
    Ok(())
}

/// A way of writing, against bare INSERTs.
fn writing(text: &mut String, what: &str, loading: &Loading) -> Result<()> {
    let (ours, bare) = (
        rate(loading.messages, loading.taken),
        rate(loading.bare_messages, loading.bare_taken),
    );
    let peak = loading.peak_kib.map_or_else(String::new, |kib| {
        format!("; at most {} MiB of memory", kib >> 10)
    });
    writeln!(
        text,
        "{what}: **{:.1} ×** the time of bare INSERTs of the message rows alone into a table without any index \
         ({ours:.0} against {bare:.0} messages/s){peak}.\n",
        bare / ours
    )?;
    Ok(())
}

/// The ratios of one group.
fn tables(text: &mut String, results: &Results, group: Group) -> Result<()> {
    if of(results, group).next().is_none() {
        return Ok(());
    }
    writeln!(text, "### {}\n", group.title())?;
    text.push_str(
        "| shape | statements | in process / bare SQL, p50 | p99 | HTTP / by hand, p50 | p99 | database ms, p50 | most |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for shape in of(results, group) {
        writeln!(
            text,
            "| {} | {} | **{:.2}** | {:.2} | **{:.2}** | {:.2} | {} | {} |",
            shape.shape.name,
            shape.figures.statements,
            ratio(&shape.ours, &shape.bare, Times::p50),
            ratio(&shape.ours, &shape.bare, Times::p99),
            ratio(&shape.ours_http, &shape.hand_http, Times::p50),
            ratio(&shape.ours_http, &shape.hand_http, Times::p99),
            ms(shape.waited.p50()),
            ms(shape.waited.most()),
        )?;
    }
    text.push('\n');
    Ok(())
}

fn walked(text: &mut String, results: &Results) -> Result<()> {
    let Some(walk) = &results.walk else {
        return Ok(());
    };
    let rows = u64::try_from(walk.rows)?;
    writeln!(
        text,
        "### Complete walk\n\n{rows} users by {} pages of 100, in the default order: **{:.2} ×** bare SQL in process, \
         **{:.2} ×** the hand-written endpoint over HTTP ({:.0} rows/s over HTTP). {}\n",
        walk.pages,
        walk.ours.as_secs_f64() / walk.bare.as_secs_f64(),
        walk.ours_http.as_secs_f64() / walk.hand_http.as_secs_f64(),
        rate(rows, walk.ours_http),
        if walk.wrong == 0 {
            "Every row came exactly once.".to_owned()
        } else {
            format!("{} rows came more than once or never.", walk.wrong)
        },
    )?;
    Ok(())
}

/// Times as they were, which say as much about the machine.
fn absolute(text: &mut String, results: &Results) -> Result<()> {
    text.push_str(
        "### Absolute times, ms\n\nOf this machine, and only as context.\n\n\
         | shape | rows | rounds | in process p50 | p99 | bare SQL p50 | p99 | HTTP p50 | p99 | by hand p50 | p99 |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for shape in &results.shapes {
        write!(
            text,
            "| {}: {} | {} | {} |",
            shape.shape.group.title(),
            shape.shape.name,
            shape.figures.rows,
            shape.ours.rounds()
        )?;
        for times in [&shape.ours, &shape.bare, &shape.ours_http, &shape.hand_http] {
            write!(text, " {} | {} |", ms(times.p50()), ms(times.p99()))?;
        }
        text.push('\n');
    }
    Ok(())
}

/// The plans of all statements, as Markdown.
pub(crate) fn plans(results: &[Results]) -> Result<String> {
    let mut text = String::from(
        "# Plans of Parlour's statements\n\nAs the databases explain them for the values of the measurement.\n\n",
    );
    for one in results {
        writeln!(text, "## {}\n", one.kind.name())?;
        for shape in &one.shapes {
            let title = shape.shape.group.title();
            writeln!(text, "### {title}: {}\n\n{}", shape.shape.name, shape.plans)?;
        }
    }
    Ok(text)
}

/// A line on how a shape did.
pub(crate) fn line(shape: &Measured) -> String {
    format!(
        "{}: {}: {} statements, {:.2} × bare SQL, {:.2} × by hand over HTTP{}",
        shape.shape.group.title(),
        shape.shape.name,
        shape.figures.statements,
        ratio(&shape.ours, &shape.bare, Times::p50),
        ratio(&shape.ours_http, &shape.hand_http, Times::p50),
        if shape.same { "" } else { ", ANSWERS DIFFER" },
    )
}

fn of(results: &Results, group: Group) -> impl Iterator<Item = &Measured> {
    results
        .shapes
        .iter()
        .filter(move |shape| shape.shape.group == group)
}

fn ratio(ours: &Times, theirs: &Times, of: fn(&Times) -> Duration) -> f64 {
    of(ours).as_secs_f64() / of(theirs).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(count: u64, taken: Duration) -> f64 {
    count as f64 / taken.as_secs_f64()
}

fn ms(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}
