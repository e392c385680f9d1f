//! The schema: which migrations are applied, and applying them. A writer's transaction runs their statements, like any others.

use std::collections::HashSet;

use migration::{EXTENSION, MIGRATIONS};
use sea_orm::DbErr;
use uuid::Uuid;

use super::by_name;
use super::dialect::Dialect;
use super::transaction_error::TransactionError;
use super::writer::{Transaction, UnitOfWork, Writer};
use super::{Reader, Row};
use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// The table of migrations that are applied, as SeaORM's own runner keeps it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS seaql_migrations (version varchar NOT NULL PRIMARY KEY, applied_at bigint NOT NULL)";
const APPLIED: &str = "SELECT version FROM seaql_migrations";

/// A change of the schema.
#[derive(Clone, Copy, Debug)]
pub(super) enum Migrate {
    Up,
    /// So many steps.
    Down(u32),
}

/// Each migration with whether it is applied, oldest first. Writes nothing.
pub(super) async fn migrations(reader: &Reader, writer: &Writer) -> Result<Vec<(String, bool)>> {
    let dialect = reader.dialect();
    let applied = match dialect {
        // Nobody is waited for who writes.
        Dialect::Sqlite => {
            let is_there = reader.rows(dialect.raw(dialect.migrations(), [])).await?;
            if is_there.is_empty() {
                HashSet::new()
            } else {
                versions(&reader.rows(dialect.raw(APPLIED, [])).await?)?
            }
        }
        // However short the time of a reader's statements is.
        Dialect::Postgres => writer.transaction(&Applied).await?,
    };
    let with_status = |name: &str| (name.to_owned(), applied.contains(name));
    Ok(MIGRATIONS.iter().map(|one| with_status(one.name)).collect())
}

/// Changes the schema: all of it in one transaction, behind one lock.
pub(super) async fn change(writer: &Writer, change: Migrate) -> Result<()> {
    writer.transaction(&change).await
}

impl UnitOfWork for Migrate {
    type Output = ();

    async fn run(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        let dialect = transaction.dialect();
        if let Some(lock) = dialect.migration_lock() {
            transaction.rows(dialect.raw(lock, [])).await?;
        }
        transaction.execute(dialect.raw(TABLE, [])).await?;
        let applied = transaction.rows(dialect.raw(APPLIED, [])).await?;
        let applied = versions(&applied)?;
        let all = MIGRATIONS.iter();
        match *self {
            Self::Up => {
                for migration in all.filter(|one| !applied.contains(one.name)) {
                    run(transaction, migration.up(dialect.migrated())).await?;
                    let sql = "INSERT INTO seaql_migrations (version, applied_at) VALUES ($1, $2)";
                    let at = Timestamp::now().0 / 1_000_000;
                    let values = [migration.name.into(), at.into()];
                    transaction.execute(dialect.raw(sql, values)).await?;
                }
                index(transaction).await
            }
            Self::Down(steps) => {
                let newest = all.rev().filter(|one| applied.contains(one.name));
                for migration in newest.take(steps as usize) {
                    run(transaction, migration.down(dialect.migrated())).await?;
                    let sql = "DELETE FROM seaql_migrations WHERE version = $1";
                    let values = [migration.name.into()];
                    transaction.execute(dialect.raw(sql, values)).await?;
                }
                Ok(())
            }
        }
    }
}

/// Looks for the migrations that are applied.
struct Applied;

impl UnitOfWork for Applied {
    type Output = HashSet<String>;

    async fn run(&self, transaction: &Transaction) -> Result<HashSet<String>, TransactionError> {
        let dialect = transaction.dialect();
        let is_there = transaction
            .rows(dialect.raw(dialect.migrations(), []))
            .await?;
        if is_there.is_empty() {
            return Ok(HashSet::new());
        }
        Ok(versions(
            &transaction.rows(dialect.raw(APPLIED, [])).await?,
        )?)
    }
}

fn versions(rows: &[Row]) -> Result<HashSet<String>, DbErr> {
    rows.iter().map(|row| row.try_get("", "version")).collect()
}

/// Runs the statements of a migration.
async fn run(transaction: &Transaction, statements: Vec<String>) -> Result<(), TransactionError> {
    for sql in statements {
        let statement = transaction.dialect().raw(sql.as_str(), []);
        if let Err(undone) = transaction.execute(statement).await {
            return Err(explain(undone, &sql));
        }
    }
    Ok(())
}

/// An extension that cannot be made available is made so by somebody else.
fn explain(undone: TransactionError, sql: &str) -> TransactionError {
    match (undone, sql.strip_prefix(EXTENSION)) {
        (TransactionError::Failed(error), Some(name)) => {
            let why = match error {
                Error::Internal(internal) => internal.to_string(),
                Error::Client(client) => client.to_string(),
            };
            let text = format!(
                "the PostgreSQL extension `{name}` is needed for search and could not be created ({why}); \
                 ask a superuser to run `{sql};` in this database once (package postgresql-contrib), then start again"
            );
            DbErr::Migration(text).into()
        }
        (undone, _) => undone,
    }
}

/// Puts the users into the index of grams that a migration has emptied, because what it knows of each has changed.
async fn index(transaction: &Transaction) -> Result<(), TransactionError> {
    let dialect = transaction.dialect();
    let Some(sql) = dialect.unindexed() else {
        return Ok(());
    };
    let mut last = 0_i64;
    loop {
        let statement = dialect.raw(sql, [last.into()]);
        let users: Vec<Unindexed> = transaction.fetch(statement).await?;
        let Some(user) = users.last() else {
            return Ok(());
        };
        last = user.number;
        let users: Vec<_> = users
            .iter()
            .map(|user| {
                let platform = user.platform.clone();
                (user.id, user.agent_id, platform, user.search_text.as_str())
            })
            .collect();
        transaction.execute(dialect.index(&users)).await?;
    }
}

/// A user whom the index is to know.
struct Unindexed {
    number: i64,
    id: Uuid,
    agent_id: Uuid,
    platform: String,
    search_text: String,
}
by_name!(Unindexed {
    number,
    id,
    agent_id,
    platform,
    search_text
});
