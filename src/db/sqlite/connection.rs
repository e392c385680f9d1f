//! One connection of `SQLite`: how it is opened, and how a statement runs on it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, Row, Rows, Transaction};
use sea_orm::{Statement, Value};
use tokio::task::block_in_place;
use uuid::Uuid;

use super::lock;
use super::table::Table;
use crate::db::dialect::Dialect;
use crate::error::{Client, Error, Result};

/// Steps of `SQLite`'s machine between two looks at whether a statement is to end: about a millisecond.
const STEPS: i32 = 20_000;
/// How long a statement may keep a thread that others want to use too: several times what a page takes.
const MOMENT: Duration = Duration::from_micros(500);
/// How long one may keep it that has come to rows.
const WHILE: Duration = Duration::from_millis(5);
/// Rows between two looks at whether that is over.
const LOOK: usize = 64;
/// Steps between two looks at whether the moment is over.
const FEW_STEPS: i32 = 1_000;
/// How long a connection waits for a lock. Readers wait for none but that of a log that is being mended.
pub(super) const BUSY: Duration = Duration::from_secs(30);
/// Statements that a connection keeps prepared.
const PREPARED: usize = 256;

const NO_FILE: &str =
    "names a file: several connections have to see the same rows, as in `sqlite://parlour.db`";

/// A file, and how connections to it are made.
#[derive(Clone, Debug)]
pub(crate) struct File {
    path: PathBuf,
    flags: OpenFlags,
    settings: String,
}

impl File {
    /// The file that a connection string names, as SeaORM reads it, with these settings.
    pub(crate) fn new<'a>(
        url: &str,
        settings: impl IntoIterator<Item = &'a (&'a str, &'a str)>,
    ) -> Result<Self> {
        let wrong = |reason: String| Error::bad_input("database-url", reason);
        let (name, query) = url.split_once('?').unwrap_or((url, ""));
        let name = name
            .trim_start_matches("sqlite://")
            .trim_start_matches("sqlite:");
        let name = percent_decode_str(name)
            .decode_utf8()
            .map_err(|_| wrong("its path is not UTF-8".to_owned()))?;
        if name.is_empty() || name == ":memory:" {
            return Err(wrong(NO_FILE.to_owned()));
        }
        if name.contains('\0') {
            return Err(wrong("its path contains U+0000".to_owned()));
        }
        let (mut mode, mut cache) = (
            OpenFlags::SQLITE_OPEN_READ_WRITE,
            OpenFlags::SQLITE_OPEN_PRIVATE_CACHE,
        );
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match (&*name, &*value) {
                ("mode", "rw" | "rwc") | ("cache", "private") => {}
                ("mode", "ro") => mode = OpenFlags::SQLITE_OPEN_READ_ONLY,
                ("cache", "shared") => cache = OpenFlags::SQLITE_OPEN_SHARED_CACHE,
                ("mode", "memory") => return Err(wrong(NO_FILE.to_owned())),
                _ => return Err(wrong(format!("`{name}={value}` cannot be used"))),
            }
        }
        let settings = settings
            .into_iter()
            .map(|(name, value)| format!("PRAGMA {name} = {value};"))
            .collect::<Vec<_>>()
            .concat();
        Ok(Self {
            path: PathBuf::from(&*name),
            flags: mode | cache | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            settings,
        })
    }

    /// Makes the file if there is none, for nobody but its owner; its log and its shared memory get the same permissions. What is in the
    /// way `SQLite` tells when it opens the file.
    fn make(&self) {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(&self.path).ok();
    }

    /// The same file, which is made when there is none.
    #[must_use]
    pub(crate) fn made(mut self) -> Self {
        if self.flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
            self.flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        self
    }

    /// A new connection.
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        if self.flags.contains(OpenFlags::SQLITE_OPEN_CREATE) {
            self.make();
        }
        let connection = Connection::open_with_flags(&self.path, self.flags)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        connection.execute_batch(&self.settings)?;
        Ok(connection)
    }
}

