//! What one request asked of the database: the figures of its log line, and the budget that its test is held to.

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
}

/// Counts for the request whose task it is set on.
#[derive(Debug, Default)]
pub struct Tally {
    figures: Mutex<Figures>,
    /// How much text may be read and written, in bytes, where that is limited.
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
}

tokio::task_local! {
    /// The tally of the request that this task answers.
    pub static TALLY: Arc<Tally>;
}

impl Tally {
    /// A tally that also keeps the statements, to explain them afterwards.
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
    pub fn limit_text(&self, limit: u64, copies: u64) {
        let texts = Texts {
            limit,
            copies,
            used: AtomicU64::new(0),
        };
        self.texts.set(texts).ok();
    }

    /// Counts a text that was read; whether there is room for it.
    fn has_room(&self, bytes: usize) -> bool {
        self.texts.get().is_none_or(|texts| {
            let bytes = (bytes as u64).saturating_mul(texts.copies);
            let used = texts.used.fetch_add(bytes, Ordering::Relaxed);
            used.saturating_add(bytes) <= texts.limit
        })
    }

    fn add(&self, rows: u64, waited: Duration) {
        let mut figures = lock(&self.figures);
        figures.statements += 1;
        figures.rows += rows;
        figures.waited += waited;
    }

    fn keep(&self, statement: &Statement) {
        if let Some(kept) = &self.recorded {
            lock(kept).push(statement.clone());
        }
    }
}

/// Runs a read that may give up and be run again. The texts of a read that gave up are not counted.
pub(super) fn attempt<T>(read: impl FnOnce() -> Option<T>) -> Option<T> {
    let tally = TALLY.try_with(Arc::clone).ok();
    let texts = tally.as_ref().and_then(|tally| tally.texts.get());
    let before = texts.map(|texts| texts.used.load(Ordering::Relaxed));
    let found = read();
    if let (None, Some(texts), Some(before)) = (&found, texts, before) {
        texts.used.store(before, Ordering::Relaxed);
    }
    found
}

/// Counts a text that was read for the request of this task; whether there is room for it in the answer.
pub fn has_room(bytes: usize) -> bool {
    TALLY
        .try_with(|tally| tally.has_room(bytes))
        .unwrap_or(true)
}

/// A statement under way, for the figures of its task and its trace.
pub(super) struct Watch {
    start: Instant,
    span: Span,
}

impl Watch {
    pub(super) fn start(dialect: Dialect, statement: &Statement) -> Self {
        TALLY.try_with(|tally| tally.keep(statement)).ok();
        Self {
            start: Instant::now(),
            span: span::statement(dialect.name(), &statement.sql),
        }
    }

    /// Waits for the answer, of which `rows` tells how many rows it has.
    pub(super) async fn over<T, E>(
        self,
        answer: impl Future<Output = Result<T, E>>,
        rows: impl FnOnce(&T) -> usize,
    ) -> Result<T, E> {
        let answer = answer.instrument(self.span.clone()).await;
        let rows = answer.as_ref().map_or(0, rows);
        TALLY
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
