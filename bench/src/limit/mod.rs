//! The limit: what one would write by hand for the workloads and for nothing else, as fast as one can.
//!
//! On PostgreSQL statements are pipelined on a few connections, prepared, their rows binary; on `SQLite` they run where they
//! are asked for. The JSON, byte for byte Parlour's, is written into one buffer. Tables and indexes are Parlour's.

mod answers; // rows as JSON
mod json; // JSON by hand
mod postgres; // statements, pipelined
mod profile; // what a new name brings with it
mod server; // routes
mod sqlite; // statements, in place

use std::path::Path;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::Result;

/// Where the data is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(
        long,
        env = "PARLOUR_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        help = "A database that Parlour has filled"
    )]
    database_url: String,
}

/// Users of a page.
pub(crate) const PAGE: usize = 20;
/// Of the conversations of one user: sessions, and messages of each.
pub(crate) const CONVERSATIONS: (usize, usize) = (10, 20);
/// Of the conversations of many users: users, sessions of each, and messages of each of these.
pub(crate) const AUDIENCE: (usize, usize, usize) = (50, 5, 10);
/// Of a walk through everyone: users of a page, and sessions of each.
pub(crate) const WALK: (usize, usize) = (100, 20);

/// All routes over a database.
pub(crate) async fn router(url: &str) -> Result<Router> {
    Ok(match url.strip_prefix("sqlite://") {
        Some(file) => server::routes(sqlite::Sqlite::open(Path::new(file))?),
        None => server::routes(postgres::Postgres::connect(url).await?),
    })
}

/// Answers until it is ended. Says where, as `parlour serve` does.
pub(crate) async fn serve(arguments: &Arguments) -> Result<()> {
    let router = router(&arguments.database_url).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{} is the limit", listener.local_addr()?);
    // Small answers must not wait for more.
    let listener = listener.tap_io(|stream| {
        stream.set_nodelay(true).ok();
    });
    axum::serve(listener, router).await?;
    Ok(())
}
