//! The shapes: Parlour's router in process against bare SQL, and over HTTP against a plain endpoint by hand, one client.

mod answer; // what the hand-written side answers
mod by_hand; // the statements that one would write
mod endpoint; // the hand-written endpoint
mod ingest; // recordMessages against bare INSERTs
mod list; // what is measured
mod measure; // four ways to the same answer, in turns
mod plans; // EXPLAIN of Parlour's statements
mod question; // a task as a GraphQL request
mod report; // Markdown
mod sample; // what the shapes ask for
mod task; // what can be asked, for both sides
mod walk; // everyone, page by page

use std::path::{Path, PathBuf};
use std::time::Duration;

use measure::Sides;
use parlour::demo::Size;
use report::Results;

use crate::store::{self, Home, Store, Wanted};
use crate::{Result, load, machine};

/// What is measured, and on what.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Users of the made-up audience
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    users: u64,
    /// Their messages
    #[arg(long, value_name = "M", default_value_t = 1_000_000)]
    messages: u64,
    /// What the audience is made up from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    home: Home,
    /// How long each shape is measured
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Measure only the shapes with this in their heading or name; no walk then
    #[arg(long, value_name = "SHAPE")]
    only: Option<String>,
    /// Where the report goes; plans.md goes beside it
    #[arg(long, value_name = "FILE", default_value = "target/bench/shapes.md")]
    out: PathBuf,
}

/// Measures, and writes the report, which it also answers.
pub(crate) async fn run(arguments: &Arguments) -> Result<String> {
    let wanted = Wanted {
        size: Size {
            users: arguments.users,
            messages: arguments.messages,
            sessions: None,
            seed: arguments.seed,
        },
        additions: true,
    };
    let mut results = Vec::new();
    for &kind in &arguments.home.databases {
        let store = store::open(kind, &wanted, &arguments.home).await?;
        // On a task: the main thread is a stranger to the runtime's workers.
        let (store, result) = tokio::spawn(measure(store, arguments.clone())).await??;
        store.close(arguments.home.keep).await?;
        results.push(result);
    }
    let report = report::report(arguments, &machine::describe(), &results)?;
    let plans = report::plans(&results)?;
    let folder = arguments.out.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    std::fs::write(&arguments.out, &report)?;
    std::fs::write(folder.join("plans.md"), plans)?;
    Ok(report)
}

/// Measures everything on one database.
async fn measure(store: Store, arguments: Arguments) -> Result<(Store, Results)> {
    let sample = sample::choose(&store.pool).await?;
    let mut sides = Sides::start(&store).await?;
    let time = Duration::try_from_secs_f64(arguments.seconds)?;
    let mut measured = Vec::new();
    for shape in list::all(&sample) {
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
        let empty = store::empty(store.kind, &arguments.home).await?;
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
