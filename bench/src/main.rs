//! Parlour against bare SQL and against a hand-written endpoint, over a large made-up audience. It reports; it is not a test.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a report is printed, and so is how far it is"
)]

mod answer; // what the hand-written side answers
mod audience; // whom everything is about
mod bare; // sqlx with nothing around it
mod by_hand; // the statements that one would write
mod endpoint; // the hand-written endpoint
mod ingest; // recordMessages against bare INSERTs
mod load; // write::apply against bare INSERTs
mod measure; // four ways to the same answer, in turns
mod plans; // EXPLAIN of Parlour's statements
mod question; // a task as a GraphQL request
mod report; // Markdown
mod sample; // what the shapes ask for
mod shapes; // what is measured
mod store; // databases: made, kept, thrown away
mod task; // what can be asked, for both sides
mod walk; // everyone, page by page
mod wire; // a small HTTP client

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use measure::Sides;
use report::Results;
use store::{Kind, Store};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// The allocator of the `parlour` program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Parlour against bare SQL and a hand-written endpoint.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Users of the made-up audience
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    users: u64,
    /// Their messages
    #[arg(long, value_name = "M", default_value_t = 1_000_000)]
    messages: u64,
    /// What the audience is made up from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Databases to measure on
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "sqlite,postgres"
    )]
    databases: Vec<Kind>,
    #[arg(
        long,
        env = "BENCH_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true,
        help = "A database on the PostgreSQL server that may be used; others are made beside it"
    )]
    database_url: Option<String>,
    /// Keep the audience for the next run, and use the one that was kept
    #[arg(long)]
    keep: bool,
    /// How long each shape is measured
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Measure only the shapes with this in their heading or name; no walk then
    #[arg(long, value_name = "SHAPE")]
    only: Option<String>,
    /// Where the report goes; plans.md goes beside it
    #[arg(long, value_name = "FILE", default_value = "target/bench/report.md")]
    out: PathBuf,
    /// Where database files go
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut results = Vec::new();
    for &kind in &arguments.databases {
        let store = store::open(kind, &arguments).await?;
        // On a task: the main thread is a stranger to the runtime's workers.
        let (store, result) = tokio::spawn(measure(store, arguments.clone())).await??;
        store.close(arguments.keep).await?;
        results.push(result);
    }
    let report = report::report(&arguments, &machine(), &results)?;
    let plans = report::plans(&results)?;
    let folder = arguments.out.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    std::fs::write(&arguments.out, &report)?;
    std::fs::write(folder.join("plans.md"), plans)?;
    println!("{report}");
    Ok(())
}

/// Measures everything on one database.
async fn measure(store: Store, arguments: Arguments) -> Result<(Store, Results)> {
    let sample = sample::choose(&store.pool).await?;
    let mut sides = Sides::start(&store).await?;
    let time = Duration::try_from_secs_f64(arguments.seconds)?;
    let mut measured = Vec::new();
    for shape in shapes::all(&sample) {
        let name = format!("{}: {}", shape.group.title(), shape.name).to_lowercase();
        let wanted = |only: &String| name.contains(&only.to_lowercase());
        if arguments.only.as_ref().is_none_or(wanted) {
            let shape = measure::measure(&store, &mut sides, shape, time).await?;
            eprintln!("{}: {}", store.kind.name(), report::line(&shape));
            measured.push(shape);
        }
    }
    let walk = match arguments.only {
        None => Some(walk::walk(&store, &mut sides, &sample).await?),
        Some(_) => None,
    };
    sides.stop().await;
    let is_wanted = |only: &String| "recordmessages".contains(&only.to_lowercase());
    let recording = if arguments.only.as_ref().is_none_or(is_wanted) {
        let empty = store::empty(store.kind, &arguments).await?;
        let recording = ingest::record(&empty, arguments.seed).await?;
        empty.close(false).await?;
        Some(recording)
    } else {
        None
    };
    let results = Results {
        kind: store.kind,
        description: load::describe(store.kind, &store.pool).await?,
        sample,
        loading: store.loading,
        recording,
        shapes: measured,
        walk,
    };
    Ok((store, results))
}

/// What this runs on.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("a processor of unknown model", |(_, model)| model.trim());
    let mut text = format!("{cores} cores, {model}, {}.", std::env::consts::OS);
    if cfg!(debug_assertions) {
        text.push_str(" **Built without optimisation: these figures mean nothing.**");
    }
    text
}
