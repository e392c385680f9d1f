//! Opening a database: pools, and the settings of each connection.

use std::time::Duration;

use super::dialect::Dialect;
use super::reader::Connections;
use super::schema::{self, Migrate};
use super::share::Shares;
use super::{Reader, Row, Transaction, TransactionError, UnitOfWork, Writer, postgres, sqlite};
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
const SQLITE_WRITER: [(&str, &str); 3] = [
    ("cache_size", "-262144"),
    ("mmap_size", "268435456"),
    ("foreign_keys", "ON"),
];
/// The same where much is written. What is mapped serves readers alone, so all of the memory is cache.
const SQLITE_BULK: [(&str, &str); 3] = [
    ("cache_size", "-524288"),
    ("mmap_size", "0"),
    ("foreign_keys", "ON"),
];
/// Pages of log before they are folded into the file. Readers look through the log before they look into the file, so it
/// stays short.
const CHECKPOINT: [(&str, &str); 1] = [("wal_autocheckpoint", "4096")];
/// The same where much is written: many changes of a page are then folded at once.
const BULK_CHECKPOINT: [(&str, &str); 1] = [("wal_autocheckpoint", "262144")];
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

/// What a database of PostgreSQL is not suited for: another encoding than UTF-8, and extensions where no statement finds them.
const UNSUITED: &str = "SELECT 'encoding'::text AS what, current_setting('server_encoding') AS place \
     WHERE current_setting('server_encoding') <> 'UTF8' UNION ALL \
     SELECT extname::text, nspname::text FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace \
     WHERE extname IN ('pg_trgm', 'btree_gin') AND NOT nspname = ANY (current_schemas(true))";

/// Looks for what is unsuited, and where it is.
struct Unsuited;

impl UnitOfWork for Unsuited {
    type Output = Option<(String, String)>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let rows = transaction
            .rows(transaction.dialect().raw(UNSUITED, []))
            .await?;
        let found = |row: &Row| Ok((row.try_get("", "what")?, row.try_get("", "place")?));
        rows.first().map(found).transpose()
    }
}

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
        let limits = |connections, acquire, statement, short| sqlite::Limits {
            connections,
            acquire,
            statement,
            short,
        };
        // The writer first: it may have to make the file that the readers open.
        let (special, checkpoint) = if options.bulk {
            (SQLITE_BULK, BULK_CHECKPOINT)
        } else {
            (SQLITE_WRITER, CHECKPOINT)
        };
        let settings = SQLITE.iter().chain(&special).chain(&checkpoint);
        let file = sqlite::File::new(&options.url, settings)?.made();
        // It waits for the one connection as long as it takes.
        let alone = limits(1, Duration::from_mins(1), Duration::ZERO, false);
        let writer = sqlite::Pool::open(file, alone).await?;
        let file = sqlite::File::new(&options.url, SQLITE.iter().chain(&SQLITE_READER))?;
        let readers = async |statement, short| {
            let limits = limits(options.readers, options.acquire_timeout, statement, short);
            let pool = sqlite::Pool::open(file.clone(), limits).await?;
            Ok::<_, Error>(Connections::Sqlite(pool))
        };
        Ok(Self {
            reader: Reader::new(
                readers(Duration::ZERO, true).await?,
                readers(options.statement_timeout, false).await?,
                Dialect::Sqlite,
                Shares::of(options.readers),
            ),
            writer: Writer::sqlite(writer),
        })
    }

    async fn open_postgres(options: &DatabaseOptions) -> Result<Self> {
        let timeout = options.statement_timeout.as_millis().to_string();
        let timeout = [READ_ONLY, ("statement_timeout", timeout.as_str())];
        let target = |special: &[_]| {
            let settings = POSTGRES.into_iter().chain(special.iter().copied());
            postgres::Target::new(&options.url, settings)
        };
        let one_plan = (!options.bulk).then_some(ONE_PLAN);
        let writer = target(one_plan.as_slice())?;
        let reading = [&timeout[..], &[ONE_PLAN]].concat();
        let apart = target(&reading)?;
        let short = target(&[&reading[..], &[IN_ORDER]].concat())?;
        let pool = async |target, connections, shared| {
            let limits = postgres::Limits {
                connections,
                acquire: options.acquire_timeout,
                shared,
            };
            postgres::Pool::open(target, limits).await
        };
        let (writer, short, apart) = tokio::try_join!(
            pool(writer, options.writers, false),
            pool(short, options.readers, true),
            pool(apart, options.readers, false)
        )?;
        let database = Self {
            reader: Reader::new(
                Connections::Postgres(short),
                Connections::Postgres(apart),
                Dialect::Postgres,
                Shares::of(options.readers),
            ),
            writer: Writer::postgres(writer, options.writers),
        };
        database.suits().await?;
        Ok(database)
    }

    /// Refuses a database of PostgreSQL in which texts or searches would fail, with the statement that mends it.
    async fn suits(&self) -> Result<()> {
        // On a connection whose statements have all the time they take.
        if let Some((what, place)) = self.writer.transaction(&Unsuited).await? {
            let reason = match what.as_str() {
                "encoding" => format!(
                    "the database is encoded in {place}, and texts need UTF8: make another one with \
                     `CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0;`"
                ),
                extension => format!(
                    "the extension `{extension}` is in the schema `{place}`, which is not on the search path: run \
                     `ALTER EXTENSION {extension} SET SCHEMA public;` in this database"
                ),
            };
            return Err(Error::bad_input("database-url", reason));
        }
        Ok(())
    }

    /// Brings the schema up to date. Copies that start at once take turns: the whole change is one transaction behind one lock.
    pub async fn migrate_up(&self) -> Result<()> {
        if self.pending().await? == 0 {
            return Ok(());
        }
        schema::change(&self.writer, Migrate::Up).await
    }

    /// Takes the newest `steps` migrations back.
    pub async fn migrate_down(&self, steps: u32) -> Result<()> {
        schema::change(&self.writer, Migrate::Down(steps)).await
    }

    /// Each migration with whether it is applied, oldest first. Writes nothing.
    pub async fn migrations(&self) -> Result<Vec<(String, bool)>> {
        schema::migrations(&self.reader, &self.writer).await
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
