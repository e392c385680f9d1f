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

/// A set of platforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Platforms(u32);

impl Platforms {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Every one.
    pub const ALL: Self = Self(u32::MAX);

    /// Whether a platform is among them.
    pub const fn has(self, platform: Platform) -> bool {
        self.0 >> platform as u32 & 1 == 1
    }

    /// Whether there is none among them.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Platform> for Platforms {
    fn from_iter<I: IntoIterator<Item = Platform>>(platforms: I) -> Self {
        platforms
            .into_iter()
            .fold(Self::NONE, |all, one| Self(all.0 | 1 << one as u32))
    }
}

/// `WHATSAPP,SMS`; `all`; `none`.
impl std::str::FromStr for Platforms {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "all" => return Ok(Self::ALL),
            "none" => return Ok(Self::NONE),
            _ => {}
        }
        text.split(',')
            .map(str::trim)
            .map(|word| {
                let word = word.to_owned();
                Platform::try_from_value(&word).map_err(|_| word)
            })
            .collect()
    }
}
