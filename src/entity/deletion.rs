//! `deletions`: who was to be deleted and how; while it is under way how far it has come, then the receipt.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;

/// One deletion of one user.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deletions")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The user's agent.
    pub agent_id: Uuid,
    /// The user.
    pub chat_user_id: Uuid,
    /// How.
    pub mode: DeletionMode,
    /// Who asked for it.
    pub actor: String,
    /// The request that asked for it.
    pub request_id: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When nothing was left to do; absent while there is.
    pub finished_at: Option<Timestamp>,
    /// Rows that were hidden, erased or removed so far: a JSON object from table to number.
    pub counts: String,
    /// The table that is worked on.
    pub stage: String,
    /// The place in its order up to which it is done.
    pub stage_at: Timestamp,
    /// The row at that place.
    pub stage_id: Uuid,
}

impl ActiveModelBehavior for ActiveModel {}

/// What is to become of a user who is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Enum, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum DeletionMode {
    /// Hidden everywhere, and kept: the user can be restored.
    #[default]
    Soft,
    /// Everything personal is erased. Rows, times, figures and costs stay, of somebody without a name.
    Erase,
    /// The rows are removed, and the agent's figures go down.
    Hard,
}
