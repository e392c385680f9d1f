//! A connection to PostgreSQL that a transaction has to itself. What it is told and nobody waits for goes with what is waited for
//! next: so the server hears of several statements at once, and of the end together with what comes before it.

use sea_orm::Statement;
use tokio::sync::Mutex;

use super::connection::{Answer, Failure};
use super::turn::Turn;
use crate::db::dialect::Dialect;
use crate::db::undone::Undone;
use crate::error::Result;

/// A connection, until it is let go of: then what was not committed is undone.
#[derive(Debug)]
pub(crate) struct Held(Mutex<Line>);

#[derive(Debug)]
struct Line {
    turn: Turn,
    /// Statements that are not sent yet.
    waiting: Vec<Statement>,
}

impl Held {
    pub(super) fn new(turn: Turn) -> Self {
        Self(Mutex::new(Line {
            turn,
            waiting: Vec::new(),
        }))
    }

    /// Runs statements that have no values, outside any transaction.
    pub(crate) async fn batch(&self, sql: &str) -> Result<()> {
        Ok(self.0.lock().await.turn.batch(sql).await?)
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) {
        self.later(word("BEGIN")).await;
    }

    /// What comes of a statement.
    pub(crate) async fn answer(&self, statement: Statement) -> Result<Answer, Failure> {
        let mut line = self.0.lock().await;
        line.waiting.push(statement);
        let mut answers = line.send(true).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Runs a statement before the next one.
    pub(crate) async fn later(&self, statement: Statement) {
        self.0.lock().await.waiting.push(statement);
    }

    /// Commits. Where the connection breaks meanwhile nobody knows whether it did.
    pub(crate) async fn commit(&self) -> Result<(), Undone> {
        let mut line = self.0.lock().await;
        line.waiting.push(word("COMMIT"));
        match line.send(false).await.map_err(Undone::from) {
            Ok(_) => Ok(()),
            Err(Undone::Lost(error)) => Err(Undone::Failed(error)),
            Err(undone) => Err(undone),
        }
    }

    /// Undoes what was done. Where that fails the connection is closed, which undoes it as well.
    pub(crate) async fn undo(&self) {
        let mut line = self.0.lock().await;
        line.waiting.clear();
        if line.turn.is_open() {
            line.waiting.push(word("ROLLBACK"));
            line.send(false).await.ok();
        }
    }
}

impl Line {
    async fn send(&mut self, open: bool) -> Result<Vec<Answer>, Failure> {
        let statements = std::mem::take(&mut self.waiting);
        self.turn.all(&statements, open).await
    }
}

fn word(sql: &str) -> Statement {
    Dialect::Postgres.raw(sql, [])
}
