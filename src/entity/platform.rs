//! The platforms on which users reach agents: the same words in the graph, the exchange format and the tables.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// How a chat user reaches an agent.
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
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[non_exhaustive]
pub enum Platform {
    /// A chat window on a website.
    #[default]
    Web,
    /// A mobile application.
    Mobile,
    /// A program that calls the agent.
    Api,
    /// Telegram.
    Telegram,
    /// Facebook Messenger.
    Messenger,
    /// `WhatsApp`.
    Whatsapp,
    /// Instagram direct messages.
    Instagram,
    /// Viber.
    Viber,
    /// LINE.
    Line,
    /// `WeChat`.
    Wechat,
    /// Slack.
    Slack,
    /// Discord.
    Discord,
    /// Microsoft Teams.
    Teams,
    /// Google Chat.
    GoogleChat,
    /// Matrix.
    Matrix,
    /// Internet Relay Chat.
    Irc,
    /// Gitter.
    Gitter,
    /// Twitter / X direct messages.
    Twitter,
    /// Text messages.
    Sms,
    /// E-mail.
    Email,
    /// Telephone.
    Voice,
    /// Anything else.
    Other,
}
