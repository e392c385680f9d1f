//! Lists of deletions: everywhere, and of one agent.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

/// See the file's head.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: [&str; 2] = [
    "CREATE INDEX deletions_by_requested_at ON deletions (requested_at, id)",
    "CREATE INDEX deletions_of_agent ON deletions (agent_id, requested_at, id)",
];

const DOWN: [&str; 2] = [
    "DROP INDEX deletions_of_agent",
    "DROP INDEX deletions_by_requested_at",
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
