//! Rows that are removed, each batch with the figures that it was counted in.

use std::collections::BTreeMap;

use sea_orm::Value;
use uuid::Uuid;

use super::super::agent::{self, Movement};
use crate::clock::Timestamp;
use crate::db::{Column, Key, Rows, Transaction, TransactionError, by_name};
use crate::entity::deletion::Model;
use crate::entity::pii::Personal;

/// What messages were counted as, by session.
#[derive(Default)]
struct Counted {
    session_id: Uuid,
    messages: i64,
    own_messages: i64,
    cost: i64,
}
by_name!(Counted {
    session_id,
    messages,
    own_messages,
    cost
});

/// Removes messages, the oldest that the user has. `next` is when the first of those was sent that remain.
pub(super) async fn messages(
    transaction: &Transaction,
    job: &Model,
    ids: &Rows,
    next: Option<Timestamp>,
) -> Result<(), TransactionError> {
    const COLUMNS: [(&str, Column); 4] = [
        ("id", Column::Uuid),
        ("messages", Column::Int),
        ("own_messages", Column::Int),
        ("cost", Column::Int),
    ];
    let dialect = transaction.dialect();
    let sql = format!(
        "SELECT session_id, COUNT(*) AS messages, COUNT(CASE WHEN role = 'USER' THEN 1 END) AS own_messages, \
         CAST(COALESCE(SUM(cost_micros), 0) AS bigint) AS cost \
         FROM {} AS batch JOIN messages ON messages.id = batch.id GROUP BY session_id",
        ids.subquery(dialect, "$1")
    );
    let sessions: Vec<Counted> = transaction.fetch(dialect.raw(sql, [ids.value()])).await?;
    remove(transaction, "messages", ids).await?;
    let rows: Vec<_> = sessions
        .iter()
        .map(|one| {
            (
                Key(one.session_id),
                one.messages,
                one.own_messages,
                one.cost,
            )
        })
        .collect();
    // The oldest go first: as long as there is a message from the user, the newest of them is there.
    let set = "total_messages = total_messages - batch.messages, \
               total_messages_from_user = total_messages_from_user - batch.own_messages, \
               total_cost_micros = total_cost_micros - batch.cost, \
               last_message_at = CASE WHEN total_messages_from_user > batch.own_messages THEN last_message_at END";
    transaction.update("sessions", &COLUMNS, &rows, set).await?;
    let all = sessions
        .iter()
        .fold(Counted::default(), |all, one| Counted {
            messages: all.messages + one.messages,
            own_messages: all.own_messages + one.own_messages,
            cost: all.cost + one.cost,
            ..all
        });
    lower_user(transaction, job, &all, 0, next).await?;
    let by = Movement {
        messages: -all.messages,
        cost: -all.cost,
        ..Movement::default()
    };
    lower_agent(transaction, job, by).await
}

/// Removes sessions, which have no messages any more.
pub(super) async fn sessions(
    transaction: &Transaction,
    job: &Model,
    ids: &Rows,
) -> Result<(), TransactionError> {
    let removed = remove(transaction, "sessions", ids).await?;
    lower_user(transaction, job, &Counted::default(), removed, None).await?;
    let by = Movement {
        sessions: -removed,
        ..Movement::default()
    };
    lower_agent(transaction, job, by).await
}

/// Removes the user, of whom nothing else is left.
pub(super) async fn user(transaction: &Transaction, job: &Model) -> Result<(), TransactionError> {
    let sql = "SELECT platform FROM chat_users WHERE id = $1";
    let statement = transaction.dialect().raw(sql, [job.chat_user_id.into()]);
    let rows = transaction.rows(statement).await?;
    let platforms = rows
        .iter()
        .map(|row| Ok((row.try_get("", "platform")?, -1)));
    let by = Movement {
        users: platforms.collect::<Result<_, TransactionError>>()?,
        ..Movement::default()
    };
    remove(transaction, "chat_users", &Rows::ids([job.chat_user_id])).await?;
    lower_agent(transaction, job, by).await
}

/// Removes some of a user's rows, which nothing counts and `key` tells apart. How many.
pub(super) async fn some(
    transaction: &Transaction,
    job: &Model,
    &Personal { table, user, .. }: &Personal,
    key: &str,
    limit: u64,
) -> Result<u64, TransactionError> {
    let sql = format!(
        "DELETE FROM {table} WHERE {user} = $1 AND {key} IN \
         (SELECT {key} FROM {table} WHERE {user} = $1 ORDER BY {key} LIMIT {limit})"
    );
    let statement = transaction.dialect().raw(sql, [job.chat_user_id.into()]);
    transaction.execute(statement).await
}

async fn remove(
    transaction: &Transaction,
    table: &str,
    ids: &Rows,
) -> Result<i64, TransactionError> {
    let dialect = transaction.dialect();
    let batch = ids.subquery(dialect, "$1");
    let sql = format!("DELETE FROM {table} WHERE id IN (SELECT id FROM {batch} AS batch)");
    let removed = transaction.execute(dialect.raw(sql, [ids.value()])).await?;
    Ok(i64::try_from(removed).unwrap_or(i64::MAX))
}

async fn lower_user(
    transaction: &Transaction,
    job: &Model,
    by: &Counted,
    sessions: i64,
    next_message: Option<Timestamp>,
) -> Result<(), TransactionError> {
    let sql = "UPDATE chat_users SET \
         total_sessions = total_sessions - $2, \
         total_chat_messages = total_chat_messages - $3, \
         total_messages_sent = total_messages_sent - $4, \
         total_cost_micros = total_cost_micros - $5, \
         last_message_at = CASE WHEN total_messages_sent > $4 THEN last_message_at END, \
         last_message_id = CASE WHEN total_messages_sent > $4 THEN last_message_id END, \
         last_interaction_at = COALESCE((SELECT MAX(moment) FROM ( \
             SELECT MAX(started_at) AS moment FROM sessions WHERE chat_user_id = $1 UNION ALL \
             SELECT CASE WHEN chat_users.total_messages_sent > $4 THEN chat_users.last_message_at END) AS moments), created_at), \
         created_at = COALESCE((SELECT MIN(moment) FROM ( \
             SELECT MIN(started_at) AS moment FROM sessions WHERE chat_user_id = $1 UNION ALL \
             SELECT CAST($6 AS bigint)) AS moments), created_at) \
         WHERE id = $1";
    let values = [
        Value::from(job.chat_user_id),
        sessions.into(),
        by.messages.into(),
        by.own_messages.into(),
        by.cost.into(),
        next_message.into(),
    ];
    transaction
        .execute(transaction.dialect().raw(sql, values))
        .await?;
    Ok(())
}

async fn lower_agent(
    transaction: &Transaction,
    job: &Model,
    by: Movement,
) -> Result<(), TransactionError> {
    agent::count(transaction, &BTreeMap::from([(job.agent_id, by)])).await
}
