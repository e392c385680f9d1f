//! Changes made by people: the version of a profile, and who changed what.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

/// See the file's head.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// An entry outlives what it tells of, so it refers to nothing.
const UP: [&str; 5] = [
    "ALTER TABLE chat_users ADD COLUMN version {int} NOT NULL DEFAULT 1",
    "CREATE TABLE audit_entries (
        id {uuid} PRIMARY KEY NOT NULL,
        agent_id {uuid},
        chat_user_id {uuid},
        action {text} NOT NULL,
        actor {text} NOT NULL,
        request_id {text} NOT NULL,
        at {int} NOT NULL,
        changes {text} NOT NULL
    ) {strict}",
    "CREATE INDEX audit_entries_of_chat_user ON audit_entries (chat_user_id, at, id)",
    "CREATE INDEX audit_entries_by_at ON audit_entries (agent_id, at, id)",
    "CREATE INDEX audit_entries_all_by_at ON audit_entries (at, id)",
];

const DOWN: [&str; 2] = [
    "DROP TABLE audit_entries",
    "ALTER TABLE chat_users DROP COLUMN version",
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
