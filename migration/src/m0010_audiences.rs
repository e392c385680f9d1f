//! `SQLite`'s index of grams knows the users of an agent on a platform by one word. It is emptied here; the program, which knows
//! how its words are made, fills it in the same transaction.

use sea_orm_migration::prelude::*;

use crate::dialect::{is_postgres, run};

/// See the file's head.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if is_postgres(manager) {
            return Ok(());
        }
        let empty = "INSERT INTO chat_user_grams (chat_user_grams) VALUES ('delete-all')";
        run(manager, &[empty]).await
    }

    /// One word more than is asked for does no harm.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
