//! When a message was redacted: its text and attachments are gone, and it still counts.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

/// See the file's head.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let add = "ALTER TABLE messages ADD COLUMN redacted_at {int}";
        run(manager, &[add]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let remove = "ALTER TABLE messages DROP COLUMN redacted_at";
        run(manager, &[remove]).await
    }
}
