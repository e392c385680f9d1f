//! Folded texts of rows that an earlier version of the folding wrote: folded again, a bounded step at a time (docs/decisions/0033).
//!
//! What is written meanwhile is folded by this version already. A row that is not reached yet is found and ordered as before.

use sea_orm::Value;
use uuid::Uuid;

use super::{agent, chat_user};
use crate::db::{Database, Transaction, TransactionError, UnitOfWork, by_name};
use crate::error::Result;
use crate::text;

/// How many rows a step folds.
const ROWS: u64 = 500;

/// Folds the next rows of a table whose rows are of an earlier version. Done by several at once, each takes another table or waits.
#[derive(Clone, Copy, Debug)]
pub struct Step;

/// A table on its way to this version.
struct Folding {
    table_name: String,
    /// The last row that is folded; none at the start.
    last_id: Option<Uuid>,
}
by_name!(Folding {
    table_name,
    last_id
});

impl UnitOfWork for Step {
    /// Whether there is more to do.
    type Output = bool;

    async fn run(&self, transaction: &Transaction) -> Result<bool, TransactionError> {
        let dialect = transaction.dialect();
        let sql = format!(
            "SELECT table_name, last_id FROM text_foldings WHERE version < $1 ORDER BY table_name LIMIT 1{}",
            dialect.locking("text_foldings")
        );
        let mut tables: Vec<Folding> = transaction
            .fetch(dialect.raw(sql, [text::VERSION.into()]))
            .await?;
        let Some(table) = tables.pop() else {
            return Ok(false);
        };
        let after = table.last_id.unwrap_or_default();
        let last = match table.table_name.as_str() {
            "agents" => agent::refold(transaction, after, ROWS).await?,
            _ => chat_user::refold(transaction, after, ROWS).await?,
        };
        let (set, value) = match last {
            Some(last) => ("last_id = $2", Value::from(last)),
            None => ("last_id = NULL, version = $2", text::VERSION.into()),
        };
        let sql = format!("UPDATE text_foldings SET {set} WHERE table_name = $1");
        let statement = dialect.raw(sql, [table.table_name.into(), value]);
        transaction.execute(statement).await?;
        Ok(true)
    }
}

/// Folds all that an earlier version folded. Returns at once when there is nothing.
pub async fn finish(database: &Database) -> Result<()> {
    while database.writer.transaction(&Step).await? {}
    Ok(())
}

/// As [`finish`], while requests are answered. What fails is tried again at the next start.
pub async fn finish_in_background(database: &Database) {
    if let Err(error) = finish(database).await {
        tracing::warn!(%error, "texts could not be folded anew, and are searched as they were");
    }
}
