//! `chat_users`: the people who talk to agents. A person who talks to two agents is two chat users.

use sea_orm::entity::prelude::*;

use super::platform::Platform;
use crate::clock::Timestamp;

/// One chat user: profile, and figures moved by every write.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "chat_users")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The agent this user talks to.
    pub agent_id: Uuid,
    /// How the user reaches the agent.
    pub platform: Platform,
    /// The user's id there; unique with agent and platform.
    pub platform_id: String,
    /// Name as given; never blank.
    pub name: Option<String>,
    /// `name` as it sorts and matches (`search::normalise`).
    pub name_key: Option<String>,
    /// E-mail address as given.
    pub email: Option<String>,
    /// `email` as it matches.
    pub email_key: Option<String>,
    /// Phone number as given.
    pub phone_number: Option<String>,
    /// Address of a picture.
    pub profile_picture_url: Option<String>,
    /// BCP 47 language tag.
    pub language: Option<String>,
    /// Tags: a JSON array of distinct strings, sorted.
    pub tags: String,
    /// Settings: a JSON object.
    pub settings: String,
    /// The earliest session start or message.
    pub created_at: Timestamp,
    /// Newest of the user's own messages and session starts.
    pub last_interaction_at: Timestamp,
    /// Newest message sent by the user.
    pub last_message_at: Option<Timestamp>,
    /// That message.
    pub last_message_id: Option<Uuid>,
    /// Sessions of the user.
    pub total_sessions: i64,
    /// Messages in these sessions, of every role.
    pub total_chat_messages: i64,
    /// Messages sent by the user.
    pub total_messages_sent: i64,
    /// Sum of `messages.cost_micros`.
    pub total_cost_micros: i64,
    /// What a search looks through (`search::text`).
    pub search_text: String,
    /// Grows by one with each change of the profile.
    pub version: i64,
    /// When the user was blocked; absent for who is not.
    pub blocked_at: Option<Timestamp>,
    /// When the block ends by itself.
    pub blocked_until: Option<Timestamp>,
    /// Why.
    pub block_reason: Option<String>,
    /// By whom.
    pub blocked_by: Option<String>,
    /// When the user stopped the bot; absent for who has not, or has written since.
    pub stopped_at: Option<Timestamp>,
    /// When everything personal was taken out of the profile; absent for who was not erased.
    pub erased_at: Option<Timestamp>,
    /// Whether what is personal in this row has been replaced by its shape. No column.
    #[sea_orm(ignore)]
    pub masked: bool,
    /// The agent.
    #[sea_orm(belongs_to, from = "agent_id", to = "id")]
    pub agent: HasOne<super::agent::Entity>,
    /// The user's sessions.
    #[sea_orm(has_many)]
    pub sessions: HasMany<super::session::Entity>,
    /// The user's messages, across sessions.
    #[sea_orm(has_many)]
    pub messages: HasMany<super::message::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
