//! Opt-out: whether a user has stopped the bot. Platforms report it, and it ends when the user writes again.

use sea_orm::{ActiveEnum, Value as SqlValue};
use serde_json::Value;
use uuid::Uuid;

use super::audit::{self, Difference, Entry};
use super::authorized::AuthorizedMutation;
use super::profile::{self, Refused};
use crate::caller::{Caller, Permission, Principal};
use crate::clock::Timestamp;
use crate::db::{Column, Key, Transaction, TransactionError, UnitOfWork};
use crate::entity::audit_entry::AuditAction;
use crate::entity::platform::Platform;

/// A user, by what somebody knows of them.
#[derive(Clone, Debug)]
pub enum UserSelector {
    /// By id.
    Id(Uuid),
    /// By the id on the platform.
    On {
        /// The agent.
        agent: Uuid,
        /// The platform.
        platform: Platform,
        /// The id there.
        platform_id: String,
    },
}

/// Tells since when a user has stopped the bot.
#[derive(Debug)]
pub struct SetStopped<'a> {
    /// The user.
    pub whom: UserSelector,
    /// Since when; none for who has not, or has come back.
    pub stopped_at: Option<Timestamp>,
    /// Who asks.
    pub by: &'a Caller,
}

impl UserSelector {
    async fn id(
        &self,
        transaction: &Transaction,
        by: &Principal,
    ) -> Result<Option<Uuid>, TransactionError> {
        let (agent, platform, platform_id) = match self {
            Self::Id(id) => return Ok(Some(*id)),
            Self::On {
                agent,
                platform,
                platform_id,
            } => (agent, platform, platform_id),
        };
        let sql = "SELECT id FROM chat_users WHERE agent_id = $1 AND platform = $2 AND platform_id = $3 \
                   UNION ALL SELECT id FROM chat_user_aliases WHERE agent_id = $1 AND platform = $2 AND platform_id = $3";
        let key = [
            SqlValue::from(by.agents.own(*agent)),
            platform.to_value().into(),
            platform_id.as_str().into(),
        ];
        let found = transaction
            .rows(transaction.dialect().raw(sql, key))
            .await?;
        Ok(found.first().map(|row| row.try_get("", "id")).transpose()?)
    }
}

impl AuthorizedMutation for SetStopped<'_> {
    const NEEDS: Permission = Permission::UsersWrite;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for SetStopped<'_> {
    /// The user's id.
    type Output = Result<Uuid, Refused>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        const COLUMNS: [(&str, Column); 2] = [("id", Column::Uuid), ("stopped_at", Column::Int)];
        let Some(id) = self.whom.id(transaction, self.by()).await? else {
            return Ok(Err(Refused::NotFound));
        };
        let mut found = profile::find(transaction, self.by(), [id].into_iter()).await?;
        let Some(row) = found.remove(&id) else {
            return Ok(Err(Refused::NotFound));
        };
        let after = self
            .stopped_at
            .filter(|_| self.stopped_at > row.last_message_at);
        if after == row.stopped_at {
            return Ok(Ok(row.id));
        }
        let set = "stopped_at = batch.stopped_at";
        transaction
            .update("chat_users", &COLUMNS, &[(Key(row.id), after)], set)
            .await?;
        let told = |at: Option<Timestamp>| Value::from(at.map(Timestamp::to_rfc3339));
        let entry = Entry {
            action: match after {
                Some(_) => AuditAction::ChatUserStopped,
                None => AuditAction::ChatUserStarted,
            },
            agent: Some(row.agent_id),
            chat_user: Some(row.id),
            changes: vec![Difference {
                field: "stoppedAt",
                before: told(row.stopped_at),
                after: told(after),
            }],
        };
        audit::enter(transaction, self.by, &[entry]).await?;
        Ok(Ok(row.id))
    }
}
