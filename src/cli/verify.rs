//! `parlour verify`: recount every stored figure, and put right what differs when asked to.

use std::process::ExitCode;

use clap::Args;

use super::open_migrated;
use crate::config::{ConfigFile, DatabaseSettings};
use crate::error::Result;
use crate::write::verify::{repair, verify};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Store what the recount says
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    database: DatabaseSettings,
}

pub(super) async fn run(config: &ConfigFile, arguments: &Arguments) -> Result<ExitCode> {
    let database = open_migrated(config, &arguments.database).await?;
    let differences = verify(&database.reader).await?;
    for difference in &differences {
        println!("{difference}");
    }
    let code = if differences.is_empty() {
        println!("every stored figure equals its recount");
        ExitCode::SUCCESS
    } else if arguments.repair {
        repair(&database.writer).await?;
        println!("repaired");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    database.close().await?;
    Ok(code)
}
