//! What one request asked of the database: the figures of its log line, and the budget that its test is held to.

use std::sync::Mutex;
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
    recorded: Option<Mutex<Vec<Statement>>>,
}

tokio::task_local! {
    /// The tally of the request that this task answers.
    pub static TALLY: std::sync::Arc<Tally>;
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
