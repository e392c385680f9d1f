//! The command line: one file per command. The only place that prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the command line"
)]

mod demo;
mod import;
mod migrate;
mod schema;
mod serve;
mod token;
mod verify;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{ConfigFile, DatabaseSettings};
use crate::db::{Database, DatabaseOptions};
use crate::error::{Error, Internal, Result, told};

/// A GraphQL gateway to the people who talk to chatbots.
#[derive(Debug, Parser)]
#[command(name = "parlour", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    config: ConfigFile,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the graph
    Serve(Box<serve::Arguments>),
    /// Import messages, with their agents, users and sessions, from files of one JSON object a line
    ///
    /// Files may be plain, gzip or zstd: their first bytes tell. Lines may come in any order and more than once: importing a
    /// file again, or after an interruption, leaves the same database as importing it once.
    ///
    /// Exits with 0 when every line went in, with 2 when some were rejected, and with 1 when the database failed or a file
    /// could not be read to its end. A file that breaks off gives the lines before; the files after it are imported all the
    /// same.
    Import(OnDatabase<import::Arguments>),
    /// Fill the database with a made-up audience
    ///
    /// The same numbers make the same audience: running the command again adds nothing.
    Demo(OnDatabase<demo::Arguments>),
    /// Make, list and revoke tokens, which `serve` lets people and programs in by
    Token(token::Arguments),
    /// Bring the schema of the database up, or take it down
    Migrate(migrate::Arguments),
    /// Recount every stored figure and compare
    Verify(verify::Arguments),
    /// Print the schema of the graph (SDL)
    Schema,
}

// The arguments of a command, and the database it works on. No doc comment: it would stand in for the command's own.
#[derive(Args, Debug)]
struct OnDatabase<T: Args> {
    #[command(flatten)]
    command: T,
    #[command(flatten)]
    database: DatabaseSettings,
}

/// Stack of a worker, in bytes. Only what is used of it takes memory.
const STACK: usize = 32 << 20;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Resolvers nest as deep as the document: the deepest that is allowed must fit, also without optimisation.
        .thread_stack_size(STACK)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    runtime
        .block_on(cli.run())
        .unwrap_or_else(|error| fail(&error))
}

impl Cli {
    async fn run(self) -> Result<ExitCode> {
        let Self { config, command } = self;
        match command {
            Command::Serve(arguments) => serve::run(&config, &arguments).await,
            Command::Import(arguments) => {
                let database = open_migrated(&config, &arguments.database).await?;
                let code = import::run(&arguments.command, &database).await?;
                database.close().await?;
                Ok(code)
            }
            Command::Demo(arguments) => {
                let database = open_migrated(&config, &arguments.database).await?;
                demo::run(&arguments.command, &database).await?;
                database.close().await?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Token(arguments) => token::run(&config, &arguments).await,
            Command::Migrate(arguments) => migrate::run(&config, &arguments).await,
            Command::Verify(arguments) => verify::run(&config, &arguments).await,
            Command::Schema => Ok(schema::run()),
        }
    }
}

/// Opens the database of a command that works on all of it: without a limit on the time that a statement takes.
async fn open(config: &ConfigFile, settings: &DatabaseSettings) -> Result<Database> {
    let options = config.complete(settings)?.options();
    Database::open(&DatabaseOptions {
        statement_timeout: std::time::Duration::ZERO,
        bulk: true,
        ..options
    })
    .await
}

/// Opens the database of a command that needs the newest schema, and brings it there.
async fn open_migrated(config: &ConfigFile, settings: &DatabaseSettings) -> Result<Database> {
    let database = open(config, settings).await?;
    database.migrate_up().await?;
    Ok(database)
}

fn fail(error: &Error) -> ExitCode {
    eprintln!("parlour: {}", explain(error));
    ExitCode::FAILURE
}

/// What went wrong, in full but for values: what a command says may end in a log.
fn explain(error: &Error) -> String {
    match error {
        Error::Client(client) => client.to_string(),
        Error::Internal(
            Internal::Database(error) | Internal::Unavailable(error) | Internal::TimedOut(error),
        ) => {
            format!("database: {}", told(error))
        }
        Error::Internal(internal) => internal.to_string(),
    }
}
