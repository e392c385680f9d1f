//! The schema and its migrations, on a connection of the migrations' own driver. It is there only while they are asked for.

use std::time::Duration;

use migration::{MigrationStatus, Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbErr, FromQueryResult,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use uuid::Uuid;

use super::DatabaseOptions;
use super::dialect::Dialect;
use crate::error::Result;

/// The lock that migrations hold in PostgreSQL: "parlour" in hexadecimal.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(x'7061726c6f7572'::bigint)";
/// How long they wait for the one of `SQLite`.
const BUSY: Duration = Duration::from_secs(30);

/// Where the schema is.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    options: ConnectOptions,
    dialect: Dialect,
}

/// A change of the schema.
#[derive(Clone, Copy, Debug)]
pub(super) enum Migrate {
    Up,
    /// So many steps.
    Down(u32),
}

impl Schema {
    pub(super) fn new(from: &DatabaseOptions, dialect: Dialect) -> Self {
        let mut options = ConnectOptions::new(&from.url);
        options
            .max_connections(1)
            .acquire_timeout(from.acquire_timeout)
            .sqlx_logging(false)
            .set_application_name("parlour")
            .map_sqlx_sqlite_opts(|sqlite| sqlite.foreign_keys(true).busy_timeout(BUSY));
        Self { options, dialect }
    }

    /// Each migration with whether it is applied, oldest first. Writes nothing.
    pub(super) async fn migrations(&self) -> Result<Vec<(String, bool)>> {
        let connection = self.connect().await?;
        let migrations = Migrator::get_migration_with_status_read_only(&connection).await;
        connection.close().await?;
        let is_applied = |status| status == MigrationStatus::Applied;
        Ok(migrations?
            .iter()
            .map(|one| (one.name().to_owned(), is_applied(one.status())))
            .collect())
    }

    /// Changes the schema: all of it in one transaction, behind one lock.
    pub(super) async fn change(&self, change: Migrate) -> Result<()> {
        let connection = self.connect().await?;
        let changed = change.run(&connection, self.dialect).await;
        connection.close().await?;
        Ok(changed?)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the migrations' connection is made"
    )]
    async fn connect(&self) -> Result<DatabaseConnection> {
        Ok(sea_orm::Database::connect(self.options.clone()).await?)
    }
}

impl Migrate {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one transaction that is not a writer's"
    )]
    async fn run(self, connection: &DatabaseConnection, dialect: Dialect) -> Result<(), DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = connection.begin_with_options(options).await?;
        if dialect == Dialect::Postgres {
            transaction.execute_unprepared(MIGRATION_LOCK).await?;
        }
        match self {
            Self::Up => {
                Migrator::up(&transaction, None).await?;
                index(&transaction, dialect).await?;
            }
            Self::Down(steps) => Migrator::down(&transaction, Some(steps)).await?,
        }
        transaction.commit().await
    }
}

/// Puts the users into the index of grams that a migration has emptied, because what it knows of each has changed.
async fn index(transaction: &impl ConnectionTrait, dialect: Dialect) -> Result<(), DbErr> {
    let Some(sql) = dialect.unindexed() else {
        return Ok(());
    };
    let mut last = 0_i64;
    loop {
        let statement = dialect.raw(sql, [last.into()]);
        let users: Vec<Unindexed> = Unindexed::find_by_statement(statement)
            .all(transaction)
            .await?;
        let Some(user) = users.last() else {
            return Ok(());
        };
        last = user.number;
        let users: Vec<_> = users
            .iter()
            .map(|user| {
                let platform = user.platform.clone();
                (user.id, user.agent_id, platform, user.search_text.as_str())
            })
            .collect();
        transaction.execute_raw(dialect.index(&users)).await?;
    }
}

/// A user whom the index is to know.
#[derive(FromQueryResult)]
struct Unindexed {
    number: i64,
    id: Uuid,
    agent_id: Uuid,
    platform: String,
    search_text: String,
}
