//! `messages`: what was said, by whom, when.

use sea_orm::entity::prelude::*;

use super::role::MessageRole;
use crate::clock::Timestamp;

/// One message.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The session it was said in.
    pub session_id: Uuid,
    /// The user whose conversation it belongs to, whoever sent it.
    pub chat_user_id: Uuid,
    /// The message's id in the system its data comes from; unique within the user.
    pub external_id: String,
    /// Who sent it.
    pub role: MessageRole,
    /// What was said; may be empty.
    pub text: String,
    /// Attachments: a JSON array of objects.
    pub attachments: String,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What it cost to answer, in millionths of the configured currency.
    pub cost_micros: Option<i64>,
    /// The external id of the message that it replies to.
    pub reply_to: Option<String>,
    /// Tokens that it took.
    pub tokens: Option<i64>,
    /// How long it took to answer, in milliseconds.
    pub response_time_ms: Option<i64>,
    /// How it sounds, from -1000 to 1000.
    pub sentiment_thousandths: Option<i64>,
    /// 1 where the message named no session: which one it is in follows from the times around it (docs/decisions/0018).
    pub by_rule: i64,
    /// The id under which the user was known then, where that one has been merged into another; external ids are unique with it.
    pub sent_as: Option<Uuid>,
    /// When its text and attachments were removed.
    pub redacted_at: Option<Timestamp>,
    /// Whether what was said has been left out of this row. No column.
    #[sea_orm(ignore)]
    pub withheld: bool,
    /// The session.
    #[sea_orm(belongs_to, from = "session_id", to = "id")]
    pub session: HasOne<super::session::Entity>,
    /// The user.
    #[sea_orm(belongs_to, from = "chat_user_id", to = "id")]
    pub chat_user: HasOne<super::chat_user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
