//! `subscriptions`: what users want to hear of, by tag.

use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;

/// One subscription of one user.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscriptions")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The user.
    pub chat_user_id: Uuid,
    /// What it is to; unique with the user.
    pub tag: String,
    /// Since when.
    pub subscribed_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
