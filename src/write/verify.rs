//! The recount: every stored figure and every "last …" value, from the rows, beside what is stored.

use std::fmt;

use sea_orm::Statement;
use uuid::Uuid;

use super::platforms;
use crate::db::{Reader, Transaction, TransactionError, UnitOfWork, Writer};
use crate::error::Result;

/// A stored value and where it comes from: table, column, recount.
type Figure = (&'static str, &'static str, &'static str);

const FIGURES: [Figure; 18] = [
    (
        "sessions",
        "total_messages",
        "(SELECT COUNT(*) FROM messages WHERE session_id = sessions.id)",
    ),
    (
        "sessions",
        "total_messages_from_user",
        "(SELECT COUNT(*) FROM messages WHERE session_id = sessions.id AND role = 'USER')",
    ),
    (
        "sessions",
        "total_cost_micros",
        "(SELECT CAST(COALESCE(SUM(cost_micros), 0) AS bigint) FROM messages WHERE session_id = sessions.id)",
    ),
    (
        "sessions",
        "last_message_at",
        "(SELECT MAX(sent_at) FROM messages WHERE session_id = sessions.id AND role = 'USER')",
    ),
    (
        "chat_users",
        "total_sessions",
        "(SELECT COUNT(*) FROM sessions WHERE chat_user_id = chat_users.id)",
    ),
    (
        "chat_users",
        "total_chat_messages",
        "(SELECT COUNT(*) FROM messages WHERE chat_user_id = chat_users.id)",
    ),
    (
        "chat_users",
        "total_messages_sent",
        "(SELECT COUNT(*) FROM messages WHERE chat_user_id = chat_users.id AND role = 'USER')",
    ),
    (
        "chat_users",
        "total_cost_micros",
        "(SELECT CAST(COALESCE(SUM(cost_micros), 0) AS bigint) FROM messages WHERE chat_user_id = chat_users.id)",
    ),
    (
        "chat_users",
        "last_message_at",
        "(SELECT MAX(sent_at) FROM messages WHERE chat_user_id = chat_users.id AND role = 'USER')",
    ),
    (
        "chat_users",
        "last_message_id",
        "(SELECT id FROM messages WHERE chat_user_id = chat_users.id AND role = 'USER' ORDER BY sent_at DESC, id DESC LIMIT 1)",
    ),
    (
        "chat_users",
        "last_interaction_at",
        "COALESCE((SELECT MAX(moment) FROM (SELECT MAX(started_at) AS moment FROM sessions WHERE chat_user_id = chat_users.id \
          UNION ALL SELECT MAX(sent_at) FROM messages WHERE chat_user_id = chat_users.id AND role = 'USER') AS moments), created_at)",
    ),
    (
        "chat_users",
        "created_at",
        "COALESCE((SELECT MIN(moment) FROM (SELECT MIN(started_at) AS moment FROM sessions WHERE chat_user_id = chat_users.id \
          UNION ALL SELECT MIN(sent_at) FROM messages WHERE chat_user_id = chat_users.id) AS moments), created_at)",
    ),
    (
        "sessions",
        "platform",
        // A session stays on the platform on which it was held, also when its user was merged into one of another platform. Of
        // whoever is erased nobody knows any more who they were merged from.
        "(SELECT CASE WHEN chat_users.erased_at IS NOT NULL OR EXISTS (SELECT 1 FROM chat_user_aliases WHERE chat_user_aliases.chat_user_id = sessions.chat_user_id \
          AND chat_user_aliases.platform = sessions.platform) THEN sessions.platform ELSE chat_users.platform END \
          FROM chat_users WHERE chat_users.id = sessions.chat_user_id)",
    ),
    (
        "agents",
        "total_users",
        "(SELECT COUNT(*) FROM chat_users WHERE agent_id = agents.id)",
    ),
    (
        "agents",
        "total_sessions",
        "(SELECT COUNT(*) FROM sessions WHERE agent_id = agents.id)",
    ),
    (
        "agents",
        "total_messages",
        "(SELECT COUNT(*) FROM sessions JOIN messages ON messages.session_id = sessions.id WHERE sessions.agent_id = agents.id)",
    ),
    (
        "agents",
        "total_cost_micros",
        "(SELECT CAST(COALESCE(SUM(cost_micros), 0) AS bigint) FROM sessions JOIN messages ON messages.session_id = sessions.id \
          WHERE sessions.agent_id = agents.id)",
    ),
    (
        "agents",
        "created_at",
        "COALESCE((SELECT MIN(CASE WHEN chat_users.created_at < agents.created_at THEN chat_users.created_at ELSE agents.created_at END) \
          FROM chat_users WHERE agent_id = agents.id), created_at)",
    ),
];

/// How many differing rows of one column are told one by one.
pub(super) const SHOWN: u64 = 20;

/// A column that does not hold what a recount says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// How many rows differ.
    pub rows: u64,
    /// Some of them: id, stored value, recounted value.
    pub examples: Vec<(Uuid, String, String)>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            column,
            rows,
            examples,
        } = self;
        write!(formatter, "{table}.{column}: {rows} rows differ")?;
        for (id, stored, counted) in examples {
            write!(formatter, "\n  {id}: stored {stored}, counted {counted}")?;
        }
        Ok(())
    }
}

/// Recounts everything; what differs.
pub async fn verify(reader: &Reader) -> Result<Vec<Difference>> {
    let mut differences = Vec::new();
    for figure in &FIGURES {
        differences.extend(compare(reader, figure).await?);
    }
    differences.extend(platforms::difference(reader).await?);
    Ok(differences)
}

/// Stores what a recount says, in one transaction.
pub async fn repair(writer: &Writer) -> Result<()> {
    writer.transaction(&Repair).await
}

struct Repair;

impl UnitOfWork for Repair {
    type Output = ();

    async fn run(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        for (table, column, recount) in FIGURES {
            let sql = format!(
                "UPDATE {table} SET {column} = {recount} WHERE {column} IS DISTINCT FROM {recount}"
            );
            transaction
                .execute(transaction.dialect().raw(sql, []))
                .await?;
        }
        platforms::repair(transaction).await
    }
}

async fn compare(
    reader: &Reader,
    &(table, column, recount): &Figure,
) -> Result<Option<Difference>> {
    let dialect = reader.dialect();
    let differs = format!("FROM {table} WHERE {column} IS DISTINCT FROM {recount}");
    let count: Statement = dialect.raw(format!("SELECT COUNT(*) AS count {differs}"), []);
    let rows: i64 = reader
        .rows(count)
        .await?
        .first()
        .map_or(Ok(0), |row| row.try_get("", "count"))?;
    if rows == 0 {
        return Ok(None);
    }
    let text = dialect.shown();
    let sql = format!(
        "SELECT id, {text}({column}) AS stored, {text}({recount}) AS counted {differs} ORDER BY id LIMIT {SHOWN}"
    );
    let mut examples = Vec::new();
    for row in reader.rows(dialect.raw(sql, [])).await? {
        let value = |column| {
            row.try_get::<Option<String>>("", column)
                .map(|value| value.unwrap_or_else(|| "NULL".to_owned()))
        };
        examples.push((row.try_get("", "id")?, value("stored")?, value("counted")?));
    }
    Ok(Some(Difference {
        table,
        column,
        rows: rows.unsigned_abs(),
        examples,
    }))
}
