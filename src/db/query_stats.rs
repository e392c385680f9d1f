//! Statistics of one request's queries: statements, rows and time for its log line and its cost, and the bytes of text that it may read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use sea_orm::Statement;
use tracing::{Instrument, Span};

use super::dialect::Dialect;
use crate::span;

/// Figures of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Statements sent.
    pub statements: u64,
    /// Rows that came back.
    pub rows: u64,
    /// Time spent waiting for the database.
    pub waited: Duration,
    /// Time that the database worked for it, without waiting for a connection, for other statements, or for a lock.
    pub worked: Duration,
    /// Changes that could have been made, and were paid for, and were not.
    pub spared: u64,
}

/// The statistics of the request whose task they are set on.
#[derive(Debug, Default)]
pub struct QueryStats {
    figures: Mutex<Figures>,
    /// How much text may be read and written, where that is limited.
    texts: OnceLock<Texts>,
    recorded: Option<Mutex<Vec<Statement>>>,
}

/// The text that a request reads and writes.
#[derive(Debug)]
struct Texts {
    /// Bytes at most.
    limit: u64,
    /// How often the answer has each text at most.
    copies: u64,
    used: AtomicU64,
    /// The memory of all answers, and how much of it this one has.
    memory: Arc<Memory>,
    held: AtomicU64,
}

/// Memory for the texts of all answers together.
#[derive(Debug)]
pub struct Memory {
    /// Bytes at most.
    limit: u64,
    used: AtomicU64,
}

impl Memory {
    /// This many bytes.
    pub const fn of(limit: u64) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
        }
    }

    /// Takes some of it, if there is so much.
    fn take(&self, bytes: u64) -> bool {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = used.saturating_add(bytes) <= self.limit;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Texts {
    /// Has memory for so many bytes, more or fewer than before, if there is so much.
    fn hold(&self, bytes: u64) -> bool {
        let held = self.held.swap(bytes, Ordering::Relaxed);
        match bytes.checked_sub(held) {
            None => self.memory.give_back(held - bytes),
            Some(more) if !self.memory.take(more) => {
                self.held.store(held, Ordering::Relaxed);
                return false;
            }
            Some(_) => {}
        }
        true
    }
}

impl Drop for Texts {
    fn drop(&mut self) {
        self.hold(0);
    }
}

/// Why there is no room for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The answer has as much as one may have.
    Answer,
    /// All answers together have.
    Memory,
}

tokio::task_local! {
    /// The figures of the request that this task answers.
    pub static QUERY_STATS: Arc<QueryStats>;
}

impl QueryStats {
    /// Figures that also keep the statements, to explain them afterwards.
    pub fn recording() -> Self {
        Self {
            recorded: Some(Mutex::default()),
            ..Self::default()
        }
    }

    /// The figures so far.
    pub fn figures(&self) -> Figures {
        *lock(&self.figures)
    }

    /// The statements so far, when kept.
    pub fn statements(&self) -> Vec<Statement> {
        self.recorded
            .as_ref()
            .map(|kept| lock(kept).clone())
            .unwrap_or_default()
    }

    /// Limits the text of an answer to so many bytes, in which each text that is read stands so many times at most.
    pub fn limit_text(&self, limit: u64, copies: u64, memory: Arc<Memory>) {
        let texts = Texts {
            limit,
            copies,
            used: AtomicU64::new(0),
            memory,
            held: AtomicU64::new(0),
        };
        self.texts.set(texts).ok();
    }

    /// Counts a text that was read, if there is room for it.
    fn make_room(&self, bytes: usize) -> Result<(), Full> {
        let Some(texts) = self.texts.get() else {
            return Ok(());
        };
        let bytes = (bytes as u64).saturating_mul(texts.copies);
        let used = texts.used.fetch_add(bytes, Ordering::Relaxed);
        let used = used.saturating_add(bytes);
        let full = if used > texts.limit {
            Full::Answer
        } else if !texts.hold(used) {
            Full::Memory
        } else {
            return Ok(());
        };
        // It is not kept. Whoever hears of it may read again, to tell where it is.
        texts.used.fetch_sub(bytes, Ordering::Relaxed);
        Err(full)
    }

