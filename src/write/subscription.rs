//! Subscriptions: made, given another end, and ended.

use sea_orm::Value as SqlValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::audit::{self, Difference, Entry};
use super::authorized::AuthorizedMutation;
use super::profile::{self, Invalid, Refused};
use crate::caller::{Caller, Permission, Principal};
use crate::clock::Timestamp;
use crate::db::{Rows, Transaction, TransactionError, UnitOfWork};
use crate::entity::audit_entry::AuditAction;
use crate::entity::subscription::Model;
use crate::id::derive;

/// Most subscriptions of a user.
pub const MAX_SUBSCRIPTIONS: i64 = 1_000;

/// What is to become of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It is to be, until a time or until it is ended.
    Subscribed(Option<Timestamp>),
    /// It is not to be.
    Unsubscribed,
}

/// Makes a subscription what it is wished to be.
#[derive(Debug)]
pub struct SetSubscription<'a> {
    /// The user.
    pub id: Uuid,
    /// What it is to, checked.
    pub tag: &'a str,
    /// What is to become of it.
    pub wish: Wish,
    /// When.
    pub now: Timestamp,
    /// Who asks.
    pub by: &'a Caller,
}

/// Checks what a subscription is to, and the time at which it is to end.
pub fn check(tag: &str, wish: Wish, now: Timestamp) -> Result<String, Vec<Invalid>> {
    let mut wrong = Vec::new();
    let mut tags = profile::normal_tags(&[tag.to_owned()]).unwrap_or_default();
    if tags.is_empty() {
        let reason = "is empty, longer than 255 characters, or contains U+0000";
        wrong.push(Invalid::new("tag", reason));
    }
    if matches!(wish, Wish::Subscribed(Some(at)) if at <= now) {
        wrong.push(Invalid::new("expiresAt", "is not in the future"));
    }
    if wrong.is_empty() {
        Ok(tags.swap_remove(0))
    } else {
        Err(wrong)
    }
}

impl AuthorizedMutation for SetSubscription<'_> {
    const NEEDS: Permission = Permission::UsersWrite;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for SetSubscription<'_> {
    type Output = Result<(), Refused>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let row = match profile::find_one(transaction, self.by(), self.id).await? {
            Ok(row) => row,
            Err(refused) => return Ok(Err(refused)),
        };
        let dialect = transaction.dialect();
        let key = || [SqlValue::from(row.id), SqlValue::from(self.tag)];
        let sql = "SELECT id, chat_user_id, tag, subscribed_at, expires_at FROM subscriptions WHERE chat_user_id = $1 AND tag = $2";
        let stored: Vec<Model> = transaction.fetch(dialect.raw(sql, key())).await?;
        let holds = |one: &&Model| one.expires_at.is_none_or(|at| at > self.now);
        let before = stored.first().filter(holds);
        let after = match self.wish {
            Wish::Subscribed(expires_at) => {
                let since = before.map_or(self.now, |one| one.subscribed_at);
                if stored.is_empty() && !self.has_room(transaction, row.id).await? {
                    return Ok(Err(Refused::TooManySubscriptions));
                }
                let seed: [&[u8]; 3] = [b"subscription", row.id.as_bytes(), self.tag.as_bytes()];
                let id = derive(self.now, &seed);
                let sql = "INSERT INTO subscriptions (chat_user_id, tag, subscribed_at, expires_at, id) VALUES ($1, $2, $3, $4, $5) \
                           ON CONFLICT (chat_user_id, tag) DO UPDATE \
                           SET subscribed_at = excluded.subscribed_at, expires_at = excluded.expires_at";
                let rest = [since.into(), SqlValue::from(expires_at), id.into()];
                let values = key().into_iter().chain(rest);
                transaction.enqueue(dialect.raw(sql, values)).await?;
                self.told(expires_at)
            }
            Wish::Unsubscribed => {
                let sql = "DELETE FROM subscriptions WHERE chat_user_id = $1 AND tag = $2";
                transaction.enqueue(dialect.raw(sql, key())).await?;
                Value::Null
            }
        };
        let before = before.map_or(Value::Null, |one| self.told(one.expires_at));
        if before != after {
            let entry = Entry {
                action: match self.wish {
                    Wish::Subscribed(_) => AuditAction::ChatUserSubscribed,
                    Wish::Unsubscribed => AuditAction::ChatUserUnsubscribed,
                },
                agent: Some(row.agent_id),
                chat_user: Some(row.id),
                changes: vec![Difference {
                    field: "subscriptions",
                    before,
                    after,
                }],
            };
            audit::enter(transaction, self.by, &[entry]).await?;
        }
        Ok(Ok(()))
    }
}

/// To how many different things users are subscribed, all of them together, whether the subscriptions still hold or not.
pub(super) async fn count(
    transaction: &Transaction,
    users: &[Uuid],
) -> Result<i64, TransactionError> {
    let dialect = transaction.dialect();
    let ids = Rows::ids(users.iter().copied());
    let sql = format!(
        "SELECT COUNT(DISTINCT tag) AS count FROM {} AS wanted JOIN subscriptions ON subscriptions.chat_user_id = wanted.id",
        ids.subquery(dialect, "$1")
    );
    let rows = transaction.rows(dialect.raw(sql, [ids.value()])).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.try_get("", "count"))?)
}

impl SetSubscription<'_> {
    /// Whether the user may have one more; where there are as many as may be, those that have ended make room.
    async fn has_room(
        &self,
        transaction: &Transaction,
        user: Uuid,
    ) -> Result<bool, TransactionError> {
        if count(transaction, &[user]).await? < MAX_SUBSCRIPTIONS {
            return Ok(true);
        }
        let sql = "DELETE FROM subscriptions WHERE chat_user_id = $1 AND expires_at <= $2";
        let values = [SqlValue::from(user), self.now.into()];
        let statement = transaction.dialect().raw(sql, values);
        Ok(transaction.execute(statement).await? > 0)
    }

    fn told(&self, expires_at: Option<Timestamp>) -> Value {
        json!({ "tag": self.tag, "expiresAt": expires_at.map(Timestamp::to_rfc3339) })
    }
}
