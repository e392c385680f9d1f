//! `agents`: the bots of a company.

use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;

/// One agent, with its figures.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "agents")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The agent's id in the system its data comes from; unique.
    pub external_id: String,
    /// Display name.
    pub name: Option<String>,
    /// `name` as it sorts and matches (`search::normalise`).
    pub name_key: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// The earliest moment known of it.
    pub created_at: Timestamp,
    /// Chat users of the agent.
    pub total_users: i64,
    /// Sessions of the agent.
    pub total_sessions: i64,
    /// Messages in these sessions, of every role.
    pub total_messages: i64,
    /// Sum of `messages.cost_micros`.
    pub total_cost_micros: i64,
    /// What a search looks through.
    pub search_text: String,
    /// Since when it takes nothing new; absent for one that does.
    pub archived_at: Option<Timestamp>,
    /// Minutes of silence after which a message that names no session opens one.
    pub session_idle_minutes: i64,
    /// The agent's audience.
    #[sea_orm(has_many)]
    pub chat_users: HasMany<super::chat_user::Entity>,
    /// The agent's sessions.
    #[sea_orm(has_many)]
    pub sessions: HasMany<super::session::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