/// Runs a statement to its end, unless `is_over` says meanwhile that it is to end at once: once, or for each parent. All its rows have
/// `most` bytes at most.
pub(super) fn run(
    connection: &Connection,
    statement: &Statement,
    parents: Option<&[Uuid]>,
    most: u64,
    is_over: impl Fn() -> bool + Send + 'static,
) -> rusqlite::Result<Vec<Table>> {
    connection.busy_timeout(BUSY)?;
    connection.progress_handler(STEPS, Some(is_over))?;
    let mut runs = Runs::new(connection, statement, parents)?;
    let mut left = most;
    (0..runs.count)
        .map(|run| kept(runs.begin(run)?, &mut left))
        .collect()
}

/// Runs a statement on a thread that others want to use too, once, or for each parent: `take` is told which run it is. It waits for no
/// lock, and is interrupted when it has not come to a row within [`MOMENT`], or to the next one within [`WHILE`]. One that has goes
/// on, but then it no longer holds up the others.
pub(super) fn run_inline(
    connection: &Connection,
    statement: &Statement,
    parents: Option<&[Uuid]>,
    mut take: impl FnMut(usize, &Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let start = Instant::now();
    let has = move |time: &Duration| start.elapsed() >= *time;
    let limit = Arc::new(Mutex::new(Some(MOMENT)));
    let watched = Arc::clone(&limit);
    let is_over = move || lock(&watched).as_ref().is_some_and(has);
    connection.busy_timeout(Duration::ZERO)?;
    connection.progress_handler(FEW_STEPS, Some(is_over))?;
    let mut runs = Runs::new(connection, statement, parents)?;
    let mut taken = 0;
    for run in 0..runs.count {
        if run > 0 && has(&WHILE) {
            *lock(&limit) = None;
            let mut others = run..runs.count;
            return block_in_place(|| {
                others.try_for_each(|run| rest(runs.begin(run)?, |row| take(run, row)))
            });
        }
        let mut rows = runs.begin(run)?;
        while let Some(row) = rows.next()? {
            take(run, row)?;
            taken += 1;
            if taken == 1 {
                *lock(&limit) = Some(WHILE);
            }
            if taken % LOOK == 0 && has(&WHILE) {
                *lock(&limit) = None;
                block_in_place(|| rest(rows, |row| take(run, row)))?;
                break;
            }
        }
    }
    Ok(())
}

/// A statement that is run once, or for one parent after the other, all of whom it sees at the same time.
struct Runs<'a> {
    prepared: CachedStatement<'a>,
    parents: Option<&'a [Uuid]>,
    /// The parameter that stands for the parent.
    parent: Option<usize>,
    count: usize,
    _snapshot: Option<Transaction<'a>>,
}

impl<'a> Runs<'a> {
    fn new(
        connection: &'a Connection,
        statement: &Statement,
        parents: Option<&'a [Uuid]>,
    ) -> rusqlite::Result<Self> {
        let prepared = prepare(connection, statement)?;
        let (mut parent, mut snapshot) = (None, None);
        if parents.is_some() {
            parent = prepared.parameter_index(Dialect::ONE_PARENT)?;
            snapshot = Some(connection.unchecked_transaction()?);
        }
        Ok(Self {
            prepared,
            parents,
            parent,
            count: parents.map_or(1, <[_]>::len),
            _snapshot: snapshot,
        })
    }

    /// Begins the run with this number.
    fn begin(&mut self, run: usize) -> rusqlite::Result<Rows<'_>> {
        let parent = self.parents.and_then(|parents| parents.get(run));
        if let (Some(parameter), Some(parent)) = (self.parent, parent) {
            let id = ValueRef::Blob(parent.as_bytes());
            self.prepared
                .raw_bind_parameter(parameter, ToSqlOutput::Borrowed(id))?;
        }
        Ok(self.prepared.raw_query())
    }
}

/// Runs a statement that brings no rows. How many it changed.
pub(super) fn execute(connection: &Connection, statement: &Statement) -> rusqlite::Result<u64> {
    let changed = prepare(connection, statement)?.raw_execute()?;
    Ok(changed as u64)
}

