//! Opening a database: pools, the settings of each connection, and the schema under its lock.

use std::time::Duration;

use migration::{MigrationStatus, Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbErr};

use super::dialect::Dialect;
use super::reader::Connections;
use super::{Reader, Transaction, Work, Writer, postgres, sqlite};
use crate::error::{Error, Result};

/// A database, by what may be done with it.
#[derive(Clone, Debug)]
pub struct Database {
    /// Reads.
    pub reader: Reader,
    /// Writes.
    pub writer: Writer,
}

/// How to open a database.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// `sqlite://file.db`, `postgres://user:password@host/name`.
    pub url: String,
    /// Reading connections.
    pub readers: u32,
    /// Writing connections; `SQLite` always has one.
    pub writers: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a statement of a reader may run; zero: as long as it takes.
    pub statement_timeout: Duration,
    /// Whether much will be written at once.
    pub bulk: bool,
}

impl DatabaseOptions {
    /// The defaults, for this connection string.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            readers: 8,
            writers: 4,
            acquire_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(10),
            bulk: false,
        }
    }
}

/// What every `SQLite` connection is told. WAL: readers never wait for the writer. NORMAL: a commit survives the death of the
/// process; after a power cut the newest commits may be missing, but never half there.
const SQLITE: [(&str, &str); 3] = [
    ("journal_mode", "WAL"),
    ("synchronous", "NORMAL"),
    ("temp_store", "MEMORY"),
];

/// What the writing connection is told on top. Page cache: a batch of an import touches tens of thousands of pages, and a
/// page that does not fit is written to the log and read back within the same transaction.
const SQLITE_WRITER: [(&str, &str); 2] = [("cache_size", "-262144"), ("mmap_size", "268435456")];
/// The same where much is written. What is mapped serves readers alone, so all of the memory is cache.
const SQLITE_BULK: [(&str, &str); 2] = [("cache_size", "-524288"), ("mmap_size", "0")];
/// Pages of log before they are folded into the file. Readers look through the log before they look into the file, so it
/// stays short.
const CHECKPOINT: &str = "4096";
/// The same where much is written: many changes of a page are then folded at once.
const BULK_CHECKPOINT: &str = "262144";
/// What reading connections are told on top. Their cache is small because they look into the file's pages where the
/// operating system has them: as far as the file goes, whatever its size.
const SQLITE_READER: [(&str, &str); 3] = [
    ("cache_size", "-16384"),
    ("mmap_size", "1099511627776"),
    ("query_only", "ON"),
];

/// What every PostgreSQL connection is told. Compiling short statements to machine code only ever lost.
const POSTGRES: [(&str, &str); 3] = [
    ("lock_timeout", "10000"),
    ("idle_in_transaction_session_timeout", "60000"),
    ("jit", "off"),
];
/// What connections are told on top. Most statements are look-ups by an index and pages in an index's order, for which one plan is
/// the best whatever the values are; to make it again would cost more than to run it. Not where much is written: plans are made
/// again when a table's statistics are, and a table that fills has none yet.
const ONE_PLAN: (&str, &str) = ("plan_cache_mode", "force_generic_plan");
/// What reading connections are told on top of that.
const READ_ONLY: (&str, &str) = ("default_transaction_read_only", "on");
/// What those for short statements are told: where an index has the order, it is walked. One plan for all values knows only how
/// large an agent is on average, and would rather read all of a small one and sort.
const IN_ORDER: (&str, &str) = ("enable_sort", "off");

/// The lock that migrations hold in PostgreSQL: "parlour" in hexadecimal.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(x'7061726c6f7572'::bigint)";

impl Database {
    /// Opens a database; a `SQLite` file is made when there is none.
    pub async fn open(options: &DatabaseOptions) -> Result<Self> {
        let dialect = Dialect::of_url(&options.url).ok_or_else(|| {
            Error::bad_input(
                "database-url",
                "starts with `sqlite:`, `postgres:` or `postgresql:`, as in `sqlite://parlour.db`",
            )
        })?;
        match dialect {
            Dialect::Sqlite => Self::open_sqlite(options).await,
            // It opens several at once, and whoever starts carries no room for that.
            Dialect::Postgres => Box::pin(Self::open_postgres(options)).await,
        }
    }

    async fn open_sqlite(options: &DatabaseOptions) -> Result<Self> {
        let file = sqlite::File::new(&options.url, SQLITE.iter().chain(&SQLITE_READER))?;
        // The writer first: it may have to make the file that the readers open.
        let writer = sqlite_writer(options).await?;
        let readers = async |statement, short| {
            let limits = sqlite::Limits {
                connections: options.readers,
                acquire: options.acquire_timeout,
                statement,
                short,
            };
            let pool = sqlite::Pool::open(file.clone(), limits).await?;
            Ok::<_, Error>(Connections::Sqlite(pool))
        };
        let dialect = Dialect::Sqlite;
        Ok(Self {
            reader: Reader::new(
                readers(Duration::ZERO, true).await?,
                readers(options.statement_timeout, false).await?,
                dialect,
            ),
            writer: Writer::new(writer, dialect, 1),
        })
    }

