//! Loading: events through `write::apply`, against the same message rows put into a table without any index.

use std::fmt::Write;
use std::str::FromStr;
use std::time::{Duration, Instant};

use parlour::db::Database;
use parlour::write::event::Event;
use parlour::write::{EventOutcome, apply_in_lanes};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};
use uuid::Uuid;

use crate::Result;
use crate::audience::{additions, audience};
use crate::bare::{Bind, Pool};
use crate::store::{self, Kind, Wanted};

/// Events that go in at a time.
const BATCH: usize = 20_000;
/// Bare rows that go in at a time: `SQLite` takes 32,766 values in a statement.
const BARE_BATCH: usize = 2_000;
/// How many rows the bare INSERTs are measured with.
const BARE_ROWS: usize = 200_000;

/// How loading went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loading {
    pub(crate) messages: u64,
    pub(crate) taken: Duration,
    /// Most memory the process had at once while it loaded, where the system tells.
    pub(crate) peak_kib: Option<u64>,
    pub(crate) bare_messages: u64,
    pub(crate) bare_taken: Duration,
}

/// Fills an empty database, and measures bare INSERTs beside it where the additions are wanted.
pub(crate) async fn load(kind: Kind, url: &str, wanted: &Wanted) -> Result<Loading> {
    eprintln!("{}: loading", kind.name());
    forget_peak();
    let database = store::database(url, true).await?;
    database.migrate_up().await?;
    let mut loading = Loading::default();
    let mut events = audience(wanted.size);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        batch.extend(events.by_ref().take(BATCH));
        if batch.is_empty() {
            break;
        }
        let start = Instant::now();
        loading.messages += store_batch(&database, &batch).await?;
        loading.taken += start.elapsed();
        if loading.messages.is_multiple_of(100_000) {
            eprintln!("{}: {} messages", kind.name(), loading.messages);
        }
        batch.clear();
    }
    loading.peak_kib = peak_kib();
    database.analyze().await?;

    if wanted.additions {
        let pool = Pool::open(kind, url).await?;
        for batch in additions(&pool, wanted.size.users).await?.chunks(BATCH) {
            store_batch(&database, batch).await?;
        }
        bare(kind, url, &pool, &mut loading).await?;
        pool.close().await;
    }
    match kind {
        Kind::Sqlite => database.analyze().await?,
        Kind::Postgres => database.writer.execute("VACUUM (ANALYZE)").await?,
    }
    database.close().await?;
    Ok(loading)
}

/// How many of the events' messages are new.
async fn store_batch(database: &Database, events: &[Event]) -> Result<u64> {
    let outcome = apply_in_lanes(&database.writer, events).await?;
    let mut recorded = 0;
    for fate in outcome.outcomes {
        match fate {
            EventOutcome::Recorded => recorded += 1,
            EventOutcome::Duplicate => {}
            EventOutcome::Rejected(rejection) => {
                return Err(format!(
                    "an event was rejected: {} {}",
                    rejection.key, rejection.reason
                )
                .into());
            }
        }
    }
    Ok(recorded)
}

type Message = (
    Uuid,
    Uuid,
    Uuid,
    String,
    String,
    String,
    String,
    i64,
    Option<i64>,
);

/// Puts message rows into a table without any index.
pub(crate) async fn bare(kind: Kind, url: &str, pool: &Pool, loading: &mut Loading) -> Result<()> {
    const SELECT: &str = "SELECT id, session_id, chat_user_id, external_id, role, text, attachments, sent_at, cost_micros \
                          FROM messages WHERE id > $1 ORDER BY id LIMIT $2";
    let mut target = Target::open(kind, url).await?;
    let mut last = Uuid::nil();
    let mut rows_done = 0;
    while rows_done < BARE_ROWS {
        let limit = Bind::Int(i64::try_from(BARE_BATCH)?);
        let rows: Vec<Message> = pool.fetch(SELECT, [Bind::Id(last), limit]).await?;
        let Some(row) = rows.last() else { break };
        last = row.0;
        rows_done += rows.len();
        loading.bare_messages += u64::try_from(rows.len())?;
        let start = Instant::now();
        target.insert(rows).await?;
        loading.bare_taken += start.elapsed();
    }
    target.remove().await
}