    /// Has memory for an answer of so many bytes until this is dropped, if there is so much. What it had for texts goes back.
    pub fn hold(&self, bytes: u64) -> bool {
        self.texts.get().is_none_or(|texts| texts.hold(bytes))
    }

    fn add(&self, rows: u64, waited: Duration) {
        let mut figures = lock(&self.figures);
        figures.statements += 1;
        figures.rows += rows;
        figures.waited += waited;
    }

    /// Adds changes that the request has paid for and that were not made.
    pub fn spare(&self, changes: u64) {
        lock(&self.figures).spared += changes;
    }

    fn worked(&self, time: Duration) {
        lock(&self.figures).worked += time;
    }

    fn keep(&self, statement: &Statement) {
        if let Some(kept) = &self.recorded {
            lock(kept).push(statement.clone());
        }
    }
}

/// Runs a read that may give up and be run again. The texts of a read that gave up are not counted.
pub(super) fn attempt<T>(read: impl FnOnce() -> Option<T>) -> Option<T> {
    let tally = QUERY_STATS.try_with(Arc::clone).ok();
    let texts = tally.as_ref().and_then(|tally| tally.texts.get());
    let before = texts.map(|texts| texts.used.load(Ordering::Relaxed));
    let found = read();
    if let (None, Some(texts), Some(before)) = (&found, texts, before) {
        texts.used.store(before, Ordering::Relaxed);
    }
    found
}

/// Counts a text that was read for the request of this task, if there is room for it in the answer.
pub fn make_room(bytes: usize) -> Result<(), Full> {
    QUERY_STATS
        .try_with(|tally| tally.make_room(bytes))
        .unwrap_or(Ok(()))
}

/// Bytes that the rows of one statement may have for the request of this task: what is not text takes room, too.
pub(super) fn rows_limit() -> u64 {
    let limit = QUERY_STATS.try_with(|tally| tally.texts.get().map(|texts| texts.limit));
    limit
        .ok()
        .flatten()
        .map_or(u64::MAX, |limit| limit.saturating_mul(ROWS))
}

/// How many times the bytes of an answer's texts the rows of a statement may have.
const ROWS: u64 = 4;

/// A period in which the database works for the request of this task. It is added when this is dropped, also when the request is cancelled.
#[derive(Debug)]
pub(super) struct DatabaseWork {
    start: Instant,
    tally: Option<Arc<QueryStats>>,
}

impl DatabaseWork {
    pub(super) fn start() -> Self {
        Self {
            start: Instant::now(),
            tally: QUERY_STATS.try_with(Arc::clone).ok(),
        }
    }

    /// Counts no more than this.
    pub(super) fn end_with(mut self, most: Duration) {
        if let Some(tally) = self.tally.take() {
            tally.worked(self.start.elapsed().min(most));
        }
    }
}

impl Drop for DatabaseWork {
    fn drop(&mut self) {
        if let Some(tally) = self.tally.take() {
            tally.worked(self.start.elapsed());
        }
    }
}

/// A statement under way, for the figures of its task and its trace.
pub(super) struct Watch {
    start: Instant,
    span: Span,
}

impl Watch {
    pub(super) fn start(dialect: Dialect, statement: &Statement) -> Self {
        QUERY_STATS.try_with(|tally| tally.keep(statement)).ok();
        Self {
            start: Instant::now(),
            span: span::statement(dialect.name(), &statement.sql),
        }
    }

    /// Waits for the answer, of which `json_batch` tells how many rows it has.
    pub(super) async fn over<T, E>(
        self,
        answer: impl Future<Output = Result<T, E>>,
        rows: impl FnOnce(&T) -> usize,
    ) -> Result<T, E> {
        let answer = answer.instrument(self.span.clone()).await;
        let rows = answer.as_ref().map_or(0, rows);
        QUERY_STATS
            .try_with(|tally| tally.add(rows as u64, self.start.elapsed()))
            .ok();
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        self.span.record("db.response.returned_rows", rows);
        if answer.is_err() {
            self.span.record("otel.status_code", "ERROR");
        }
        answer
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
