//! The workloads: Parlour as it is served, beside the limit, each a process of its own; many clients; in turns.

mod check; // whether both answer the same
mod choice; // whom and what the requests ask for
mod clients; // who asks
mod cpu; // whose processor time it took
mod growth; // from one size to the next
pub(crate) mod instructions; // counted, in process
mod list; // what is asked, of either side
mod report; // Markdown
mod server; // a side, as a process
mod turns; // one side, then the other, again and again
mod walk; // everyone of an agent, page by page

use std::path::{Path, PathBuf};
use std::time::Duration;

use parlour::demo::Size as Audience;

use crate::store::{self, Home, Kind, Wanted};
use crate::{Result, load, machine};
use clients::Requests;
use list::Workload;
use report::Results;
use server::{Program, Server};
use turns::Rounds;

/// What is measured, and on what.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Sizes of the audience
    #[arg(long, value_enum, value_delimiter = ',', default_value = "s")]
    sizes: Vec<Size>,
    /// Workloads [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    workloads: Vec<Workload>,
    /// How many connections ask at once
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    connections: Vec<usize>,
    /// How long a turn of one side is
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Turns of each side
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The program that is measured
    #[arg(long, value_name = "FILE", default_value = "target/release/parlour")]
    parlour: PathBuf,
    /// What the audience is made up from, and the requests are chosen by
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also count the instructions of requests, with valgrind
    #[arg(long)]
    instructions: bool,
    #[command(flatten)]
    home: Home,
    /// Where the report goes
    #[arg(long, value_name = "FILE", default_value = "target/bench/report.md")]
    out: PathBuf,
}

/// How large an audience is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Size {
    /// 10,000 users, 50,000 sessions, 500,000 messages
    #[value(alias = "S")]
    S,
    /// 200,000 users, a million sessions, ten million messages
    #[value(alias = "M")]
    M,
    /// A million users, five million sessions, twenty million messages
    #[value(alias = "L")]
    L,
}

impl Size {
    const fn name(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::M => "M",
            Self::L => "L",
        }
    }

    const fn wanted(self, seed: u64) -> Wanted {
        let (users, sessions, messages) = match self {
            Self::S => (10_000, 50_000, 500_000),
            Self::M => (200_000, 1_000_000, 10_000_000),
            Self::L => (1_000_000, 5_000_000, 20_000_000),
        };
        Wanted {
            size: Audience {
                users,
                messages,
                sessions: Some(sessions),
                seed,
            },
            additions: false,
        }
    }
}

/// Measures, and writes the report, which it also answers.
pub(crate) async fn run(arguments: &Arguments) -> Result<String> {
    let mut results = Vec::new();
    for &kind in &arguments.home.databases {
        for &size in &arguments.sizes {
            results.push(measure(kind, size, arguments).await?);
            // After each, so that what has been measured stays when a later one fails.
            write(arguments, &results, "")?;
        }
    }
    let instructions = if arguments.instructions {
        instructions::section(&arguments.home).await?
    } else {
        String::new()
    };
    write(arguments, &results, &instructions)
}

fn write(arguments: &Arguments, results: &[Results], more: &str) -> Result<String> {
    let mut report = report::report(arguments, &machine::describe(), results)?;
    report.push_str(more);
    std::fs::create_dir_all(arguments.out.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(&arguments.out, &report)?;
    Ok(report)
}

/// Measures everything on one database of one size.
async fn measure(kind: Kind, size: Size, arguments: &Arguments) -> Result<Results> {
    let store = store::open(kind, &size.wanted(arguments.seed), &arguments.home).await?;
    let url = store.url();
    let programs = [Program::limit()?, Program::parlour(&arguments.parlour)];
    let chosen = choice::choose(&store.pool, arguments.seed).await?;
    let starts = server::start_up(&programs, &url).await?;
    let mut sides = [
        Server::start(&programs[0], &url)?,
        Server::start(&programs[1], &url)?,
    ];
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = [sides[0].memory()?, sides[1].memory()?];
    let rounds = Rounds {
        count: arguments.rounds,
        turn: Duration::try_from_secs_f64(arguments.seconds)?,
        cluster: cpu::cluster(&store.pool).await,
    };
    let mut measured = Vec::new();
    let mut walk = None;
    for workload in Workload::of(&arguments.workloads) {
        eprintln!("{} {}, {}", kind.name(), size.name(), workload.title());
        if workload == Workload::W8 {
            walk = Some(walk::walk(&sides, &chosen, &rounds).await?);
            continue;
        }
        let requests = Requests::of(workload, &chosen);
        check::same(workload, &requests, &sides, &store.pool).await?;
        for &connections in &arguments.connections {
            let result = turns::measure(workload, connections, &requests, &sides, &rounds).await?;
            eprintln!("  {}", report::line(&result));
            measured.push(result);
        }
    }
    let memory = [sides[0].memory()?, sides[1].memory()?];
    for side in &mut sides {
        side.stop()?;
    }
    let results = Results {
        kind,
        size,
        description: load::describe(kind, &store.pool).await?,
        contents: chosen.totals,
        loading: store.loading,
        measured,
        walk,
        starts,
        idle,
        memory,
    };
    store.close(arguments.home.keep).await?;
    Ok(results)
}
