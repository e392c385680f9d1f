//! The one way to write: a transaction that takes its lock at once, tried again when two of them get in each other's way.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sea_orm::Statement;
use serde::Serialize;

use super::dialect::Dialect;
use super::json_batch::{Column, Rows};
use super::query_stats::{DatabaseWork, Watch};
use super::row::{FromRow, Row};
use super::sqlite::Table;
use super::transaction_error::TransactionError;
use super::{postgres, sqlite};
use crate::clock::Timestamp;
use crate::error::Result;

/// How often a transaction is tried before its failure is reported.
const TRIES: u32 = 6;

/// How long a transaction waits for another program that has the database to itself, and between two tries.
const LOCKED: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// Writes.
#[derive(Clone, Debug)]
pub struct Writer {
    connections: Connections,
    parallelism: usize,
}

/// Connections that write.
#[derive(Clone, Debug)]
enum Connections {
    Sqlite(sqlite::Pool),
    Postgres(postgres::Pool),
}

/// A transaction under way; undone unless committed.
#[derive(Debug)]
pub struct Transaction {
    held: PinnedConnection,
    id_salt: u8,
    /// Its work, from when it has its lock: what it waits for before is the work of others.
    working: OnceLock<DatabaseWork>,
}

/// A connection that a transaction has to itself.
#[derive(Debug)]
enum PinnedConnection {
    Sqlite(sqlite::PinnedConnection),
    Postgres(postgres::PinnedConnection),
}

/// What a transaction does. It is run again after a conflict, so it keeps nothing of a run but what it answers.
pub trait UnitOfWork: Sync {
    /// What comes of it.
    type Output: Send;

    /// Does it, in a transaction that is committed when this succeeds.
    fn run<'a>(
        &'a self,
        transaction: &'a Transaction,
    ) -> impl Future<Output = Result<Self::Output, TransactionError>> + Send + 'a;
}

impl Writer {
    pub(super) const fn sqlite(pool: sqlite::Pool) -> Self {
        Self {
            connections: Connections::Sqlite(pool),
            parallelism: 1,
        }
    }

    pub(super) fn postgres(pool: postgres::Pool, parallelism: u32) -> Self {
        Self {
            connections: Connections::Postgres(pool),
            parallelism: usize::try_from(parallelism).unwrap_or(1),
        }
    }

    /// How this database says things.
    pub const fn dialect(&self) -> Dialect {
        match self.connections {
            Connections::Sqlite(_) => Dialect::Sqlite,
            Connections::Postgres(_) => Dialect::Postgres,
        }
    }

    /// How many transactions can be under way at once.
    pub const fn parallelism(&self) -> usize {
        self.parallelism
    }

    /// The pool: name, open connections, idle ones among them.
    pub(super) fn connections(&self) -> (&'static str, u32, usize) {
        let (open, idle) = match &self.connections {
            Connections::Sqlite(pool) => pool.connections(),
            Connections::Postgres(pool) => pool.connections(),
        };
        ("writers", open, idle)
    }

    /// Runs `work` in a transaction and commits what it did. A deadlock or a conflict with another writer undoes it and runs it
    /// again, and so does a connection that breaks before the commit, once.
    pub async fn transaction<W: UnitOfWork>(&self, work: &W) -> Result<W::Output> {
        Ok(self.transaction_returning(work, None).await?.0)
    }