/// A table without any index.
enum Target {
    Sqlite(SqliteConnection, String),
    Postgres(PgConnection),
}

impl Target {
    async fn open(kind: Kind, url: &str) -> Result<Self> {
        Ok(match kind {
            Kind::Sqlite => {
                let url = format!("{url}-bare");
                let options = SqliteConnectOptions::from_str(&url)?
                    .create_if_missing(true)
                    .pragma("journal_mode", "WAL")
                    .pragma("synchronous", "NORMAL")
                    .pragma("cache_size", "-65536");
                let mut connection = SqliteConnection::connect_with(&options).await?;
                sqlx::raw_sql(
                    "CREATE TABLE bare (id BLOB, session_id BLOB, chat_user_id BLOB, external_id TEXT, role TEXT, \
                     text TEXT, attachments TEXT, sent_at INTEGER, cost_micros INTEGER) STRICT",
                )
                .execute(&mut connection)
                .await?;
                Self::Sqlite(connection, url)
            }
            Kind::Postgres => {
                let mut connection = PgConnection::connect(url).await?;
                sqlx::raw_sql("CREATE TABLE bare AS SELECT * FROM messages WITH NO DATA")
                    .execute(&mut connection)
                    .await?;
                Self::Postgres(connection)
            }
        })
    }

    async fn insert(&mut self, rows: Vec<Message>) -> Result<()> {
        // `?` on SQLite, which looks up a numbered one by its name.
        let numbered = matches!(self, Self::Postgres(_));
        let mut sql = "INSERT INTO bare VALUES".to_owned();
        for row in 0..rows.len() {
            for column in 0..9 {
                sql.push_str(match (row, column) {
                    (0, 0) => " (",
                    (_, 0) => "), (",
                    _ => ", ",
                });
                if numbered {
                    write!(sql, "${}", row * 9 + column + 1)?;
                } else {
                    sql.push('?');
                }
            }
        }
        sql.push(')');
        macro_rules! run {
            ($connection:expr) => {{
                let mut query = sqlx::query(AssertSqlSafe(sql));
                for (a, b, c, d, e, f, g, h, i) in rows {
                    query = query.bind(a).bind(b).bind(c).bind(d).bind(e);
                    query = query.bind(f).bind(g).bind(h).bind(i);
                }
                query.execute($connection).await?;
            }};
        }
        match self {
            Self::Sqlite(connection, _) => run!(connection),
            Self::Postgres(connection) => run!(connection),
        }
        Ok(())
    }

    async fn remove(self) -> Result<()> {
        match self {
            Self::Sqlite(connection, url) => {
                connection.close().await?;
                std::fs::remove_file(url.trim_start_matches("sqlite://"))?;
            }
            Self::Postgres(mut connection) => {
                sqlx::raw_sql("DROP TABLE bare")
                    .execute(&mut connection)
                    .await?;
            }
        }
        Ok(())
    }
}

/// Versions and size of a database, in a line.
pub(crate) async fn describe(kind: Kind, pool: &Pool) -> Result<String> {
    let (version, bytes): (String, i64) = match kind {
        Kind::Sqlite => {
            let sql = "SELECT sqlite_version(), page_count * page_size FROM pragma_page_count, pragma_page_size";
            pool.one(sql, []).await?
        }
        Kind::Postgres => {
            let sql =
                "SELECT current_setting('server_version'), pg_database_size(current_database())";
            pool.one(sql, []).await?
        }
    };
    let mut settings = String::new();
    if let Pool::Postgres(pool) = pool {
        for name in ["shared_buffers", "fsync", "synchronous_commit"] {
            let row = sqlx::query("SELECT current_setting($1)")
                .bind(name)
                .fetch_one(pool)
                .await?;
            write!(settings, ", {name} = {}", row.try_get::<String, _>(0)?)?;
        }
    }
    Ok(format!(
        "{} {version}{settings}; {} MiB on disk",
        kind.name(),
        bytes >> 20
    ))
}

/// Starts the system's record of the most memory afresh, where it can.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").ok();
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
