//! A step of a deletion: some thousands of rows, in one transaction. Figures equal a recount after each.

use std::collections::BTreeMap;

use sea_orm::Value;
use uuid::Uuid;

use super::removal;
use crate::clock::Timestamp;
use crate::db::{Rows as Batch, Transaction, TransactionError, UnitOfWork, by_name};
use crate::entity::deletion::{DeletionMode, Model};
use crate::entity::pii::{PROFILE, Personal, Rows, TABLES};
use crate::read::erasure::spelled;

/// How many rows a step goes through at most.
const ROWS: u64 = 2_000;
/// The place before all rows.
pub(super) const START: (Timestamp, Uuid) = (Timestamp(i64::MIN), Uuid::nil());
/// What comes after the last table.
const LAST: &str = "";

/// Takes the next step of the oldest deletion of a user that is not finished.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The user.
    pub user: Uuid,
}

/// What there is to do after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More.
    More,
    /// Nothing, or nothing that somebody else is not doing already.
    Nothing,
}

impl UnitOfWork for Step {
    type Output = Progress;

    async fn run(&self, transaction: &Transaction) -> Result<Progress, TransactionError> {
        let dialect = transaction.dialect();
        let sql = format!(
            "SELECT deletions.* FROM deletions WHERE finished_at IS NULL AND id = \
             (SELECT id FROM deletions WHERE chat_user_id = $1 AND finished_at IS NULL ORDER BY requested_at, id LIMIT 1){}",
            dialect.locking_free("deletions")
        );
        let mut found: Vec<Model> = transaction
            .fetch(dialect.raw(sql, [self.user.into()]))
            .await?;
        let Some(deletion) = found.pop() else {
            return Ok(Progress::Nothing);
        };
        // As everyone who writes to users of the agent.
        let hold = format!(
            "SELECT id FROM agents WHERE id = $1{}",
            dialect.locking("agents")
        );
        transaction
            .rows(dialect.raw(hold, [deletion.agent_id.into()]))
            .await?;
        advance(transaction, deletion).await?;
        Ok(Progress::More)
    }
}

/// A row on the way through a table.
struct Place {
    id: Uuid,
    moment: Timestamp,
}
by_name!(Place { id, moment });

/// Goes through as many rows as a step has room for, and keeps how far that is. Tables follow each other within a step.
pub(super) async fn advance(
    transaction: &Transaction,
    mut job: Model,
) -> Result<(), TransactionError> {
    let mut counts: BTreeMap<String, i64> = serde_json::from_str(&job.counts).unwrap_or_default();
    let mut room = ROWS;
    let mut at = TABLES
        .iter()
        .position(|one| one.table == job.stage)
        .unwrap_or_default();
    while let Some(table) = TABLES.get(at) {
        let (count, end) = batch(transaction, &job, table, room).await?;
        *counts.entry(table.table.to_owned()).or_default() += count;
        room = room.saturating_sub(count.unsigned_abs() * table.weight());
        if let Some(end) = end {
            (job.stage_at, job.stage_id) = end;
            break;
        }
        (job.stage_at, job.stage_id) = START;
        at += 1;
        if room == 0 {
            break;
        }
    }
    TABLES
        .get(at)
        .map_or(LAST, |one| one.table)
        .clone_into(&mut job.stage);
    if job.stage == LAST {
        finish(transaction, &job).await?;
        *counts.entry(PROFILE.table.to_owned()).or_default() += 1;
        job.finished_at = Some(Timestamp::now());
    }
    let sql = "UPDATE deletions SET counts = $2, stage = $3, stage_at = $4, stage_id = $5, finished_at = $6 WHERE id = $1";
    let values = [
        Value::from(job.id),
        told(&counts).into(),
        job.stage.into(),
        job.stage_at.into(),
        job.stage_id.into(),
        job.finished_at.into(),
    ];
    transaction
        .execute(transaction.dialect().raw(sql, values))
        .await?;
    Ok(())
}

/// Numbers of rows by table, as they are kept.
pub(super) fn told<K: serde::Serialize + Ord>(counts: &BTreeMap<K, i64>) -> String {
    serde_json::to_string(counts).unwrap_or_else(|_| "{}".to_owned())
}

/// Does a batch of a table. How many rows that were, and up to where, when there are more.
async fn batch(
    transaction: &Transaction,
    job: &Model,
    table: &Personal,
    room: u64,
) -> Result<(i64, Option<(Timestamp, Uuid)>), TransactionError> {
    let limit = (room / table.weight()).max(1);
    let order = match table.rows {
        Rows::Kept { order, .. } => order,
        Rows::Removed { key } => {
            let removed = removal::some(transaction, job, table, key, limit).await?;
            let more = removed >= limit;
            return Ok((
                number(removed),
                more.then_some((job.stage_at, job.stage_id)),
            ));
        }
    };
    let mut places = walk(transaction, job, table, order, limit + 1).await?;
    let next = if number(limit) < number(places.len() as u64) {
        places.pop()
    } else {
        None
    };
    let ids = Batch::ids(places.iter().map(|place| place.id));
    let until = next.as_ref().map(|place| place.moment);
    match (job.mode, table.table) {
        _ if places.is_empty() => {}
        (DeletionMode::Hard, "messages") => {
            removal::messages(transaction, job, &ids, until).await?;
        }
        (DeletionMode::Hard, "sessions") => removal::sessions(transaction, job, &ids).await?,
        _ => erase(transaction, table, &ids).await?,
    }
    let end = places.last().map(|place| (place.moment, place.id));
    Ok((number(places.len() as u64), end.filter(|_| next.is_some())))
}

/// The next rows of a table.
async fn walk(
    transaction: &Transaction,
    job: &Model,
    &Personal { table, user, .. }: &Personal,
    order: &str,
    limit: u64,
) -> Result<Vec<Place>, TransactionError> {
    let sql = format!(
        "SELECT id, {order} AS moment FROM {table} WHERE {user} = $1 AND ({order}, id) > ($2, $3) ORDER BY {order}, id LIMIT {limit}"
    );
    let values = [
        Value::from(job.chat_user_id),
        job.stage_at.into(),
        job.stage_id.into(),
    ];
    transaction
        .fetch(transaction.dialect().raw(sql, values))
        .await
}

/// Takes everything personal out of rows.
async fn erase(
    transaction: &Transaction,
    personal: &Personal,
    ids: &Batch,
) -> Result<(), TransactionError> {
    let dialect = transaction.dialect();
    let table = personal.table;
    let sql = format!(
        "UPDATE {table} SET {} FROM {} AS batch WHERE {table}.id = batch.id",
        spelled(dialect, personal, &personal.erased()),
        ids.subquery(dialect, "$1"),
    );
    transaction.execute(dialect.raw(sql, [ids.value()])).await?;
    Ok(())
}

/// What is done when all rows are: who was erased can be seen again, as nobody in particular; who was removed is not there
/// any more.
async fn finish(transaction: &Transaction, job: &Model) -> Result<(), TransactionError> {
    if job.mode == DeletionMode::Hard {
        return removal::user(transaction, job).await;
    }
    let sql = "DELETE FROM hidden_chat_users WHERE chat_user_id = $1 AND NOT EXISTS \
               (SELECT 1 FROM deletions WHERE chat_user_id = $1 AND finished_at IS NULL AND id <> $2)";
    let values = [Value::from(job.chat_user_id), job.id.into()];
    transaction
        .execute(transaction.dialect().raw(sql, values))
        .await?;
    Ok(())
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
