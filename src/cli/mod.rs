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
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use sea_orm::{DbErr, RuntimeErr};

use crate::config::{ConfigFile, DatabaseSettings};
use crate::db::{Database, DatabaseOptions};
use crate::error::{Error, Internal, Result};

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

/// How long a command waits for a connection.
const PATIENCE: Duration = Duration::from_mins(5);
/// How long opening a database takes at most, where it is not waited for longer; and between two tries.
const ATTEMPT: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(500);

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
    let code = runtime
        .block_on(cli.run())
        .unwrap_or_else(|error| fail(&error));
    // What still blocks a thread is not waited for.
    runtime.shutdown_background();
    code
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

/// Opens the database of a command that works on all of it: without a limit on the time that a statement takes, or a connection.
async fn open(config: &ConfigFile, settings: &DatabaseSettings) -> Result<Database> {
    let settings = config.complete(settings)?;
    let options = DatabaseOptions {
        statement_timeout: Duration::ZERO,
        acquire_timeout: PATIENCE,
        bulk: true,
        ..settings.options()
    };
    wait_for(&options, settings.wait()).await
}

/// Opens a database, and waits while it is not available: it may be starting.
async fn wait_for(options: &DatabaseOptions, most: Duration) -> Result<Database> {
    let start = Instant::now();
    let mut told = None;
    loop {
        let opened = async {
            let database = Database::open(options).await?;
            database.reader.ping().await?;
            Ok(database)
        };
        let opened = tokio::time::timeout(most.max(ATTEMPT), opened).await;
        let error = match opened {
            Ok(Ok(database)) => return Ok(database),
            Ok(Err(error)) => error,
            Err(_elapsed) => silent(),
        };
        let left = most.saturating_sub(start.elapsed());
        if !error.passes() || left.is_zero() {
            return Err(error);
        }
        let why = explain(&error);
        if told.as_ref() != Some(&why) {
            eprintln!(
                "parlour: waiting for the database, {} s at most: {why}",
                left.as_secs()
            );
            told = Some(why);
        }
        tokio::time::sleep(AGAIN.min(left)).await;
    }
}

/// A database that does not answer.
fn silent() -> Error {
    let text = "it does not answer".to_owned();
    DbErr::Conn(RuntimeErr::Internal(text)).into()
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
            format!("database: {error}")
        }
        Error::Internal(internal) => internal.to_string(),
    }
}
