//! `parlour serve`: the gateway.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::demo;
use crate::config::{ConfigFile, DatabaseSettings, LimitSettings, ServeSettings};
use crate::db::{Database, DatabaseOptions};
use crate::demo::Size;
use crate::error::{Error, Result};
use crate::http;
use crate::read::agent;
use crate::telemetry::Telemetry;
use crate::write::deletion;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    serve: ServeSettings,
    #[command(flatten)]
    limits: LimitSettings,
    #[command(flatten)]
    database: DatabaseSettings,
}

pub(super) async fn run(config: &ConfigFile, arguments: &Arguments) -> Result<ExitCode> {
    let settings = config.complete(&arguments.serve)?;
    let (filter, format) = settings.log();
    let telemetry = Telemetry::start(filter, format, settings.otlp_endpoint.as_deref())?;
    let address = settings.listen();
    if !address.ip().is_loopback() {
        return Err(Error::bad_input(
            "listen",
            format!(
                "{} can be reached from other machines, and there is no authentication yet: \
                 listen on 127.0.0.1 or [::1], behind a proxy that knows who is asking",
                address.ip()
            ),
        ));
    }
    let limits = config.complete(&arguments.limits)?.limits();
    // A statement that nobody waits for any more ends with its request.
    let options = DatabaseOptions {
        statement_timeout: limits.request_timeout,
        ..config.complete(&arguments.database)?.options()
    };
    let database = Database::open(&options).await?;
    prepare(&database, &settings).await?;

    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Error::bad_input("listen", format!("{address}: {error}")))?;
    let address = listener.local_addr()?;
    let server = http::Server::new(database.clone(), &settings, limits)?;
    // Whoever reads the line may ask at once.
    let stop = asked_to_stop()?;
    println!("Parlour is ready at http://{address} (open to this machine, no token needed)");
    std::io::stdout().flush()?;
    let finishing = tokio::spawn({
        let database = database.clone();
        async move { deletion::keep_finishing(&database).await }
    });
    server.run(listener, stop).await?;
    // A step that it is in the middle of is undone, and taken up again at the next start.
    finishing.abort();
    finishing.await.ok();
    database.close().await?;
    telemetry.shut_down().await;
    Ok(ExitCode::SUCCESS)
}

/// Brings the schema up to date, or refuses; makes up an audience when asked to and there is none.
async fn prepare(database: &Database, settings: &ServeSettings) -> Result<()> {
    if settings.no_migrate == Some(true) {
        let pending = database.pending().await?;
        if pending > 0 {
            return Err(Error::bad_input(
                "no-migrate",
                format!("{pending} migrations are not applied: run `parlour migrate up` first"),
            ));
        }
    } else {
        database.migrate_up().await?;
    }
    if settings.demo == Some(true) && agent::none(&database.reader).await? {
        eprintln!(
            "the database is empty: {}",
            demo::fill(database, Size::DEFAULT).await?
        );
    }
    Ok(())
}

/// Resolves on SIGTERM or SIGINT, for which it listens as soon as it is called.
fn asked_to_stop() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
