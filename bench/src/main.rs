//! Parlour against what one would write by hand, over a large made-up audience. It reports; it is not a test.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a report is printed, and so is how far it is"
)]

mod audience; // whom everything is about
mod bare; // sqlx with nothing around it
mod limit; // the fastest endpoint that one would write, a program of its own
mod load; // write::apply against bare INSERTs
mod machine; // what this runs on
mod shapes; // one client: bare SQL, and a plain endpoint
mod store; // databases: made, kept, thrown away
mod wire; // a small HTTP client
mod workloads; // many clients: Parlour and the limit, in turns

use clap::Parser;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// The allocator of the `parlour` program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Parlour against what one would write by hand: the workloads, unless something else is named.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    workloads: workloads::Arguments,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// One client: each shape of a query against bare SQL and against a plain endpoint by hand
    Shapes(shapes::Arguments),
    /// The hand-written endpoint that the workloads are measured against, as a server
    Limit(limit::Arguments),
    /// Asks a router in this process, to be run under a profiler
    InProcess(workloads::instructions::Arguments),
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { command, workloads } = Arguments::parse();
    match command {
        None => println!("{}", workloads::run(&workloads).await?),
        Some(Command::Shapes(arguments)) => println!("{}", shapes::run(&arguments).await?),
        Some(Command::Limit(arguments)) => limit::serve(&arguments).await?,
        Some(Command::InProcess(arguments)) => workloads::instructions::ask(&arguments).await?,
    }
    Ok(())
}
