//! How many users of each agent there are on each platform: figures that move in the transactions in which the agents' own do,
//! which hold the agents' rows.

use sea_orm::ActiveEnum;
use uuid::Uuid;

use super::verify::{Difference, SHOWN};
use crate::db::{Column, Key, Reader, Rows, Transaction, TransactionError};
use crate::entity::platform::Platform;
use crate::error::Result;

/// Stored figures beside the recount, where they are not the same. What is not stored is none.
const DIFFERENT: &str = "FROM (SELECT agent_id, platform, COUNT(*) AS users FROM chat_users GROUP BY agent_id, platform) AS counted \
     FULL JOIN agent_platforms AS stored ON stored.agent_id = counted.agent_id AND stored.platform = counted.platform \
     WHERE COALESCE(stored.users, 0) <> COALESCE(counted.users, 0)";

/// Moves the figures of agents, each by so many users.
pub(super) async fn count(
    transaction: &Transaction,
    movements: &[(Uuid, Platform, i64)],
) -> Result<(), TransactionError> {
    const COLUMNS: [(&str, Column); 3] = [
        ("agent_id", Column::Uuid),
        ("platform", Column::Text),
        ("users", Column::Int),
    ];
    let rows: Vec<_> = movements
        .iter()
        .filter(|(_, _, users)| *users != 0)
        .map(|(agent, platform, users)| (Key(*agent), platform, users))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let rows = Rows::new(&COLUMNS, &rows);
    let dialect = transaction.dialect();
    let sql = format!(
        "INSERT INTO agent_platforms (agent_id, platform, users) \
         SELECT agent_id, platform, users FROM {} AS batch WHERE true \
         ON CONFLICT (agent_id, platform) DO UPDATE SET users = agent_platforms.users + excluded.users",
        rows.subquery(dialect, "$1")
    );
    transaction
        .execute(dialect.raw(sql, [rows.into_value()]))
        .await?;
    Ok(())
}

/// Recounts; what differs.
pub(super) async fn difference(reader: &Reader) -> Result<Option<Difference>> {
    let dialect = reader.dialect();
    let count = dialect.raw(format!("SELECT COUNT(*) AS count {DIFFERENT}"), []);
    let rows: i64 = reader
        .rows(count)
        .await?
        .first()
        .map_or(Ok(0), |row| row.try_get("", "count"))?;
    if rows == 0 {
        return Ok(None);
    }
    let sql = format!(
        "SELECT COALESCE(stored.agent_id, counted.agent_id) AS agent_id, COALESCE(stored.platform, counted.platform) AS platform, \
         COALESCE(stored.users, 0) AS stored, COALESCE(counted.users, 0) AS counted {DIFFERENT} ORDER BY 1, 2 LIMIT {SHOWN}"
    );
    let mut examples = Vec::new();
    for row in reader.rows(dialect.raw(sql, [])).await? {
        let platform: Platform = row.try_get("", "platform")?;
        let users = |column| -> Result<String> {
            let users: i64 = row.try_get("", column)?;
            Ok(format!("{users} on {}", platform.to_value()))
        };
        examples.push((
            row.try_get("", "agent_id")?,
            users("stored")?,
            users("counted")?,
        ));
    }
    Ok(Some(Difference {
        table: "agent_platforms",
        column: "users",
        rows: rows.unsigned_abs(),
        examples,
    }))
}

/// Stores what a recount says.
pub(super) async fn repair(transaction: &Transaction) -> Result<(), TransactionError> {
    let sql = format!(
        "INSERT INTO agent_platforms (agent_id, platform, users) \
         SELECT COALESCE(stored.agent_id, counted.agent_id), COALESCE(stored.platform, counted.platform), COALESCE(counted.users, 0) \
         {DIFFERENT} ON CONFLICT (agent_id, platform) DO UPDATE SET users = excluded.users"
    );
    transaction
        .execute(transaction.dialect().raw(sql, []))
        .await?;
    Ok(())
}
