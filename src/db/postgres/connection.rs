//! One connection to PostgreSQL: the statements that it has prepared, and how many are under way on it.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use futures_util::future::join_all;
use quick_cache::sync::Cache;
use sea_orm::{DbErr, Statement, Value};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Statement as Prepared};

use super::Plans;
use super::bind::{self, Parameter};
use super::target::Target;
use crate::db::{Row, query_stats};
use crate::error::{ANSWER_TOO_LARGE, Error, Result, is_lost};

/// Statements that a connection keeps prepared.
const PREPARED: usize = 256;
/// How long a statement may take before those that come later go elsewhere, and those behind it too.
pub(super) const MOMENT: Duration = Duration::from_millis(20);
/// How long an end may take.
const LAST: Duration = Duration::from_secs(5);

/// A connection. Statements run on it in the order in which they came.
#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    task: JoinHandle<()>,
    prepared: Cache<String, Prepared>,
    /// Whether the server has been told to plan statements each time.
    plans_each_time: AtomicBool,
    opened: Instant,
    /// Statements that came, and those that are through.
    came: AtomicU64,
    through: AtomicU64,
    /// When the one that runs now began, or when the last one ended: microseconds since it was opened.
    since: AtomicU64,
}

/// What came of a statement.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    /// How many rows it changed.
    pub(crate) changed: u64,
}

/// Why a statement brought no rows.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the server, or the way to it, said.
    Said(tokio_postgres::Error),
    /// A value cannot be sent.
    Value(DbErr),
}

impl Connection {
    pub(super) async fn open(target: &Target) -> Result<Self> {
        let (client, task) = target.connect().await?;
        Ok(Self {
            client,
            task,
            prepared: Cache::new(PREPARED),
            plans_each_time: AtomicBool::new(false),
            opened: Instant::now(),
            came: AtomicU64::new(0),
            through: AtomicU64::new(0),
            since: AtomicU64::new(0),
        })
    }

    /// The rows of a statement. One whose tables have changed since it was prepared is prepared anew.
    pub(super) async fn rows(
        &self,
        statement: &Statement,
        plans: Plans,
    ) -> Result<Vec<Row>, Failure> {
        if self.plans_each_time.load(Ordering::Relaxed) != (plans == Plans::EachTime) {
            Box::pin(self.plan(plans)).await?;
        }
        let sql = statement.sql.as_str();
        let values = values(statement);
        let prepared = self.prepared(sql, values).await?;
        match self.ask(&prepared, values).await {
            Err(failure) if failure.is_outdated() => {
                self.prepared.remove(sql);
                let prepared = Box::pin(self.prepare(sql, values)).await?;
                Ok(Box::pin(self.ask(&prepared, values)).await?.rows)
            }
            answer => Ok(answer?.rows),
        }
    }

    /// What comes of statements that are all sent before the first of them is answered. When one fails the others do, too, in a
    /// transaction.
    pub(super) async fn all(&self, statements: &[Statement]) -> Result<Vec<Answer>, Failure> {
        let mut prepared = Vec::with_capacity(statements.len());
        for statement in statements {
            let (sql, values) = (statement.sql.as_str(), values(statement));
            prepared.push((self.prepared(sql, values).await?, values));
        }
        let answers = prepared
            .iter()
            .map(|(prepared, values)| self.ask(prepared, values));
        // All of them, and then the first failure: what those behind it say is that something before them failed, and may be heard
        // sooner.
        let answers = join_all(answers).await.into_iter();
        let answers: Result<Vec<_>, _> = answers.collect();
        if answers.as_ref().is_err_and(Failure::is_outdated) {
            for statement in statements {
                self.prepared.remove(statement.sql.as_str());
            }
        }
        answers
    }

    /// Runs statements that have no values.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Tells the server when to plan statements.
    async fn plan(&self, plans: Plans) -> Result<(), tokio_postgres::Error> {
        let mode = match plans {
            Plans::Once => "force_generic_plan",
            Plans::EachTime => "force_custom_plan",
        };
        let sql = format!("SET plan_cache_mode = {mode}");
        self.client.batch_execute(&sql).await?;
        let each_time = plans == Plans::EachTime;
        self.plans_each_time.store(each_time, Ordering::Relaxed);
        Ok(())
    }

