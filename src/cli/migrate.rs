//! `parlour migrate`: the schema of the database, up, down, and where it stands.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::open;
use crate::config::{ConfigFile, DatabaseSettings};
use crate::error::Result;
use crate::write::refold;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    direction: Direction,
    #[command(flatten)]
    database: DatabaseSettings,
}

#[derive(Debug, Subcommand)]
enum Direction {
    /// Apply every migration that is not applied yet
    Up,
    /// Take the newest migrations back, and the data in what they made
    Down {
        /// How many
        steps: u32,
    },
    /// List the migrations and whether each is applied
    Status,
}

pub(super) async fn run(config: &ConfigFile, arguments: &Arguments) -> Result<ExitCode> {
    let database = open(config, &arguments.database).await?;
    match arguments.direction {
        Direction::Up => {
            database.migrate_up().await?;
            refold::finish(&database).await?;
        }
        Direction::Down { steps } => database.migrate_down(steps).await?,
        Direction::Status => {}
    }
    for (name, applied) in database.migrations().await? {
        println!("{name}: {}", if applied { "applied" } else { "pending" });
    }
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}