    /// As [`Self::transaction`], with the rows of a question about what it leaves. It is asked right before the commit, and PostgreSQL
    /// hears of it together with the last changes.
    pub async fn transaction_returning<W: UnitOfWork>(
        &self,
        work: &W,
        question: Option<&Statement>,
    ) -> Result<(W::Output, Vec<Row>)> {
        let begun = Instant::now();
        let mut tried = 0;
        let mut id_salt = 0;
        // When a connection broke: then only one that is opened later will do.
        let mut broken = None;
        loop {
            tried += 1;
            let start = Instant::now();
            match self.attempt(work, question, id_salt, broken).await {
                Err(TransactionError::UniqueViolation) if tried < TRIES => {
                    // Somebody may have been erased and heard of again many times: then the ids next in line are taken too.
                    id_salt = if tried < 3 { id_salt + 1 } else { any() };
                }
                Err(TransactionError::Conflict(_)) if tried < TRIES => {
                    tokio::time::sleep(Duration::from_millis(5 << tried)).await;
                }
                // Whoever waits here may go away, and others go on.
                Err(TransactionError::Locked(_)) if begun.elapsed() < LOCKED => {
                    tried -= 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(TransactionError::ConnectionLost(_)) if broken.is_none() => {
                    broken = Some(start);
                }
                result => return Ok(result?),
            }
        }
    }

    async fn attempt<W: UnitOfWork>(
        &self,
        work: &W,
        question: Option<&Statement>,
        id_salt: u8,
        broken: Option<Instant>,
    ) -> Result<(W::Output, Vec<Row>), TransactionError> {
        match &self.connections {
            Connections::Sqlite(pool) => {
                let held = PinnedConnection::Sqlite(pool.hold().await?);
                sqlite::block_in_place(Transaction::new(held, id_salt).of(work, question)).await
            }
            Connections::Postgres(pool) => {
                let held = PinnedConnection::Postgres(pool.hold(broken).await?);
                Transaction::new(held, id_salt).of(work, question).await
            }
        }
    }

    /// Runs statements outside any transaction: upkeep such as refreshing the planner's statistics.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        match &self.connections {
            Connections::Sqlite(pool) => {
                let held = pool.hold().await?;
                Ok(sqlite::block_in_place(async { held.batch(sql) }).await?)
            }
            Connections::Postgres(pool) => pool.hold(None).await?.batch(sql).await,
        }
    }

    /// Ends the connections.
    pub async fn close(self) -> Result<()> {
        match &self.connections {
            Connections::Sqlite(pool) => pool.close().await,
            Connections::Postgres(pool) => pool.close().await,
        }
    }
}

/// Any number.
fn any() -> u8 {
    Timestamp::now().0.to_le_bytes()[0]
}

impl Transaction {
    const fn new(held: PinnedConnection, id_salt: u8) -> Self {
        Self {
            held,
            id_salt,
            working: OnceLock::new(),
        }
    }

    /// From its beginning to its end.
    async fn of<W: UnitOfWork>(
        self,
        work: &W,
        question: Option<&Statement>,
    ) -> Result<(W::Output, Vec<Row>), TransactionError> {
        let begun = match &self.held {
            // One that begins without a lock, and turns out to write, fails when another one wrote meanwhile. This one waits its turn.
            PinnedConnection::Sqlite(held) => held.begin().map_err(TransactionError::before),
            PinnedConnection::Postgres(held) => {
                held.begin().await;
                Ok(())
            }
        };
        begun?;
        if let PinnedConnection::Sqlite(_) = self.held {
            self.has_lock();
        }
        match work.run(&self).await {
            Ok(value) => Ok((value, self.end(question).await?)),
            Err(undone) => {
                self.undo().await;
                Err(undone)
            }
        }
    }

    /// Commits. The rows of the question that is asked before.
    async fn end(&self, question: Option<&Statement>) -> Result<Vec<Row>, TransactionError> {
        let Some(question) = question else {
            return self.commit(None).await;
        };
        let watch = Watch::start(self.dialect(), question);
        watch.over(self.commit(Some(question)), Vec::len).await
    }

    async fn commit(&self, question: Option<&Statement>) -> Result<Vec<Row>, TransactionError> {
        match &self.held {
            PinnedConnection::Sqlite(held) => {
                let rows = question.map_or_else(|| Ok(Table::default()), |one| held.rows(one))?;
                held.batch("COMMIT")?;
                Ok(rows.into())
            }
            PinnedConnection::Postgres(held) => held.commit(question.cloned()).await,
        }
    }

    async fn undo(&self) {
        match &self.held {
            // When it is let go of.
            PinnedConnection::Sqlite(_) => {}
            PinnedConnection::Postgres(held) => held.undo().await,
        }
    }

    /// Notes that it has its lock. On PostgreSQL it is asked for by the first statement that is waited for.
    fn has_lock(&self) {
        self.working.get_or_init(DatabaseWork::start);
    }

