//! Mutations that were sent with a key: what came of them, so that sending one again does nothing twice.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

/// See the file's head.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// A row is kept for a day. `outcomes` has what came of each transaction of the request, by its place in it.
const UP: [&str; 2] = [
    "CREATE TABLE idempotency_keys (
        owner {text} NOT NULL,
        idempotency_key {text} NOT NULL,
        request {text} NOT NULL,
        outcomes {text} NOT NULL DEFAULT '{}',
        status {int},
        answer {text},
        created_at {int} NOT NULL,
        PRIMARY KEY (owner, idempotency_key)
    ) {strict}",
    "CREATE INDEX idempotency_keys_by_created_at ON idempotency_keys (created_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &["DROP TABLE idempotency_keys"]).await
    }
}
