//! Tags for all users of an agent for whom a condition holds, a bounded batch of them at a time.

use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::agent;
use super::asked::Asked;
use super::chat_user::Fields;
use super::profile::{self, Change, Made};
use crate::caller::{Caller, Permission, Principal};
use crate::db::dialect::Dialect;
use crate::db::{Transaction, Undone, Work};
use crate::entity::chat_user::{Entity, Model};
use crate::read::Noun;
use crate::read::columns::listed;

/// How many users one transaction tags.
const BATCH: usize = 250;

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
}

impl Asked for TagNext<'_> {
    const NEEDS: Permission = Permission::UsersWrite;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl Work for TagNext<'_> {
    /// None when there is no such agent.
    type Output = Option<Tagged>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, Undone> {
        if !agent::hold(transaction, self.by().agents.own(self.agent)).await? {
            return Ok(None);
        }
        let dialect = transaction.dialect();
        let mut select = Entity::visible(&self.by.principal);
        select
            .expr(Expr::cust(listed::<Entity>()))
            .and_where(Expr::col((Entity::TABLE, "agent_id")).eq(self.agent))
            .and_where(Expr::col((Entity::TABLE, "erased_at")).is_null())
            .cond_where(self.condition.clone())
            .cond_where(self.makes_another(dialect))
            .and_where(Expr::col((Entity::TABLE, "id")).is_not_in(self.except.iter().copied()))
            .limit(BATCH as u64);
        let found: Vec<Model> = transaction.fetch(dialect.statement(&select)).await?;
        let mut tagged = Tagged {
            more: found.len() == BATCH,
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
