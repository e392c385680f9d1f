//! What one request asked of the database: the figures of its log line, and the budget that its test is held to.

use std::sync::Mutex;
use std::time::Duration;

use sea_orm::Statement;

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

/// Notes a statement in the tally of this task, if it has one that keeps them.
pub(super) fn keep(statement: &Statement) {
    TALLY.try_with(|tally| tally.keep(statement)).ok();
}

/// Adds a statement to the figures of this task, if it has any.
pub(super) fn count(rows: usize, waited: Duration) {
    let rows = u64::try_from(rows).unwrap_or(u64::MAX);
    TALLY.try_with(|tally| tally.add(rows, waited)).ok();
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
