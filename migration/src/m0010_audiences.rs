//! The indexes that search know the users of an agent on a platform by one key. `SQLite`'s index of grams is emptied here; the program,
//! which knows how its words are made, fills it in the same transaction.

use sea_orm_migration::prelude::*;

use crate::dialect::{is_postgres, run};

/// See the file's head.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP_POSTGRES: [&str; 2] = [
    "DROP INDEX chat_users_search_trigrams",
    "CREATE INDEX chat_users_search_trigrams ON chat_users \
        USING gin (agent_id, platform, (agent_id::text || platform), search_text gin_trgm_ops)",
];

const DOWN_POSTGRES: [&str; 2] = [
    "DROP INDEX chat_users_search_trigrams",
    "CREATE INDEX chat_users_search_trigrams ON chat_users USING gin (agent_id, platform, search_text gin_trgm_ops)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if is_postgres(manager) {
            return run(manager, &UP_POSTGRES).await;
        }
        let empty = "INSERT INTO chat_user_grams (chat_user_grams) VALUES ('delete-all')";
        run(manager, &[empty]).await
    }

    /// One word more in `SQLite`'s index than is asked for does no harm.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if is_postgres(manager) {
            run(manager, &DOWN_POSTGRES).await?;
        }
        Ok(())
    }
}