    /// How this database says things.
    pub const fn dialect(&self) -> Dialect {
        match self.held {
            PinnedConnection::Sqlite(_) => Dialect::Sqlite,
            PinnedConnection::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a statement. How many rows it changed.
    pub async fn execute(&self, statement: Statement) -> Result<u64, TransactionError> {
        let watch = Watch::start(self.dialect(), &statement);
        let result = async {
            match &self.held {
                PinnedConnection::Sqlite(held) => Ok(held.execute(&statement)?),
                PinnedConnection::Postgres(held) => Ok(held.answer(statement).await?.changed),
            }
        };
        let changed = watch.over(result, |_| 0).await;
        self.has_lock();
        changed
    }

    /// Runs a statement before the next one that is waited for, or at the end: what it changes nobody needs to know. PostgreSQL
    /// is sent both at once.
    pub async fn enqueue(&self, statement: Statement) -> Result<(), TransactionError> {
        let watch = Watch::start(self.dialect(), &statement);
        let result = async {
            match &self.held {
                PinnedConnection::Sqlite(held) => {
                    held.execute(&statement)?;
                }
                PinnedConnection::Postgres(held) => held.enqueue(statement).await,
            }
            Ok(())
        };
        watch.over(result, |()| 0).await
    }

    /// As [`Self::enqueue`], a change of a table that has nothing to do with the others that are put off in this way: PostgreSQL is
    /// sent those of several tables as one statement.
    pub async fn enqueue_mergeable(
        &self,
        table: &'static str,
        statement: Statement,
    ) -> Result<(), TransactionError> {
        let PinnedConnection::Postgres(held) = &self.held else {
            return self.enqueue(statement).await;
        };
        let watch = Watch::start(self.dialect(), &statement);
        let put_off = async {
            held.enqueue_mergeable(table, statement).await;
            Ok(())
        };
        watch.over(put_off, |()| 0).await
    }

    /// The rows of a statement.
    pub async fn fetch<T: FromRow>(
        &self,
        statement: Statement,
    ) -> Result<Vec<T>, TransactionError> {
        let rows = self.rows(statement).await?;
        Ok(rows.iter().map(T::from_row).collect::<Result<_, _>>()?)
    }

    /// The rows of a statement, undecoded.
    pub async fn rows(&self, statement: Statement) -> Result<Vec<Row>, TransactionError> {
        let watch = Watch::start(self.dialect(), &statement);
        let rows = async {
            match &self.held {
                PinnedConnection::Sqlite(held) => Ok(held.rows(&statement)?.into()),
                PinnedConnection::Postgres(held) => Ok(held.answer(statement).await?.rows),
            }
        };
        let rows = watch.over(rows, Vec::len).await;
        self.has_lock();
        rows
    }

    /// Inserts a batch of rows and leaves out those that are there already. How many went in.
    pub async fn insert<T: Serialize>(
        &self,
        table: &str,
        columns: &'static [(&str, Column)],
        rows: &[T],
    ) -> Result<u64, TransactionError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let statement = self.inserting(table, columns, rows, "ON CONFLICT DO NOTHING");
        self.execute(statement).await
    }

    /// Inserts rows that must all be new, as [`Self::enqueue`]; when one is not, the whole transaction is undone and run again.
    pub async fn insert_all<T: Serialize>(
        &self,
        table: &str,
        columns: &'static [(&str, Column)],
        rows: &[T],
    ) -> Result<(), TransactionError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.enqueue(self.insertion(table, columns, rows)).await
    }

    /// The statement of [`Self::insert_all`].
    pub fn insertion<T: Serialize>(
        &self,
        table: &str,
        columns: &'static [(&str, Column)],
        rows: &[T],
    ) -> Statement {
        self.inserting(table, columns, rows, "")
    }

    fn inserting<T: Serialize>(
        &self,
        table: &str,
        columns: &'static [(&str, Column)],
        rows: &[T],
        end: &str,
    ) -> Statement {
        let names = columns
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(", ");
        let rows = Rows::new(columns, rows);
        let batch = rows.subquery(self.dialect(), "$1");
        // `WHERE true`: without it SQLite takes ON for the ON of a join.
        let sql = format!(
            "INSERT INTO {table} ({names}) SELECT {names} FROM {batch} AS batch WHERE true {end}"
        );
        self.dialect().raw(sql, [rows.into_value()])
    }

    /// Part of new ids: another one each time that the transaction is run again because ids were taken.
    pub const fn id_salt(&self) -> u8 {
        self.id_salt
    }

    /// Updates rows by a batch whose first column is their `id`, as [`Self::enqueue`]; `set` calls the batch `batch`.
    pub async fn update<T: Serialize>(
        &self,
        table: &str,
        columns: &'static [(&str, Column)],
        rows: &[T],
        set: &str,
    ) -> Result<(), TransactionError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.enqueue(self.updating(table, columns, rows, set)).await
    }

    /// The statement of [`Self::update`].
    pub fn updating<T: Serialize>(
        &self,
        table: &str,
        columns: &'static [(&str, Column)],
        rows: &[T],
        set: &str,
    ) -> Statement {
        let rows = Rows::new(columns, rows);
        let batch = rows.subquery(self.dialect(), "$1");
        let sql =
            format!("UPDATE {table} SET {set} FROM {batch} AS batch WHERE {table}.id = batch.id");
        self.dialect().raw(sql, [rows.into_value()])
    }
}