    async fn open_postgres(options: &DatabaseOptions) -> Result<Self> {
        let timeout = options.statement_timeout.as_millis().to_string();
        let timeout = [("statement_timeout", timeout.as_str())];
        let target = |special: Option<_>| {
            let settings = POSTGRES.into_iter().chain([ONE_PLAN, READ_ONLY]);
            let settings = settings.chain(timeout).chain(special);
            postgres::Target::new(&options.url, settings)
        };
        let pool = async |target, shared| {
            let limits = postgres::Limits {
                connections: options.readers,
                acquire: options.acquire_timeout,
                shared,
            };
            let pool = postgres::Pool::open(target, limits).await?;
            Ok::<_, Error>(Connections::Postgres(pool))
        };
        let dialect = Dialect::Postgres;
        let (short, apart) = (target(Some(IN_ORDER))?, target(None)?);
        let (writer, reader, apart) = tokio::try_join!(
            postgres_writer(options),
            pool(short, true),
            pool(apart, false)
        )?;
        Ok(Self {
            reader: Reader::new(reader, apart, dialect),
            writer: Writer::new(writer, dialect, options.writers),
        })
    }

    /// Brings the schema up to date. Copies that start at once take turns: the whole change is one transaction behind one lock.
    pub async fn migrate_up(&self) -> Result<()> {
        if self.pending().await? == 0 {
            return Ok(());
        }
        self.writer.transaction(&Migrate::Up).await
    }

    /// Takes the newest `steps` migrations back.
    pub async fn migrate_down(&self, steps: u32) -> Result<()> {
        self.writer.transaction(&Migrate::Down(steps)).await
    }

    /// Each migration with whether it is applied, oldest first. Writes nothing.
    pub async fn migrations(&self) -> Result<Vec<(String, bool)>> {
        let migrations =
            Migrator::get_migration_with_status_read_only(self.writer.connection()).await?;
        Ok(migrations
            .iter()
            .map(|one| {
                (
                    one.name().to_owned(),
                    one.status() == MigrationStatus::Applied,
                )
            })
            .collect())
    }

    /// How many migrations are not applied yet.
    pub async fn pending(&self) -> Result<usize> {
        Ok(self
            .migrations()
            .await?
            .iter()
            .filter(|(_, applied)| !applied)
            .count())
    }

    /// Refreshes the planner's statistics, after much has been written.
    pub async fn analyze(&self) -> Result<()> {
        match self.writer.dialect() {
            Dialect::Sqlite => {
                self.writer
                    .execute("PRAGMA analysis_limit = 1000; PRAGMA optimize = 0x10002;")
                    .await
            }
            Dialect::Postgres => {
                self.writer
                    .execute("ANALYZE agents, chat_users, chat_user_tags, sessions, messages")
                    .await
            }
        }
    }

    /// The pools: name, open connections, idle ones among them.
    pub fn connections(&self) -> Vec<(&'static str, u32, usize)> {
        let mut pools = self.reader.connections();
        pools.push(self.writer.connections());
        pools
    }

    /// Ends all connections; `SQLite` folds its log into the file.
    pub async fn close(self) -> Result<()> {
        self.reader.close().await?;
        self.writer.close().await
    }
}

/// A change of the schema: all of it in one transaction, behind one lock.
enum Migrate {
    Up,
    /// So many steps.
    Down(u32),
}

impl Work for Migrate {
    type Output = ();

    async fn run(&self, transaction: &Transaction) -> Result<(), DbErr> {
        let connection = transaction.connection();
        if transaction.dialect() == Dialect::Postgres {
            connection.execute_unprepared(MIGRATION_LOCK).await?;
        }
        match self {
            Self::Up => Migrator::up(connection, None).await,
            Self::Down(steps) => Migrator::down(connection, Some(*steps)).await,
        }
    }
}

fn options(from: &DatabaseOptions, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(&from.url);
    options
        .max_connections(connections)
        .acquire_timeout(from.acquire_timeout)
        .sqlx_logging(false)
        // A ping per statement would cost a round trip; one after a pause finds connections that died meanwhile.
        .test_before_acquire_if_idle_for(Duration::from_secs(1));
    options
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a connection is made"
)]
async fn sqlite_writer(from: &DatabaseOptions) -> Result<DatabaseConnection> {
    let mut options = options(from, 1);
    let (special, checkpoint) = if from.bulk {
        (&SQLITE_BULK, BULK_CHECKPOINT)
    } else {
        (&SQLITE_WRITER, CHECKPOINT)
    };
    options
        // It waits for its turn as long as the busy timeout of the connection says, and for the one connection as long as it takes.
        .acquire_timeout(Duration::from_mins(1))
        .max_lifetime(None)
        .idle_timeout(None)
        .map_sqlx_sqlite_opts(move |mut sqlite| {
            for (name, value) in SQLITE.iter().chain(special) {
                sqlite = sqlite.pragma(*name, *value);
            }
            sqlite
                .pragma("wal_autocheckpoint", checkpoint)
                .create_if_missing(true)
                .foreign_keys(true)
                .busy_timeout(Duration::from_secs(30))
                .statement_cache_capacity(256)
        });
    Ok(sea_orm::Database::connect(options).await?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a connection is made"
)]
async fn postgres_writer(from: &DatabaseOptions) -> Result<DatabaseConnection> {
    let mut options = options(from, from.writers);
    let special = (!from.bulk).then_some(ONE_PLAN);
    options
        .set_application_name("parlour")
        .min_connections(0)
        .map_sqlx_postgres_opts(move |postgres| {
            postgres
                .statement_cache_capacity(256)
                .options(POSTGRES.into_iter().chain(special))
        });
    Ok(sea_orm::Database::connect(options).await?)
}
