//! The one way to write: a transaction that takes its lock at once, tried again when two of them get in each other's way.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, FromQueryResult, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

use serde::Serialize;

use super::dialect::Dialect;
use super::rows::{Column, Rows};
use super::tally::Watch;
use crate::clock::Timestamp;
use crate::error::Result;

/// How often a transaction is tried before its failure is reported.
const TRIES: u32 = 6;

/// Writes.
#[derive(Clone, Debug)]
pub struct Writer {
    connection: DatabaseConnection,
    dialect: Dialect,
    lanes: usize,
}

/// A transaction under way; undone unless committed.
#[derive(Debug)]
pub struct Transaction {
    inner: DatabaseTransaction,
    dialect: Dialect,
    offer: u8,
}

/// What a transaction does. It is run again after a conflict, so it keeps nothing of a run but what it answers.
pub trait Work: Sync {
    /// What comes of it.
    type Output: Send;

    /// Does it, in a transaction that is committed when this succeeds.
    fn run<'a>(
        &'a self,
        transaction: &'a Transaction,
    ) -> impl Future<Output = Result<Self::Output, DbErr>> + Send + 'a;
}

impl Writer {
    pub(super) fn new(connection: DatabaseConnection, dialect: Dialect, lanes: u32) -> Self {
        Self {
            connection,
            dialect,
            lanes: usize::try_from(lanes).unwrap_or(1),
        }
    }

    /// How this database says things.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// How many transactions can be under way at once.
    pub const fn lanes(&self) -> usize {
        self.lanes
    }

    /// The pool: name, open connections, idle ones among them.
    pub(super) fn connections(&self) -> (&'static str, u32, usize) {
        let (open, idle) = self.dialect.connections(&self.connection);
        ("writers", open, idle)
    }

    /// Runs `work` in a transaction and commits what it did. A deadlock or a conflict with another writer undoes it and runs it again.
    pub async fn transaction<W: Work>(&self, work: &W) -> Result<W::Output> {
        let mut tried = 0;
        let mut offer = 0;
        loop {
            tried += 1;
            match self.attempt(work, offer).await {
                // Rows that were there already after all: another writer's, to be found now, or rows that have taken the ids.
                Err(DbErr::RecordNotInserted) if tried < TRIES => {
                    // Somebody may have been erased and heard of again many times: then the ids next in line are taken too.
                    offer = if tried < 3 { offer + 1 } else { any() };
                }
                Err(error) if tried < TRIES && self.dialect.is_conflict(&error) => {
                    tokio::time::sleep(Duration::from_millis(5 << tried)).await;
                }
                result => return Ok(result?),
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where a transaction begins"
    )]
    async fn attempt<W: Work>(&self, work: &W, offer: u8) -> Result<W::Output, DbErr> {
        // A deferred SQLite transaction that turns out to write fails when another one wrote meanwhile; an immediate one waits its turn.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let inner = self.connection.begin_with_options(options).await?;
        let transaction = Transaction {
            inner,
            dialect: self.dialect,
            offer,
        };
        let value = work.run(&transaction).await?;
        transaction.inner.commit().await?;
        Ok(value)
    }

    /// Runs a statement outside any transaction: upkeep such as refreshing the planner's statistics.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        self.connection.execute_unprepared(sql).await?;
        Ok(())
    }

    /// The connection that migrations run on.
    pub(super) const fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Ends the connections.
    pub async fn close(self) -> Result<()> {
        Ok(self.connection.close().await?)
    }
}

/// Any number.
fn any() -> u8 {
    Timestamp::now().0.to_le_bytes()[0]
}

impl Transaction {
    /// How this database says things.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Runs a statement. How many rows it changed.
    pub async fn execute(&self, statement: Statement) -> Result<u64, DbErr> {
        let watch = Watch::start(self.dialect, &statement);
        let result = self.inner.execute_raw(statement);
        Ok(watch.over(result, |_| 0).await?.rows_affected())
    }

    /// The rows of a statement.
    pub async fn fetch<T: FromQueryResult>(&self, statement: Statement) -> Result<Vec<T>, DbErr> {
        let rows = self.rows(statement).await?;
        rows.iter()
            .map(|row| T::from_query_result(row, ""))
            .collect()
    }

    /// The rows of a statement, undecoded.
    pub async fn rows(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let watch = Watch::start(self.dialect, &statement);
        let rows = self.inner.query_all_raw(statement);
        watch.over(rows, Vec::len).await
    }

    /// Inserts a batch of rows and leaves out those that are there already. How many went in.
    pub async fn insert<T: Serialize>(
        &self,
        table: &str,
        columns: &'static [(&str, Column)],
        rows: &[T],
    ) -> Result<u64, DbErr> {
        if rows.is_empty() {
            return Ok(0);
        }
        let names = columns
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(", ");
        let rows = Rows::new(columns, rows);
        let batch = rows.subquery(self.dialect, "$1");
        // `WHERE true`: without it SQLite takes ON for the ON of a join.
        let sql = format!(
            "INSERT INTO {table} ({names}) SELECT {names} FROM {batch} AS batch WHERE true ON CONFLICT DO NOTHING"
        );
        self.execute(self.dialect.raw(sql, [rows.into_value()]))
            .await
    }

    /// Inserts rows that must all be new; when one is not, the whole transaction is undone and run again.
    pub async fn insert_all<T: Serialize>(
        &self,
        table: &str,
        columns: &'static [(&str, Column)],
        rows: &[T],
    ) -> Result<(), DbErr> {
        let inserted = self.insert(table, columns, rows).await?;
        if usize::try_from(inserted).is_ok_and(|inserted| inserted == rows.len()) {
            Ok(())
        } else {
            Err(DbErr::RecordNotInserted)
        }
    }

    /// Part of new ids: another one each time that the transaction is run again because ids were taken.
    pub const fn offer(&self) -> u8 {
        self.offer
    }

    /// Updates rows by a batch whose first column is their `id`; `set` calls the batch `batch`.
    pub async fn update<T: Serialize>(
        &self,
        table: &str,
        columns: &'static [(&str, Column)],
        rows: &[T],
        set: &str,
    ) -> Result<(), DbErr> {
        if rows.is_empty() {
            return Ok(());
        }
        let rows = Rows::new(columns, rows);
        let batch = rows.subquery(self.dialect, "$1");
        let sql =
            format!("UPDATE {table} SET {set} FROM {batch} AS batch WHERE {table}.id = batch.id");
        self.execute(self.dialect.raw(sql, [rows.into_value()]))
            .await?;
        Ok(())
    }

    /// The connection, for what runs its own statements in this transaction.
    pub(super) const fn connection(&self) -> &DatabaseTransaction {
        &self.inner
    }
}
