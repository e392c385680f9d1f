//! `audit_entries`: who changed what and who read what, and when. Entries are added and never changed.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;

/// One change, or what one request has read.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entries")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The agent concerned.
    pub agent_id: Option<Uuid>,
    /// The user concerned.
    pub chat_user_id: Option<Uuid>,
    /// What was done.
    pub action: AuditAction,
    /// Who did it.
    pub actor: String,
    /// The request that asked for it.
    pub request_id: String,
    /// When.
    pub at: Timestamp,
    /// What changed: a JSON array of `{field, before, after}`.
    pub changes: String,
    /// The operation, where it has a name.
    pub operation: Option<String>,
    /// Whose personal data was read: a JSON array of ids in their text form.
    pub chat_user_ids: String,
}

impl ActiveModelBehavior for ActiveModel {}

/// What can be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Enum, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum AuditAction {
    /// The profile of a user was changed.
    #[default]
    ChatUserUpdated,
    /// Tags were put on a user.
    ChatUserTagged,
    /// Tags were taken off a user.
    ChatUserUntagged,
    /// The settings of a user were changed.
    ChatUserSettingsUpdated,
    /// A user was blocked.
    ChatUserBlocked,
    /// The block of a user was lifted.
    ChatUserUnblocked,
    /// A user subscribed to something.
    ChatUserSubscribed,
    /// A user's subscription ended.
    ChatUserUnsubscribed,
    /// A user stopped the bot.
    ChatUserStopped,
    /// A user started the bot again.
    ChatUserStarted,
    /// A user was merged into another.
    ChatUsersMerged,
    /// A user was deleted softly: hidden, and kept.
    ChatUserDeleted,
    /// Everything personal about a user was erased.
    ChatUserErased,
    /// A user was removed for good.
    ChatUserRemoved,
    /// A user who had been hidden was shown again.
    ChatUserRestored,
    /// The text and the attachments of a message were removed.
    MessageRedacted,
    /// A message was removed.
    MessageRemoved,
    /// An agent was made.
    AgentCreated,
    /// The name, the description or the idle time of an agent was changed.
    AgentUpdated,
    /// An agent was put away.
    AgentArchived,
    /// An agent that was put away takes new events again.
    AgentUnarchived,
    /// Personal data of users was read, or what they and their agent said.
    PersonalDataRead,
    /// A token was made.
    TokenCreated,
    /// A token was revoked.
    TokenRevoked,
}
