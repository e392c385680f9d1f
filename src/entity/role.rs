//! Who sent a message: the same words in the graph, the exchange format (in lower case) and the tables.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// Who sent a message.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Enum,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum MessageRole {
    /// The chat user.
    #[default]
    User,
    /// The agent.
    Agent,
    /// Neither: a notice of the platform or of the system around the agent.
    System,
}
