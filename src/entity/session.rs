//! `sessions`: conversations of one user with one agent.

use sea_orm::entity::prelude::*;

use super::platform::Platform;
use crate::clock::Timestamp;

/// One session, with its figures.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The agent.
    pub agent_id: Uuid,
    /// The user.
    pub chat_user_id: Uuid,
    /// The session's id in the system its data comes from; unique within the agent.
    pub external_id: String,
    /// The user's platform.
    pub platform: Platform,
    /// Earliest of the starts reported for it.
    pub started_at: Timestamp,
    /// When it was closed; open while absent.
    pub ended_at: Option<Timestamp>,
    /// Newest message sent by the user in it.
    pub last_message_at: Option<Timestamp>,
    /// Messages of every role.
    pub total_messages: i64,
    /// Messages sent by the user.
    pub total_messages_from_user: i64,
    /// Sum of `messages.cost_micros`.
    pub total_cost_micros: i64,
    /// What it is about, in a line.
    pub subject: Option<String>,
    /// What happened, in a paragraph.
    pub summary: Option<String>,
    /// BCP 47 language tag.
    pub language: Option<String>,
    /// Tags: a JSON array of distinct strings, sorted.
    pub tags: String,
    /// The agent.
    #[sea_orm(belongs_to, from = "agent_id", to = "id")]
    pub agent: HasOne<super::agent::Entity>,
    /// The user.
    #[sea_orm(belongs_to, from = "chat_user_id", to = "id")]
    pub chat_user: HasOne<super::chat_user::Entity>,
    /// The messages in it.
    #[sea_orm(has_many)]
    pub messages: HasMany<super::message::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
