//! Parlour's tables, in order, for SQLite and PostgreSQL. Knows nothing of the program that uses them.
//!
//! A new migration is a new file `m00NN_what.rs` and its line in [`Migrator::migrations`]; a released one never changes.

mod dialect;
mod m0001_audience;
mod m0002_changes;
mod m0003_deletions;
mod m0004_ingest;
mod m0005_merges;
mod m0006_idempotency;
mod m0007_tokens;
mod m0008_reads;
mod m0009_counts;
mod m0010_audiences;
mod m0011_folding;
mod m0012_trimmed_tags;
mod m0013_no_answers;
mod m0014_redacted_messages;
mod m0015_deletion_lists;

pub use sea_orm_migration::{MigrationStatus, MigratorTrait};

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
        vec![
            Box::new(m0001_audience::Migration),
            Box::new(m0002_changes::Migration),
            Box::new(m0003_deletions::Migration),
            Box::new(m0004_ingest::Migration),
            Box::new(m0005_merges::Migration),
            Box::new(m0006_idempotency::Migration),
            Box::new(m0007_tokens::Migration),
            Box::new(m0008_reads::Migration),
            Box::new(m0009_counts::Migration),
            Box::new(m0010_audiences::Migration),
            Box::new(m0011_folding::Migration),
            Box::new(m0012_trimmed_tags::Migration),
            Box::new(m0013_no_answers::Migration),
            Box::new(m0014_redacted_messages::Migration),
            Box::new(m0015_deletion_lists::Migration),
        ]
    }
}
