//! What becomes of one message that was recorded: redacted, it keeps its place and counts; removed, it is as if it had not been
//! recorded.

use std::collections::{BTreeMap, HashSet};

use sea_orm::Value;
use uuid::Uuid;

use super::audit::{self, Difference, Entry};
use super::authorized::AuthorizedMutation;
use super::event::BY_RULE;
use super::profile::{self, Refused};
use super::resessionize::{self, TimeRange};
use super::session_gap::headed_by;
use super::{agent, chat_user};
use crate::caller::{Caller, Permission, Principal};
use crate::clock::Timestamp;
use crate::db::{Transaction, TransactionError, UnitOfWork, by_name};
use crate::entity::audit_entry::AuditAction;
use crate::entity::chat_user::Model as User;
use crate::entity::role::MessageRole;
use crate::id::ObjectKind;

/// The start of a session that has not begun.
const NEVER: i64 = i64::MAX;

/// What is to become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventOutcome {
    /// Its text and attachments go.
    Redacted,
    /// It goes, and the figures that it counted in are lowered. Recorded again, it is a new message.
    Removed,
}

/// Redacts or removes a message.
#[derive(Debug)]
pub struct ChangeMessage<'a> {
    /// The message.
    pub id: Uuid,
    /// What is to become of it.
    pub fate: EventOutcome,
    /// When.
    pub now: Timestamp,
    /// Who asks.
    pub by: &'a Caller,
}

/// What is known of a message.
struct Stored {
    chat_user_id: Uuid,
    session_id: Uuid,
    role: MessageRole,
    sent_at: Timestamp,
    cost_micros: Option<i64>,
    redacted_at: Option<Timestamp>,
}
by_name!(Stored {
    chat_user_id,
    session_id,
    role,
    sent_at,
    cost_micros,
    redacted_at
});

impl AuthorizedMutation for ChangeMessage<'_> {
    const NEEDS: Permission = Permission::UsersDelete;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for ChangeMessage<'_> {
    /// The user whose message it is, or was.
    type Output = Result<Uuid, Refused>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let Some(message) = self.find(transaction).await? else {
            return Ok(Err(Refused::NotFound));
        };
        // Who has the user holds the agent: nobody else writes to the message from here on.
        let user = match profile::find_one(transaction, self.by(), message.chat_user_id).await? {
            Ok(user) => user,
            Err(refused) => return Ok(Err(refused)),
        };
        let Some(message) = self.find(transaction).await? else {
            return Ok(Err(Refused::NotFound));
        };
        match self.fate {
            EventOutcome::Redacted if message.redacted_at.is_some() => return Ok(Ok(user.id)),
            EventOutcome::Redacted => self.redact(transaction).await?,
            EventOutcome::Removed => self.remove(transaction, &message, &user).await?,
        }
        audit::enter(transaction, self.by, &[self.entry(&user)]).await?;
        Ok(Ok(user.id))
    }
}