    async fn ask(&self, prepared: &Prepared, values: &[Value]) -> Result<Answer, Failure> {
        let parameters = values.iter().map(Parameter);
        let mut answer = pin!(self.client.query_raw(prepared, parameters).await?);
        let mut rows = Vec::new();
        let mut left = query_stats::rows_limit();
        while let Some(row) = answer.try_next().await? {
            left = left
                .checked_sub(row.raw_size_bytes() as u64)
                .ok_or_else(|| DbErr::Custom(ANSWER_TOO_LARGE.to_owned()))?;
            rows.push(Row::from(row));
        }
        let changed = answer.rows_affected().unwrap_or_default();
        Ok(Answer { rows, changed })
    }

    /// A statement that takes values of these types, prepared.
    async fn prepared(&self, sql: &str, values: &[Value]) -> Result<Prepared, Failure> {
        match self.prepared.get(sql) {
            Some(prepared) if bind::fits(prepared.params(), values) => Ok(prepared),
            // What is seldom done has its state on the heap, so that what is always done has little.
            _ => Box::pin(self.prepare(sql, values)).await,
        }
    }

    /// Prepares a statement for values of these types. Those who want the same one at once wait for it together.
    async fn prepare(&self, sql: &str, values: &[Value]) -> Result<Prepared, Failure> {
        let types = bind::types(values)?;
        let prepare = || self.client.prepare_typed(sql, &types);
        let prepared = self.prepared.get_or_insert_async(sql, prepare()).await?;
        if bind::fits(prepared.params(), values) {
            return Ok(prepared);
        }
        let prepared = prepare().await?;
        self.prepared.insert(sql.to_owned(), prepared.clone());
        Ok(prepared)
    }

    /// Waits until all that was sent before is through.
    pub(super) async fn settle(&self) {
        self.client.check_connection().await.ok();
    }

    /// Ends it, and what runs on it.
    pub(super) async fn cancel(self, target: &Target) {
        timeout(LAST, target.cancel(&self.client.cancel_token()))
            .await
            .ok();
        self.end().await;
    }

    /// Ends it, when what runs on it is through.
    pub(super) async fn end(self) {
        let Self {
            client, mut task, ..
        } = self;
        drop(client);
        if timeout(LAST, &mut task).await.is_err() {
            task.abort();
        }
    }

    /// Whether it is of no more use.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) const fn opened(&self) -> Instant {
        self.opened
    }

    /// Statements under way.
    pub(super) fn under_way(&self) -> u64 {
        let through = self.through.load(Ordering::Relaxed);
        self.came.load(Ordering::Relaxed).saturating_sub(through)
    }

    /// A statement comes; its number.
    pub(super) fn begin(&self) -> u64 {
        let number = self.came.fetch_add(1, Ordering::Relaxed);
        if self.is_next(number) {
            self.begins_now();
        }
        number
    }

    /// A statement is through.
    pub(super) fn finish(&self) {
        self.through.fetch_add(1, Ordering::Relaxed);
        self.begins_now();
    }

    /// Whether no other statement is before the one with this number.
    pub(super) fn is_next(&self, number: u64) -> bool {
        self.through.load(Ordering::Relaxed) >= number
    }

    /// Whether the statement that runs holds up those behind it.
    pub(super) fn is_held_up(&self) -> bool {
        self.under_way() > 0 && self.unchanged() > MOMENT
    }

    /// How long nothing began or ended on it.
    pub(super) fn unchanged(&self) -> Duration {
        let since = Duration::from_micros(self.since.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(since)
    }

    fn begins_now(&self) {
        let now = u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.since.store(now, Ordering::Relaxed);
    }
}

impl Failure {
    /// Whether the connection broke, so that the statement may be tried on another one.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Self::Said(error) if is_lost(error))
    }

    /// Whether a prepared statement is not what it was, so that it may be tried again.
    pub(crate) fn is_outdated(&self) -> bool {
        matches!(self, Self::Said(error) if is_outdated(error))
    }

    /// The code that the server gave it.
    pub(crate) fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Said(error) => error.code(),
            Self::Value(_) => None,
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Said(error)
    }
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::Value(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Said(error) => error.into(),
            Failure::Value(error) => error.into(),
        }
    }
}

fn values(statement: &Statement) -> &[Value] {
    statement.values.as_ref().map_or(&[], |all| &all.0)
}

/// Whether a prepared statement is not what it was: its tables have other columns now, or something between here and the
/// server has forgotten it.
fn is_outdated(error: &tokio_postgres::Error) -> bool {
    let Some(said) = error.as_db_error() else {
        return false;
    };
    match *said.code() {
        // "cached plan must not change result type", in whatever language the server says it.
        SqlState::FEATURE_NOT_SUPPORTED => said.routine() == Some("RevalidateCachedQuery"),
        SqlState::INVALID_SQL_STATEMENT_NAME => true,
        _ => false,
    }
}
