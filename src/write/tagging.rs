//! Tags for all users of an agent for whom a condition holds, a bounded batch of them at a time.

use sea_orm::sea_query::{Condition, Expr, ExprTrait, SelectStatement};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::agent;
use super::authorized::AuthorizedMutation;
use super::chat_user::Fields;
use super::profile::{self, Change, Made};
use crate::caller::{Caller, Permission, Principal};
use crate::db::dialect::Dialect;
use crate::db::{Reader, Transaction, TransactionError, UnitOfWork};
use crate::entity::chat_user::{Entity, Model};
use crate::error::Result;
use crate::read::Noun;
use crate::read::columns::listed;

/// How many users one transaction tags at most.
pub const BATCH: u64 = 250;

/// Changes the tags of the next users of an agent for whom a condition holds and whom the change makes others.
///
/// Who has been changed is not among them any more, so the same again goes on with the next ones.
#[derive(Debug)]
pub struct TagNext<'a> {
    /// The agent.
    pub agent: Uuid,
    /// The condition.
    pub condition: Condition,
    /// Tags on, or tags off; normalised.
    pub change: &'a Change,
    /// Users who are left as they are.
    pub except: &'a [Uuid],
    /// How many users there must be to change; with any other number nothing is changed.
    pub expected: Option<i64>,
    /// How many users may be changed at most.
    pub at_most: u64,
    /// How many of them in this transaction, [`BATCH`] at most: whoever writes beside it waits until it ends.
    pub step: u64,
    /// Who asks.
    pub by: &'a Caller,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tagged {
    /// How many users were changed.
    pub count: u64,
    /// Users who would have too many tags.
    pub refused: Vec<Uuid>,
    /// Whether there may be more.
    pub more: bool,
    /// How many users there are to change, where another number was expected: then none was changed.
    pub unexpected: Option<i64>,
}

impl AuthorizedMutation for TagNext<'_> {
    const NEEDS: Permission = Permission::UsersWrite;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for TagNext<'_> {
    /// None when there is no such agent.
    type Output = Option<Tagged>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        if !agent::hold(transaction, self.by().agents.own(self.agent)).await? {
            return Ok(None);
        }
        let dialect = transaction.dialect();
        if let Some(expected) = self.expected {
            let counts = transaction
                .rows(dialect.statement(&self.count(dialect)))
                .await?;
            let found: i64 = counts
                .first()
                .map_or(Ok(0), |row| row.try_get("", "count"))?;
            if found != expected {
                return Ok(Some(Tagged {
                    unexpected: Some(found),
                    ..Tagged::default()
                }));
            }
        }
        let step = Ord::min(self.step, BATCH);
        let limit = Ord::min(self.at_most, step);
        let mut select = self.select(dialect);
        select
            .expr(Expr::cust(listed::<Entity>()))
            .and_where(Expr::col((Entity::TABLE, "id")).is_not_in(self.except.iter().copied()))
            .limit(limit);
        let found: Vec<Model> = transaction.fetch(dialect.statement(&select)).await?;
        let mut tagged = Tagged {
            more: found.len() as u64 == step,
            ..Tagged::default()
        };
        let mut made = Vec::with_capacity(found.len());
        for row in &found {
            let before = Fields::from(row.clone());
            let Ok(after) = self.change.applied(&before) else {
                tagged.refused.push(row.id);
                continue;
            };
            tagged.count += 1;
            made.push(Made {
                row,
                action: self.change.action(),
                before,
                after,
            });
        }
        profile::write(transaction, self.by, &made).await?;
        Ok(Some(tagged))
    }
}

impl TagNext<'_> {
    /// How many users there are to change. Changes nothing.
    pub async fn count_users(&self, reader: &Reader) -> Result<i64> {
        self.permitted()?;
        let counts = reader
            .dedicated()
            .select(&self.count(reader.dialect()))
            .await?;
        Ok(counts
            .first()
            .map_or(Ok(0), |row| row.try_get("", "count"))?)
    }

    fn count(&self, dialect: Dialect) -> SelectStatement {
        let mut select = self.select(dialect);
        select.expr_as(Expr::cust("COUNT(*)"), "count");
        select
    }

    /// The users to change.
    fn select(&self, dialect: Dialect) -> SelectStatement {
        let mut select = Entity::visible(&self.by.principal);
        select
            .and_where(Expr::col((Entity::TABLE, "agent_id")).eq(self.agent))
            .and_where(Expr::col((Entity::TABLE, "erased_at")).is_null())
            .cond_where(self.condition.clone())
            .cond_where(self.makes_another(dialect));
        select
    }

    /// Who has not all of the tags that are put on; who has one of those that are taken off.
    fn makes_another(&self, dialect: Dialect) -> Condition {
        let none = Condition::any().add(Expr::cust("1 = 0"));
        match self.change {
            Change::Tag(tags) => tags
                .iter()
                .fold(none, |any, tag| any.add(dialect.tagged(tag).not())),
            Change::Untag(tags) => tags
                .iter()
                .fold(none, |any, tag| any.add(dialect.tagged(tag))),
            Change::Profile(_) | Change::Settings(_) => none,
        }
    }
}
