//! Parlour's tables, in order, for SQLite and PostgreSQL. Knows nothing of the program that uses them.
//!
//! A new migration is a new file `m00NN_what.rs` and its line in the list below; a released one never changes.

mod script;

pub use script::{Database, EXTENSION};

use script::Script;

/// One change of the schema, there and back.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its name, under which the database remembers that it is applied.
    pub name: &'static str,
    up: fn(&mut Script),
    down: fn(&mut Script),
}

impl Migration {
    /// The statements that apply it.
    pub fn up(&self, database: Database) -> Vec<String> {
        statements(database, self.up)
    }

    /// The statements that take it back.
    pub fn down(&self, database: Database) -> Vec<String> {
        statements(database, self.down)
    }
}

fn statements(database: Database, write: fn(&mut Script)) -> Vec<String> {
    let mut script = Script::new(database);
    write(&mut script);
    script.into_statements()
}

macro_rules! migrations {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        /// All migrations, oldest first.
        pub const MIGRATIONS: &[Migration] = &[$(Migration {
            name: stringify!($name),
            up: $name::up,
            down: $name::down,
        }),*];
    };
}

migrations!(
    m0001_audience,
    m0002_changes,
    m0003_deletions,
    m0004_ingest,
    m0005_merges,
    m0006_idempotency,
    m0007_tokens,
    m0008_reads,
    m0009_counts,
    m0010_audiences,
    m0011_folding,
    m0012_trimmed_tags,
    m0013_no_answers,
    m0014_redacted_messages,
    m0015_deletion_lists,
);
