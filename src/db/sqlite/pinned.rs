//! A connection of `SQLite` that somebody has to themselves for some statements.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use sea_orm::Statement;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::OwnedSemaphorePermit;

use super::connection::BUSY;
use super::{Shared, Table, connection, lock};

/// A connection, until it is let go of: then what was not committed is undone.
#[derive(Debug)]
pub(crate) struct PinnedConnection {
    pool: Arc<Shared>,
    connection: Mutex<Option<Connection>>,
    /// Given back after the connection.
    _place: OwnedSemaphorePermit,
}

impl PinnedConnection {
    pub(super) fn new(
        pool: Arc<Shared>,
        connection: Connection,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            pool,
            connection: Mutex::new(Some(connection)),
            _place: place,
        }
    }

    /// Begins a transaction that writes, unless another program has the lock: that one is not waited for.
    pub(crate) fn begin(&self) -> rusqlite::Result<()> {
        self.with(|connection| {
            connection.busy_timeout(Duration::ZERO)?;
            let begun = connection.execute_batch("BEGIN IMMEDIATE");
            connection.busy_timeout(BUSY)?;
            begun
        })
    }

    /// Runs statements that have no values.
    pub(crate) fn batch(&self, sql: &str) -> rusqlite::Result<()> {
        self.with(|connection| connection.execute_batch(sql))
    }

    /// Runs a statement that brings no rows. How many it changed.
    pub(crate) fn execute(&self, statement: &Statement) -> rusqlite::Result<u64> {
        self.with(|connection| connection::execute(connection, statement))
    }

    /// The rows of a statement.
    pub(crate) fn rows(&self, statement: &Statement) -> rusqlite::Result<Table> {
        self.with(|connection| connection::rows(connection, statement))
    }

    /// There is a connection until this is dropped.
    fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        match &*lock(&self.connection) {
            Some(connection) => work(connection),
            None => Err(rusqlite::Error::InvalidQuery),
        }
    }
}

/// A connection on which something cannot be undone is closed: the next one to ask opens another.
impl Drop for PinnedConnection {
    fn drop(&mut self) {
        let Some(connection) = lock(&self.connection).take() else {
            return;
        };
        if connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok() {
            lock(&self.pool.idle).push(connection);
        }
    }
}

/// Does something that holds up its thread, which others want to use too: they are moved to another one before.
pub(crate) async fn block_in_place<T>(work: impl Future<Output = T>) -> T {
    if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
        tokio::task::block_in_place(|| Handle::current().block_on(work))
    } else {
        work.await
    }
}
