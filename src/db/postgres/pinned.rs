//! A connection to PostgreSQL that a transaction has to itself. What it is told and nobody waits for goes with what is waited for
//! next: so the server hears of several statements at once, and of the end together with what comes before it.

use sea_orm::{Statement, Value};
use tokio::sync::Mutex;

use super::connection::{Answer, Failure};
use super::pipeline_slot::PipelineSlot;
use crate::db::Row;
use crate::db::dialect::Dialect;
use crate::db::transaction_error::TransactionError;
use crate::error::Result;

/// A connection, until it is let go of: then what was not committed is undone.
#[derive(Debug)]
pub(crate) struct PinnedConnection(Mutex<Line>);

#[derive(Debug)]
struct Line {
    turn: PipelineSlot,
    /// Statements that are not sent yet.
    waiting: Vec<Waiting>,
}

/// What goes as one statement.
#[derive(Debug)]
struct Waiting {
    parts: Vec<Statement>,
    /// The tables that the parts change, when others may be put beside them.
    tables: Vec<&'static str>,
}

impl PinnedConnection {
    pub(super) fn new(turn: PipelineSlot) -> Self {
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
        self.enqueue(word("BEGIN")).await;
    }

    /// What comes of a statement.
    pub(crate) async fn answer(&self, statement: Statement) -> Result<Answer, Failure> {
        let mut line = self.0.lock().await;
        line.waiting.push(statement.into());
        let mut answers = line.send(true).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Runs a statement before the next one.
    pub(crate) async fn enqueue(&self, statement: Statement) {
        self.0.lock().await.waiting.push(statement.into());
    }

    /// Runs a change of a table before the next statement, and together with such changes of other tables.
    pub(crate) async fn enqueue_mergeable(&self, table: &'static str, statement: Statement) {
        let mut line = self.0.lock().await;
        match line.waiting.last_mut() {
            Some(last) if !last.tables.is_empty() && !last.tables.contains(&table) => {
                last.parts.push(statement);
                last.tables.push(table);
            }
            _ => line.waiting.push(Waiting {
                parts: vec![statement],
                tables: vec![table],
            }),
        }
    }

    /// Commits. The rows of the question that is asked before. Where the connection breaks meanwhile nobody knows whether it did.
    pub(crate) async fn commit(
        &self,
        question: Option<Statement>,
    ) -> Result<Vec<Row>, TransactionError> {
        let mut line = self.0.lock().await;
        let is_asked = question.is_some();
        line.waiting.extend(question.map(Waiting::from));
        line.waiting.push(word("COMMIT").into());
        match line.send(false).await.map_err(TransactionError::from) {
            Ok(answers) => {
                let answer = answers.into_iter().rev().nth(1).filter(|_| is_asked);
                Ok(answer.unwrap_or_default().rows)
            }
            Err(TransactionError::ConnectionLost(error)) => Err(TransactionError::Failed(error)),
            Err(undone) => Err(undone),
        }
    }

    /// Undoes what was done. Where that fails the connection is closed, which undoes it as well.
    pub(crate) async fn undo(&self) {
        let mut line = self.0.lock().await;
        line.waiting.clear();
        if line.turn.is_open() {
            line.waiting.push(word("ROLLBACK").into());
            line.send(false).await.ok();
        }
    }
}

impl Line {
    async fn send(&mut self, open: bool) -> Result<Vec<Answer>, Failure> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let statements: Vec<_> = waiting.map(Waiting::statement).collect();
        self.turn.all(&statements, open).await
    }
}

impl From<Statement> for Waiting {
    fn from(statement: Statement) -> Self {
        Self {
            parts: vec![statement],
            tables: Vec::new(),
        }
    }
}

impl Waiting {
    /// All but the last one stand in a WITH. No part sees what another one does.
    fn statement(mut self) -> Statement {
        let last = self.parts.pop().unwrap_or_else(|| word(""));
        if self.parts.is_empty() {
            return last;
        }
        let (mut sql, mut values) = (String::new(), Vec::new());
        for (at, part) in self.parts.into_iter().enumerate() {
            sql.push_str(if at == 0 { "WITH " } else { ", " });
            sql.extend(["part_", at.to_string().as_str(), " AS ("]);
            put(part, &mut sql, &mut values);
            sql.push(')');
        }
        sql.push(' ');
        put(last, &mut sql, &mut values);
        Dialect::Postgres.raw(sql, values)
    }
}

/// Puts a statement behind others, its values behind theirs.
fn put(statement: Statement, sql: &mut String, values: &mut Vec<Value>) {
    let before = values.len();
    values.extend(statement.values.map_or(Vec::new(), |own| own.0));
    let mut pieces = statement.sql.split('$');
    sql.extend(pieces.next());
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = piece.split_at(digits);
        sql.push('$');
        match number.parse::<usize>() {
            Ok(number) => sql.push_str(&(number + before).to_string()),
            Err(_) => sql.push_str(number),
        }
        sql.push_str(rest);
    }
}

fn word(sql: &str) -> Statement {
    Dialect::Postgres.raw(sql, [])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_values() {
        let part =
            |sql: &str, values: [i64; 2]| Dialect::Postgres.raw(sql, values.map(Value::from));
        let waiting = Waiting {
            parts: vec![
                part("UPDATE a SET x = $1 WHERE y = $2", [1, 2]),
                part("UPDATE b SET x = $2 WHERE y = $1 AND z = '$'", [3, 4]),
                part("DELETE FROM c WHERE x IN ($1, $2)", [5, 6]),
            ],
            tables: vec!["a", "b", "c"],
        };
        let Statement { sql, values, .. } = waiting.statement();
        assert_eq!(
            sql,
            "WITH part_0 AS (UPDATE a SET x = $1 WHERE y = $2), \
             part_1 AS (UPDATE b SET x = $4 WHERE y = $3 AND z = '$') DELETE FROM c WHERE x IN ($5, $6)"
        );
        let values = values.map(|all| all.0);
        assert_eq!(
            values,
            Some([1, 2, 3, 4, 5, 6_i64].map(Value::from).to_vec())
        );
    }
}
