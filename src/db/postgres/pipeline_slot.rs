//! A statement's place in the pipeline of a connection: it runs after the statements that were sent before it. When its caller goes
//! away, it is cancelled or left to end.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::Statement;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::connection::{Answer, Connection, Failure, MOMENT};
use super::{Plans, Shared, late};
use crate::db::Row;
use crate::db::query_stats::DatabaseWork;

/// A statement's turn on a connection.
#[derive(Debug)]
pub(super) struct PipelineSlot {
    pool: Arc<Shared>,
    /// The connection, and the place among those who wait for a connection; both until they are handed on.
    held: Option<(Arc<Connection>, OwnedSemaphorePermit)>,
    /// The number of the statement on its connection.
    number: u64,
    /// Whether the server may be at work for it.
    under_way: bool,
    /// Whether there may be a transaction that is neither committed nor undone.
    open: bool,
}

/// What the server does for a statement: what it does for those before it on the connection is not counted.
struct Working<'a> {
    connection: &'a Connection,
    number: u64,
    work: Option<DatabaseWork>,
}

impl<'a> Working<'a> {
    fn on(connection: &'a Connection, number: u64) -> Self {
        Self {
            connection,
            number,
            work: Some(DatabaseWork::start()),
        }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let has_begun = self.connection.is_next(self.number);
        let most = if has_begun {
            self.connection.unchanged()
        } else {
            Duration::ZERO
        };
        if let Some(work) = self.work.take() {
            work.end_with(most);
        }
    }
}

/// How a turn ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Answer(Result<Vec<Row>, Failure>),
    /// A statement before it takes long, and there is a connection where none does.
    Stalled,
    /// It did not come to its turn in time.
    Late,
}

impl PipelineSlot {
    /// Puts a statement behind those that came before.
    pub(super) fn begin(
        pool: Arc<Shared>,
        connection: Arc<Connection>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            pool,
            number: connection.begin(),
            held: Some((connection, place)),
            under_way: false,
            open: false,
        }
    }

    /// The rows of a statement, unless it would get them sooner elsewhere, or does not come to its turn before a deadline.
    pub(super) async fn rows(
        &mut self,
        statement: &Statement,
        plans: Plans,
        deadline: Instant,
    ) -> Outcome {
        let Some((connection, _)) = &self.held else {
            return Outcome::Stalled;
        };
        let mut answer = pin!(connection.rows(statement, plans));
        self.under_way = true;
        let _working = Working::on(connection, self.number);
        let answer = loop {
            if connection.is_next(self.number) {
                break answer.await;
            }
            match timeout(MOMENT, &mut answer).await {
                Ok(answer) => break answer,
                Err(_) if connection.is_next(self.number) => {}
                Err(_) if Instant::now() >= deadline => return Outcome::Late,
                Err(_) if connection.is_held_up() && self.pool.has_better() => {
                    return Outcome::Stalled;
                }
                Err(_) => {}
            }
        };
        self.under_way = false;
        if answer.as_ref().is_err_and(Failure::is_lost) {
            self.pool.forget(connection);
        }
        Outcome::Answer(answer)
    }

    /// What comes of statements of a transaction, sent one behind the other. `open` tells whether it goes on after them.
    pub(super) async fn all(
        &mut self,
        statements: &[Statement],
        open: bool,
    ) -> Result<Vec<Answer>, Failure> {
        let answers = self.during(|on| on.all(statements)).await;
        // Whatever failed has yet to be undone.
        self.open = open || answers.is_err();
        answers
    }

    /// Runs statements that have no values, outside any transaction.
    pub(super) async fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        self.during(|on| on.batch(sql)).await
    }

    /// Whether there may be a transaction to undo.
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    async fn during<'a, T, F>(
        &'a mut self,
        work: impl FnOnce(&'a Connection) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let Some((connection, _)) = &self.held else {
            return Err(late().into());
        };
        self.under_way = true;
        let answer = work(connection).await;
        self.under_way = false;
        if answer.as_ref().is_err_and(Failure::is_lost) {
            self.pool.forget(connection);
        }
        answer
    }
}

/// A statement that nobody waits for any more is ended when it has its connection to itself, which goes with it: what the
/// server is told could else end the next one. Among others it has to come to its own end; until then it is counted.
impl Drop for PipelineSlot {
    fn drop(&mut self) {
        let Some((connection, place)) = self.held.take() else {
            return;
        };
        let (under_way, open) = (self.under_way, self.open);
        let runtime = Handle::try_current().ok().filter(|_| under_way || open);
        let Some(runtime) = runtime else {
            if open {
                self.pool.forget(&connection);
            }
            connection.finish();
            return;
        };
        let pool = Arc::clone(&self.pool);
        runtime.spawn(async move {
            if pool.limits.shared {
                connection.settle().await;
                connection.finish();
            } else if !under_way && connection.batch("ROLLBACK").await.is_ok() {
                connection.finish();
            } else {
                pool.forget(&connection);
                if let Some(connection) = Arc::into_inner(connection) {
                    connection.cancel(&pool.target).await;
                }
            }
            drop(place);
        });
    }
}
