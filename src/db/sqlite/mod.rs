//! `SQLite` on connections of our own (docs/decisions/0019): a statement runs from its first row to its last in one go, and all
//! its rows come back at once. Short reads run where they are asked for, all others on threads that may block. A transaction has a
//! connection to itself, and a thread.

mod connection;
mod live;
mod pinned;
mod table;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, Row};
use sea_orm::{ConnAcquireErr, DbErr, Statement};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use uuid::Uuid;

pub(super) use connection::File;
pub(super) use pinned::{PinnedConnection, block_in_place};
pub(crate) use table::Table;

use live::Live;

use super::Values;
use super::query_stats::{self, DatabaseWork};
use crate::error::{Internal, Result};

/// Connections.
#[derive(Clone, Debug)]
pub(super) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    file: File,
    limits: Limits,
    /// A place for each connection that there may be; whoever has one has a connection to themselves.
    places: Arc<Semaphore>,
    /// Connections that nobody uses; the last one used, which knows the most pages, comes first.
    idle: Mutex<Vec<Connection>>,
}

/// How much there may be of what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections.
    pub(super) connections: u32,
    /// How long a statement waits for one.
    pub(super) acquire: Duration,
    /// How long a statement may run; zero: as long as it takes.
    pub(super) statement: Duration,
    /// Whether most statements take no longer than changing threads does.
    pub(super) short: bool,
}

impl Pool {
    /// A pool whose first connection is open.
    pub(super) async fn open(file: File, limits: Limits) -> Result<Self> {
        let places = usize::try_from(limits.connections).unwrap_or(Semaphore::MAX_PERMITS);
        let pool = Self(Arc::new(Shared {
            file,
            limits,
            places: Arc::new(Semaphore::new(places)),
            idle: Mutex::default(),
        }));
        pool.with(|_| Ok(())).await?;
        Ok(pool)
    }

    /// The rows of a statement.
    pub(super) async fn rows(&self, statement: Statement) -> Result<Table> {
        let mut table = None;
        let most = query_stats::rows_limit();
        let kept = self.inline(&statement, None, |_, row| {
            connection::keep(row, &mut table, most)
        });
        match kept {
            Some(kept) => {
                kept?;
                Ok(table.unwrap_or_default())
            }
            None => self.rows_on_blocking_pool(statement).await,
        }
    }

    /// What is made of the rows of a statement, when they can be had at once and on this thread.
    pub(super) fn each_inline<T>(
        &self,
        statement: &Statement,
        decode: impl Fn(&dyn Values) -> Result<T, DbErr>,
    ) -> Option<Result<Vec<T>>> {
        let mut all = Vec::new();
        self.decoded_inline(statement, None, decode, |_, one| all.push(one))
            .map(|through| through.map(|()| all))
    }

    /// The same for each of many parents.
    pub(super) fn lists_inline<T>(
        &self,
        statement: &Statement,
        parents: &[Uuid],
        decode: impl Fn(&dyn Values) -> Result<T, DbErr>,
    ) -> Option<Result<Vec<Vec<T>>>> {
        let mut lists: Vec<_> = parents.iter().map(|_| Vec::new()).collect();
        let take = |list: usize, one| lists[list].push(one);
        self.decoded_inline(statement, Some(parents), decode, take)
            .map(|through| through.map(|()| lists))
    }

    fn decoded_inline<T>(
        &self,
        statement: &Statement,
        parents: Option<&[Uuid]>,
        decode: impl Fn(&dyn Values) -> Result<T, DbErr>,
        mut take: impl FnMut(usize, T),
    ) -> Option<Result<()>> {
        let mut failed = None;
        let through = self.inline(statement, parents, |run, row| {
            match decode(&Live(row)) {
                Ok(one) => take(run, one),
                // What fails afterwards may only follow from it.
                Err(error) => _ = failed.get_or_insert(error),
            }
            Ok(())
        })?;
        Some(match (through, failed) {
            (Err(error), _) => Err(error.into()),
            (Ok(()), Some(error)) => Err(error.into()),
            (Ok(()), None) => Ok(()),
        })
    }

    /// The rows of a statement, on another thread. One whose caller goes away ends soon after.
    pub(super) async fn rows_on_blocking_pool(&self, statement: Statement) -> Result<Table> {
        let mut tables = self.on_blocking_pool(statement, None).await?;
        Ok(tables.pop().unwrap_or_default())
    }

    /// The same for each of many parents.
    pub(super) async fn lists_on_blocking_pool(
        &self,
        statement: Statement,
        parents: &[Uuid],
    ) -> Result<Vec<Table>> {
        self.on_blocking_pool(statement, Some(parents.to_vec()))
            .await
    }

    async fn on_blocking_pool(
        &self,
        statement: Statement,
        parents: Option<Vec<Uuid>>,
    ) -> Result<Vec<Table>> {
        let left = Left::default();
        let caller = Arc::clone(&left.0);
        let limit = self.0.limits.statement;
        let most = query_stats::rows_limit();
        self.with(move |connection| {
            let start = Instant::now();
            connection::run(
                connection,
                &statement,
                parents.as_deref(),
                most,
                move || {
                    caller.load(Ordering::Relaxed) || !limit.is_zero() && start.elapsed() >= limit
                },
            )
        })
        .await
    }

