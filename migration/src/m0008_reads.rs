//! Reads of personal data in the audit log: which operation, and whose data.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

/// See the file's head.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// `chat_user_ids` is a JSON array of ids in their text form: whose data was read.
const UP: [&str; 2] = [
    "ALTER TABLE audit_entries ADD COLUMN operation {text}",
    "ALTER TABLE audit_entries ADD COLUMN chat_user_ids {text} NOT NULL DEFAULT '[]'",
];

const DOWN: [&str; 2] = [
    "ALTER TABLE audit_entries DROP COLUMN chat_user_ids",
    "ALTER TABLE audit_entries DROP COLUMN operation",
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
