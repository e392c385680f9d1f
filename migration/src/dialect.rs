//! How one text of DDL becomes the DDL of each database. The only file here that asks which database it is.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the one file that asks which database this is"
)]

use sea_orm_migration::SchemaManager;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};

/// What the words in braces mean, per database.
///
/// Text sorts and compares by bytes on both. A covering index carries its last columns as payload on PostgreSQL; `SQLite`
/// has only key columns. The rowid of a numbered table is a column of its own: it stays what it is when the file is compacted.
/// A generated column is computed on read by `SQLite` and stored by PostgreSQL, which before 18 knows no other kind.
const WORDS: [(&str, &str, &str); 14] = [
    ("{uuid}", "BLOB", "uuid"),
    (
        "{numbered_id}",
        "number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE",
        "id uuid PRIMARY KEY NOT NULL",
    ),
    ("{int}", "INTEGER", "bigint"),
    ("{text}", "TEXT", "text COLLATE \"C\""),
    ("{strict}", "STRICT", ""),
    ("{stored}", "VIRTUAL", "STORED"),
    ("{min_time}", "-9223372036854775807", "-9223372036854775807"),
    ("{max_time}", "9223372036854775807", "9223372036854775807"),
    ("{covering}", ", ", ") INCLUDE ("),
    ("{max_text}", "char(1114111)", "U&'\\+10FFFF'"),
    (
        "{each_tag}",
        "json_each(chat_users.tags) AS tag",
        "jsonb_array_elements_text(chat_users.tags::jsonb) AS tag (value)",
    ),
    (
        "{each_agent}",
        "json_each(tokens.agents) AS agent",
        "jsonb_array_elements_text(tokens.agents::jsonb) AS agent (value)",
    ),
    ("{random_uuid}", "randomblob(16)", "gen_random_uuid()"),
    ("{id_text}", "hex(id)", "id"),
];

/// Runs each statement, in the words of the database at hand.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let db = manager.get_connection();
    for statement in statements {
        let sql = WORDS
            .iter()
            .fold((*statement).to_owned(), |sql, (word, sqlite, postgres)| {
                sql.replace(
                    word,
                    if is_postgres(manager) {
                        postgres
                    } else {
                        sqlite
                    },
                )
            });
        db.execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Statements that only PostgreSQL needs.
pub(crate) fn is_postgres(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DbBackend::Postgres
}

/// Makes a PostgreSQL extension available, or says who can.
pub(crate) async fn extension(manager: &SchemaManager<'_>, name: &str) -> Result<(), DbErr> {
    let create = format!("CREATE EXTENSION IF NOT EXISTS {name}");
    manager.get_connection().execute_unprepared(&create).await.map(drop).map_err(|error| {
        DbErr::Migration(format!(
            "the PostgreSQL extension `{name}` is needed for search and could not be created ({error}); \
             ask a superuser to run `{create};` in this database once (package postgresql-contrib), then start again"
        ))
    })
}
