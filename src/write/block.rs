//! Blocks: a user whom an agent is not to answer, until a time or until further notice.

use std::borrow::Cow;

use serde_json::{Value, json};
use uuid::Uuid;

use super::audit::{self, Difference, Entry};
use super::authorized::AuthorizedMutation;
use super::profile::{self, Invalid, Refused};
use crate::caller::{Caller, Permission, Principal};
use crate::clock::Timestamp;
use crate::db::{Column, Key, Transaction, TransactionError, UnitOfWork};
use crate::entity::audit_entry::AuditAction;
use crate::entity::chat_user::Model;

/// Longest reason, in characters.
const MAX_REASON: usize = 2_000;

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Why.
    pub reason: Option<String>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

impl Block {
    /// Checks a block that begins now.
    pub fn normalise(self, now: Timestamp) -> Result<Self, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let reason = self.reason.map(|reason| reason.trim().to_owned());
        let reason = reason.filter(|reason| !reason.is_empty());
        let mut refuse = |field, reason: Cow<'static, str>| wrong.push(Invalid { field, reason });
        if let Some(reason) = &reason {
            if reason.contains('\0') {
                refuse("reason", "contains U+0000, which cannot be stored".into());
            }
            if reason.chars().count() > MAX_REASON {
                refuse(
                    "reason",
                    format!("is longer than {MAX_REASON} characters").into(),
                );
            }
        }
        if self.until.is_some_and(|until| until <= now) {
            refuse("until", "is not in the future".into());
        }
        if wrong.is_empty() {
            Ok(Self { reason, ..self })
        } else {
            Err(wrong)
        }
    }
}

/// Blocks a user, in place of the block that there may be; or lifts the block.
#[derive(Debug)]
pub struct SetBlock<'a> {
    /// The user.
    pub id: Uuid,
    /// The block, checked; `None` lifts the one that there is.
    pub block: Option<Block>,
    /// When.
    pub now: Timestamp,
    /// Who asks.
    pub by: &'a Caller,
}

impl AuthorizedMutation for SetBlock<'_> {
    const NEEDS: Permission = Permission::UsersWrite;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for SetBlock<'_> {
    type Output = Result<(), Refused>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        const COLUMNS: [(&str, Column); 5] = [
            ("id", Column::Uuid),
            ("blocked_at", Column::Int),
            ("blocked_until", Column::Int),
            ("block_reason", Column::Text),
            ("blocked_by", Column::Text),
        ];
        let row = match profile::find_one(transaction, self.by(), self.id).await? {
            Ok(row) => row,
            Err(refused) => return Ok(Err(refused)),
        };
        let set = self.block.as_ref();
        if row.blocked_at.is_none() && set.is_none() {
            return Ok(Ok(()));
        }
        let columns = (
            Key(row.id),
            set.map(|_| self.now),
            set.and_then(|block| block.until),
            set.and_then(|block| block.reason.as_deref()),
            set.map(|_| &self.by.principal.name),
        );
        let text = "blocked_at = batch.blocked_at, blocked_until = batch.blocked_until, \
                    block_reason = batch.block_reason, blocked_by = batch.blocked_by";
        transaction
            .update("chat_users", &COLUMNS, &[columns], text)
            .await?;
        audit::enter(transaction, self.by, &[self.entry(&row)]).await?;
        Ok(Ok(()))
    }
}

impl SetBlock<'_> {
    fn entry(&self, row: &Model) -> Entry {
        let told = |until: Option<Timestamp>, reason: Option<&str>| json!({ "until": until.map(Timestamp::to_rfc3339), "reason": reason });
        let before = row
            .blocked_at
            .map(|_| told(row.blocked_until, row.block_reason.as_deref()));
        let after = self
            .block
            .as_ref()
            .map(|block| told(block.until, block.reason.as_deref()));
        Entry {
            action: match after {
                Some(_) => AuditAction::ChatUserBlocked,
                None => AuditAction::ChatUserUnblocked,
            },
            agent: Some(row.agent_id),
            chat_user: Some(row.id),
            changes: vec![Difference {
                field: "block",
                before: before.unwrap_or(Value::Null),
                after: after.unwrap_or(Value::Null),
            }],
        }
    }
}