    /// Runs a statement, when that can be done at once and on this thread. Where it cannot, some rows may have been taken.
    fn inline(
        &self,
        statement: &Statement,
        parents: Option<&[Uuid]>,
        take: impl FnMut(usize, &Row<'_>) -> rusqlite::Result<()>,
    ) -> Option<rusqlite::Result<()>> {
        if !self.0.limits.short || Handle::current().runtime_flavor() != RuntimeFlavor::MultiThread
        {
            return None;
        }
        let place = self.0.places.try_acquire().ok()?;
        // Opening one takes longer.
        let connection = lock(&self.0.idle).pop()?;
        let _work = DatabaseWork::start();
        let answer = self.0.used(connection, |connection| {
            connection::run_inline(connection, statement, parents, take)
        });
        drop(place);
        match answer {
            Err(error) if is_busy_or_long(&error) => None,
            answer => Some(answer),
        }
    }

    /// A connection for as long as somebody wants it.
    pub(super) async fn hold(&self) -> Result<PinnedConnection> {
        let place = self.place().await?;
        let idle = lock(&self.0.idle).pop();
        let connection = if let Some(connection) = idle {
            connection
        } else {
            let shared = Arc::clone(&self.0);
            on_thread(move || shared.connect()).await??
        };
        Ok(PinnedConnection::new(
            Arc::clone(&self.0),
            connection,
            place,
        ))
    }

    /// Whether the file can be opened and read.
    pub(super) async fn ping(&self) -> Result<()> {
        let shared = Arc::clone(&self.0);
        self.with(move |_| {
            let anew = shared.connect()?;
            anew.query_row("PRAGMA schema_version", [], |_| Ok(()))
        })
        .await
    }

    /// How many connections are open, and how many of these are idle.
    pub(super) fn connections(&self) -> (u32, usize) {
        let busy = self.0.limits.connections as usize - self.0.places.available_permits();
        let idle = lock(&self.0.idle).len();
        (u32::try_from(busy + idle).unwrap_or(u32::MAX), idle)
    }

    /// Ends the connections, when what runs on them is through.
    pub(super) async fn close(&self) -> Result<()> {
        let all = self.0.places.acquire_many(self.0.limits.connections).await;
        self.0.places.close();
        drop(all);
        let idle = std::mem::take(&mut *lock(&self.0.idle));
        on_thread(move || drop(idle)).await
    }

    /// Does something with a connection, on a thread that may block.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = self.place().await?;
        let _work = DatabaseWork::start();
        let shared = Arc::clone(&self.0);
        let answer = on_thread(move || {
            let answer = shared.with(work);
            drop(place);
            answer
        });
        Ok(answer.await??)
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit> {
        let places = Arc::clone(&self.0.places);
        let waiting = tokio::time::timeout(self.0.limits.acquire, places.acquire_owned());
        let why = match waiting.await {
            Ok(Ok(place)) => return Ok(place),
            Ok(Err(_closed)) => ConnAcquireErr::ConnectionClosed,
            Err(_elapsed) => ConnAcquireErr::Timeout,
        };
        Err(DbErr::ConnectionAcquire(why).into())
    }
}

impl Shared {
    fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = lock(&self.idle).pop();
        let connection = idle.map_or_else(|| self.connect(), Ok)?;
        self.used(connection, work)
    }

    /// A new connection. Where statements are short their plans do not look at values: one that did, at that of the condition
    /// of a partial index for instance, would be prepared again whenever a value is bound.
    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = self.file.connect()?;
        let plans_are_stable = DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG;
        connection.set_db_config(plans_are_stable, self.limits.short)?;
        Ok(connection)
    }

    /// A connection that failed, or whose work panicked, is closed: the next one to ask opens another.
    fn used<T>(
        &self,
        connection: Connection,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let answer = work(&connection);
        if answer.as_ref().map_or_else(is_busy_or_long, |_| true) {
            lock(&self.idle).push(connection);
        }
        answer
    }
}

/// Whether a statement failed for want of time alone, which says nothing about the connection.
fn is_busy_or_long(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::OperationInterrupted | ErrorCode::DatabaseBusy)
    )
}

/// Runs what may block where it holds nobody up. A panic there goes on here.
async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Internal::Io(error.to_string()).into(),
        })
}

/// Tells a statement, when it is dropped, that nobody waits for it.
#[derive(Default)]
struct Left(Arc<AtomicBool>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{File, Limits, Pool};

    #[tokio::test]
    async fn a_panic_costs_a_connection_and_no_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.db");
        rusqlite::Connection::open(&path).unwrap();
        let file = File::new(&format!("sqlite://{}", path.display()), &[]).unwrap();
        let limits = Limits {
            connections: 1,
            acquire: Duration::from_secs(1),
            statement: Duration::ZERO,
            short: false,
        };
        let pool = Pool::open(file, limits).await.unwrap();
        for _ in 0..3 {
            let work = pool.clone();
            let work = async move {
                work.with(|_| -> rusqlite::Result<()> { panic!("on purpose") })
                    .await
            };
            assert!(tokio::spawn(work).await.unwrap_err().is_panic());
            assert_eq!(pool.connections(), (0, 0));
            let one = pool.with(|connection| connection.execute_batch("SELECT 1"));
            one.await.unwrap();
            assert_eq!(pool.connections(), (1, 1));
        }
        pool.close().await.unwrap();
    }
}
