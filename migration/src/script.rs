//! The statements of a migration: one text of DDL becomes the DDL of each database. The only file here that asks which database it is.

/// A database that a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// `SQLite`.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// Statements, in the words of a database.
#[derive(Debug)]
pub(crate) struct Script {
    database: Database,
    statements: Vec<String>,
}

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

impl Script {
    pub(crate) const fn new(database: Database) -> Self {
        Self {
            database,
            statements: Vec::new(),
        }
    }

    pub(crate) fn into_statements(self) -> Vec<String> {
        self.statements
    }

    /// Adds each statement, in the words of the database at hand.
    pub(crate) fn run(&mut self, statements: &[&str]) {
        for statement in statements {
            let sql =
                WORDS
                    .iter()
                    .fold((*statement).to_owned(), |sql, (word, sqlite, postgres)| {
                        sql.replace(word, if self.is_postgres() { postgres } else { sqlite })
                    });
            self.statements.push(sql);
        }
    }

    /// Whether statements may be added that only PostgreSQL needs.
    pub(crate) fn is_postgres(&self) -> bool {
        self.database == Database::Postgres
    }

    /// Makes a PostgreSQL extension available.
    pub(crate) fn extension(&mut self, name: &str) {
        self.statements.push(format!("{EXTENSION}{name}"));
    }
}

/// How a statement begins that makes a PostgreSQL extension available. Its name follows.
pub const EXTENSION: &str = "CREATE EXTENSION IF NOT EXISTS ";
