//! Answers of mutations that were sent with a key are not kept any more, and keys only as hashes. Keys from before are forgotten: they
//! would have been kept for a day.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

/// See the file's head.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: [&str; 3] = [
    "DELETE FROM idempotency_keys",
    "ALTER TABLE idempotency_keys DROP COLUMN status",
    "ALTER TABLE idempotency_keys DROP COLUMN answer",
];

const DOWN: [&str; 3] = [
    "DELETE FROM idempotency_keys",
    "ALTER TABLE idempotency_keys ADD COLUMN status {int}",
    "ALTER TABLE idempotency_keys ADD COLUMN answer {text}",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &DOWN).await
    }
}