impl ChangeMessage<'_> {
    async fn find(&self, transaction: &Transaction) -> Result<Option<Stored>, TransactionError> {
        let sql = "SELECT chat_user_id, session_id, role, sent_at, cost_micros, redacted_at FROM messages WHERE id = $1";
        let statement = transaction.dialect().raw(sql, [self.id.into()]);
        let found: Vec<Stored> = transaction.fetch(statement).await?;
        Ok(found.into_iter().next())
    }

    async fn redact(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        let sql =
            "UPDATE messages SET text = '', attachments = '[]', redacted_at = $2 WHERE id = $1";
        let values: [Value; 2] = [self.id.into(), self.now.into()];
        execute(transaction, sql, values).await
    }

    /// The session loses the message, or goes with it if nothing else told of it. Messages that name no session are settled again.
    async fn remove(
        &self,
        transaction: &Transaction,
        message: &Stored,
        user: &User,
    ) -> Result<(), TransactionError> {
        let own = i64::from(message.role == MessageRole::User);
        let cost = message.cost_micros.unwrap_or(0);
        let sql = "DELETE FROM messages WHERE id = $1";
        execute(transaction, sql, [self.id.into()]).await?;
        self.lower_session(transaction, message, [own, cost])
            .await?;
        let stretch = TimeRange::of(message.sent_at);
        resessionize::stretches(transaction, &BTreeMap::from([(user.id, stretch)])).await?;
        let sql = "DELETE FROM sessions WHERE id = $1 AND started_at = $2 AND total_messages = 0";
        let values = [message.session_id.into(), NEVER.into()];
        let statement = transaction.dialect().raw(sql, values);
        let removed = transaction.execute(statement).await?;
        let sessions = i64::try_from(removed).unwrap_or(0);
        lower_user(transaction, user.id, [sessions, own, cost]).await?;
        let nothing = BTreeMap::from([(user.id, chat_user::Movement::default())]);
        chat_user::count(transaction, &nothing, &HashSet::new()).await?;
        let by = agent::Movement {
            sessions: -sessions,
            messages: -1,
            cost: -cost,
            ..agent::Movement::default()
        };
        agent::count(transaction, &BTreeMap::from([(user.agent_id, by)])).await
    }

    /// Lowers the figures of the message's session. One that began with it begins with the next message that names it, or else with
    /// its end; or it has not begun, and is to go once the messages have left it that do not name it.
    async fn lower_session(
        &self,
        transaction: &Transaction,
        message: &Stored,
        [own, cost]: [i64; 2],
    ) -> Result<(), TransactionError> {
        let sql = format!(
            "UPDATE sessions SET total_messages = total_messages - 1, \
             total_messages_from_user = total_messages_from_user - $2, total_cost_micros = total_cost_micros - $3, \
             started_at = CASE WHEN external_id = $5 THEN $6 \
                 WHEN substr(external_id, 1, {}) = '{BY_RULE}' OR started_at <> $4 THEN started_at \
                 ELSE COALESCE((SELECT MIN(messages.sent_at) FROM messages WHERE messages.session_id = sessions.id \
                     AND messages.by_rule = 0), ended_at, $6) END, \
             last_message_at = (SELECT messages.sent_at FROM messages WHERE messages.session_id = sessions.id \
                 AND messages.role = 'USER' ORDER BY messages.sent_at DESC, messages.id DESC LIMIT 1) WHERE id = $1",
            BY_RULE.len()
        );
        let values = [
            message.session_id.into(),
            own.into(),
            cost.into(),
            message.sent_at.into(),
            headed_by(self.id).into(),
            NEVER.into(),
        ];
        execute(transaction, &sql, values).await
    }

    fn entry(&self, user: &User) -> Entry {
        Entry {
            action: match self.fate {
                EventOutcome::Redacted => AuditAction::MessageRedacted,
                EventOutcome::Removed => AuditAction::MessageRemoved,
            },
            agent: Some(user.agent_id),
            chat_user: Some(user.id),
            changes: vec![Difference {
                field: "message",
                before: ObjectKind::Message.encode(self.id).into(),
                after: serde_json::Value::Null,
            }],
        }
    }
}

/// Lowers a user's figures by one message, and finds their times again.
async fn lower_user(
    transaction: &Transaction,
    user: Uuid,
    [sessions, own, cost]: [i64; 3],
) -> Result<(), TransactionError> {
    const LAST: &str = "FROM messages WHERE messages.chat_user_id = chat_users.id AND messages.role = 'USER' \
                        ORDER BY messages.sent_at DESC, messages.id DESC LIMIT 1";
    let sql = format!(
        "UPDATE chat_users SET total_sessions = total_sessions - $2, total_chat_messages = total_chat_messages - 1, \
         total_messages_sent = total_messages_sent - $3, total_cost_micros = total_cost_micros - $4, \
         last_message_at = (SELECT messages.sent_at {LAST}), last_message_id = (SELECT messages.id {LAST}), \
         created_at = COALESCE((SELECT MIN(moment) FROM ( \
             SELECT MIN(sessions.started_at) AS moment FROM sessions WHERE sessions.chat_user_id = chat_users.id UNION ALL \
             SELECT MIN(messages.sent_at) FROM messages WHERE messages.chat_user_id = chat_users.id) AS moments), created_at) \
         WHERE id = $1"
    );
    let values = [user.into(), sessions.into(), own.into(), cost.into()];
    execute(transaction, &sql, values).await
}

async fn execute<const N: usize>(
    transaction: &Transaction,
    sql: &str,
    values: [Value; N],
) -> Result<(), TransactionError> {
    let statement = transaction.dialect().raw(sql, values);
    transaction.execute(statement).await?;
    Ok(())
}
