//! `parlour serve`: the gateway.

use std::io::Write;
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::demo;
use crate::authentication::{Authentication, Jwt, Tokens};
use crate::caller::Principal;
use crate::clock::Timestamp;
use crate::config::{
    AuthenticationRule, ConfigFile, DatabaseSettings, JwtFlags, LimitSettings, ServeSettings,
};
use crate::db::{Database, DatabaseOptions};
use crate::demo::Size;
use crate::error::{Error, Result};
use crate::http;
use crate::read::{agent, token};
use crate::telemetry::Telemetry;
use crate::write::{deletion, refold};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    serve: ServeSettings,
    #[command(flatten)]
    jwt: JwtFlags,
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
    let rule = settings.authentication()?;
    let roles = settings.roles()?;
    let jwt = config.jwt(&arguments.jwt)?;
    let limits = config.complete(&arguments.limits)?.limits();
    // A statement that nobody waits for any more ends with its request.
    let database = config.complete(&arguments.database)?;
    let options = DatabaseOptions {
        statement_timeout: limits.request_timeout,
        // Whoever gets none in time is told so before their own time is over.
        acquire_timeout: (limits.request_timeout * 9 / 10).max(AT_LEAST),
        ..database.options()
    };
    let database = super::wait_for(&options, database.wait()).await?;
    migrate(&database, &settings).await?;
    if rule == AuthenticationRule::Required && jwt.is_none() {
        somebody_may_come(&database, address.ip()).await?;
    }
    fill(&database, &settings).await?;

    raise_file_limit();
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Error::bad_input("listen", format!("{address}: {error}")))?;
    let address = listener.local_addr()?;
    let tokens = Tokens::new(database.clone(), roles.clone());
    let (authentication, told) = match rule {
        AuthenticationRule::Open => {
            let anyone = Arc::new(Principal::anyone());
            let told = "open to this machine, no token needed";
            (Authentication::Open(anyone), told)
        }
        AuthenticationRule::Required => {
            let jwt = match jwt {
                None => None,
                Some(jwt) => {
                    let roles = Box::new(move |role: &str| roles.permissions(role));
                    Some(Arc::new(
                        Jwt::start(jwt, roles, database.reader.clone()).await?,
                    ))
                }
            };
            let tokens = tokens.clone();
            (Authentication::Required { tokens, jwt }, "tokens needed")
        }
    };
    let server = http::Server::with(authentication, database.clone(), &settings, limits)?;
    // Whoever reads the line may ask at once.
    let stop = asked_to_stop(settings.drain_timeout())?;
    println!("Parlour is ready at http://{address} ({told})");
    std::io::stdout().flush()?;
    let finishing = tokio::spawn({
        let database = database.clone();
        async move { deletion::keep_finishing(&database).await }
    });
    let folding = tokio::spawn({
        let database = database.clone();
        async move { refold::finish_in_background(&database).await }
    });
    let noting = tokio::spawn({
        let tokens = tokens.clone();
        async move { tokens.keep_noting().await }
    });
    server.run(listener, stop).await?;
    // A step that it is in the middle of is undone, and taken up again at the next start.
    finishing.abort();
    folding.abort();
    noting.abort();
    let closing = async {
        finishing.await.ok();
        folding.await.ok();
        noting.await.ok();
        if let Err(error) = tokens.note().await {
            tracing::warn!(%error, "the latest use of tokens could not be written down");
        }
        database.close().await
    };
    match tokio::time::timeout(CLOSING, closing).await {
        Ok(closed) => closed?,
        Err(_elapsed) => tracing::warn!("the database does not answer, and is left as it is"),
    }
    telemetry.shut_down().await;
    Ok(ExitCode::SUCCESS)
}

/// How long whoever wants a connection may wait for it at least.
const AT_LEAST: Duration = Duration::from_secs(1);
/// How long the database has to let go of the connections, after the drain.
const CLOSING: Duration = Duration::from_secs(2);
/// How long after the drain the process ends, whatever holds it.
const END: Duration = Duration::from_secs(5);

/// Lets the process have as many files open as the machine allows it: each connection is one.
fn raise_file_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::info!(limit, "files that may be open"),
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}

/// Brings the schema up to date, or refuses.
async fn migrate(database: &Database, settings: &ServeSettings) -> Result<()> {
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
    Ok(())
}

/// Refuses to serve other machines as long as nobody could come in; says so on this one.
async fn somebody_may_come(database: &Database, address: IpAddr) -> Result<()> {
    if token::any_good(&database.reader, Timestamp::now()).await? {
        return Ok(());
    }
    let make = "make the first one with `parlour token create --name NAME --role ADMIN`";
    if address.is_loopback() {
        tracing::warn!("tokens are needed, and there is none: {make}");
        return Ok(());
    }
    Err(Error::bad_input(
        "listen",
        format!(
            "{address} can be reached from other machines, so tokens are needed, and there is none: {make}, then start again"
        ),
    ))
}

/// Makes up an audience when asked to and there is none.
async fn fill(database: &Database, settings: &ServeSettings) -> Result<()> {
    if settings.demo == Some(true) && agent::none(&database.reader).await? {
        eprintln!(
            "the database is empty: {}",
            demo::fill(database, Size::DEFAULT).await?
        );
    }
    Ok(())
}

/// Resolves on SIGTERM or SIGINT, for which it listens as soon as it is called. From then on the process ends in time, whatever holds
/// it: at once with a second signal, and some seconds after the drain in any case.
fn asked_to_stop(drain: Duration) -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        next(&mut terminate, &mut interrupt).await;
        tokio::spawn(async move {
            tokio::select! {
                number = next(&mut terminate, &mut interrupt) => {
                    tracing::warn!("a second signal: the process ends at once");
                    std::process::exit(128 + number);
                }
                () = tokio::time::sleep(drain + END) => {
                    tracing::error!("the process did not come to its end in time, and is ended");
                    std::process::exit(1);
                }
            }
        });
    })
}

/// The number of the next signal.
async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> i32 {
    tokio::select! {
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
    }
}