/// The rows of a statement that runs as long as it takes.
pub(super) fn rows(connection: &Connection, statement: &Statement) -> rusqlite::Result<Table> {
    let mut left = u64::MAX;
    kept(prepare(connection, statement)?.raw_query(), &mut left)
}

fn kept(rows: Rows<'_>, left: &mut u64) -> rusqlite::Result<Table> {
    let mut table = None;
    rest(rows, |row| keep(row, &mut table, *left))?;
    let table = table.unwrap_or_default();
    *left = left.saturating_sub(table.bytes());
    Ok(table)
}

fn rest(
    mut rows: Rows<'_>,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

fn prepare<'a>(
    connection: &'a Connection,
    statement: &Statement,
) -> rusqlite::Result<CachedStatement<'a>> {
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    if let Some(values) = &statement.values {
        bind(&mut prepared, &values.0)?;
    }
    Ok(prepared)
}

/// Keeps a row in a table of `most` bytes at most, which the first one begins.
pub(super) fn keep(row: &Row<'_>, table: &mut Option<Table>, most: u64) -> rusqlite::Result<()> {
    let table = match table {
        Some(table) => table,
        None => table.insert(Table::new(row.as_ref().column_names()).map_err(unfit)?),
    };
    for column in 0..table.width() {
        table.push(row.get_ref(column)?).map_err(unfit)?;
    }
    if table.bytes() > most {
        return Err(unfit(Client::AnswerTooLarge));
    }
    Ok(())
}

/// Binds values as SeaORM does: `$2` and `?2` are the second one, `?` the one after that of the last `?`. The parent comes later.
fn bind(prepared: &mut CachedStatement<'_>, values: &[Value]) -> rusqlite::Result<()> {
    let mut last = 0;
    for parameter in 1..=prepared.parameter_count() {
        let number = match prepared.parameter_name(parameter) {
            Some(Dialect::ONE_PARENT) => continue,
            Some(name) => name[1..].parse().unwrap_or(0),
            None => {
                last += 1;
                last
            }
        };
        let value = usize::checked_sub(number, 1).and_then(|at| values.get(at));
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(number, values.len()))?;
        prepared.raw_bind_parameter(parameter, stored(value)?)?;
    }
    Ok(())
}

/// A value as it is stored.
fn stored(value: &Value) -> rusqlite::Result<ToSqlOutput<'_>> {
    let integer = |value: Option<i64>| value.map_or(ValueRef::Null, ValueRef::Integer);
    let real = |value: Option<f64>| value.map_or(ValueRef::Null, ValueRef::Real);
    let borrowed = match value {
        Value::Char(Some(char)) => return Ok(ToSqlOutput::from(char.to_string())),
        Value::Char(None) => ValueRef::Null,
        Value::Bool(value) => integer(value.map(i64::from)),
        Value::TinyInt(value) => integer(value.map(i64::from)),
        Value::SmallInt(value) => integer(value.map(i64::from)),
        Value::Int(value) => integer(value.map(i64::from)),
        Value::BigInt(value) => integer(*value),
        Value::TinyUnsigned(value) => integer(value.map(i64::from)),
        Value::SmallUnsigned(value) => integer(value.map(i64::from)),
        Value::Unsigned(value) => integer(value.map(i64::from)),
        Value::BigUnsigned(value) => integer(value.map(i64::try_from).transpose().map_err(unfit)?),
        Value::Float(value) => real(value.map(f64::from)),
        Value::Double(value) => real(*value),
        Value::String(value) => value
            .as_ref()
            .map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes())),
        Value::Bytes(value) => value.as_deref().map_or(ValueRef::Null, ValueRef::Blob),
        Value::Uuid(value) => value
            .as_ref()
            .map_or(ValueRef::Null, |id| ValueRef::Blob(id.as_bytes())),
        other => {
            let kind = format!("{:?}", other.array_type());
            return Err(unfit(format!(
                "a value of the type {kind}, which SQLite does not store"
            )));
        }
    };
    Ok(ToSqlOutput::Borrowed(borrowed))
}

fn unfit(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(why.into())
}
