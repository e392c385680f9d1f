//! Whether anything personal is left of a user: the rows themselves are looked at, not what was written down about them.

use sea_orm::Value;
use uuid::Uuid;

use super::{agent_scope, deletion};
use crate::db::Reader;
use crate::db::dialect::Dialect;
use crate::entity::pii::{ERASED, PROFILE, Personal, TABLES};
use crate::error::{Result, permitted};

/// The text of SQL about a table, with what its words mean.
pub fn spelled(dialect: Dialect, table: &Personal, text: &str) -> String {
    let id = dialect.digits(&format!("{}.id", table.table));
    text.replace("{erased_id}", &format!("'{ERASED}' || {id}"))
        .replace(
            "{without_values}",
            &dialect.without_values("audit_entries.changes"),
        )
}

/// How many rows of each table hold something personal about a user. The search index is called by what it is of. Of somebody
/// else's user there is as much as of nobody: nothing.
pub async fn left(reader: &Reader, user: Uuid) -> Result<Vec<(&'static str, i64)>> {
    for read in deletion::READ {
        permitted(reader.principal(), read)?;
    }
    let dialect = reader.dialect();
    // Who is hidden is looked at as well, and who is removed but for what may have been forgotten: by hand, not by what is visible.
    let agents = &reader.principal().agents;
    let (own, ids) = agent_scope::written(agents, dialect, "known.agent_id", "$2");
    let counts = std::iter::once(&PROFILE).chain(&TABLES).map(|personal| {
        let left = spelled(dialect, personal, &personal.left());
        let Personal { table, user, .. } = personal;
        let count = format!("SELECT COUNT(*) FROM {table} WHERE {user} = $1 AND ({left})");
        (*table, count)
    });
    let search = ("chat_user_grams", dialect.index_entries());
    let (names, counts): (Vec<_>, Vec<_>) = counts
        .chain([search])
        .map(|(name, count)| (name, format!("({count}) AS {name}")))
        .unzip();
    let own = match ids {
        None => String::new(),
        Some(_) => format!(
            " WHERE EXISTS (SELECT 1 FROM (SELECT agent_id FROM chat_users WHERE id = $1 \
             UNION ALL SELECT agent_id FROM deletions WHERE chat_user_id = $1) AS known WHERE {own})"
        ),
    };
    let sql = format!("SELECT {}{own}", counts.join(", "));
    let statement = dialect.raw(sql, std::iter::once(Value::from(user)).chain(ids));
    let found = reader.custom_plan().rows(statement).await?;
    let count = |name| match found.first() {
        Some(row) => Ok((name, row.try_get("", name)?)),
        None => Ok((name, 0)),
    };
    names.into_iter().map(count).collect()
}
