//! How far the folded texts of each table are: names, addresses and search texts are folded by the program, and folded again, step by
//! step, where a later version folds otherwise. The rows that are there were folded before versions were kept.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

/// See the file's head.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: [&str; 2] = [
    "CREATE TABLE text_foldings (
        table_name {text} PRIMARY KEY NOT NULL,
        version {int} NOT NULL,
        last_id {uuid}
    ) {strict}",
    "INSERT INTO text_foldings (table_name, version) VALUES ('agents', 0), ('chat_users', 0)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &["DROP TABLE text_foldings"]).await
    }
}
