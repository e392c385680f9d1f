//! The exchange vocabulary: what happened, as import, export and mutations say it. One event is one message with all that it belongs to.
//!
//! Unknown keys are errors. Profile and session fields that are present overwrite; absent or null ones change nothing.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use crate::clock::Timestamp;
use crate::entity::personal::ERASED;
use crate::entity::platform::Platform;
use crate::entity::role::MessageRole;

/// One message, with the agent, user and session it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The agent.
    pub agent: AgentPart,
    /// The user.
    pub user: UserPart,
    /// The session.
    pub session: SessionPart,
    /// The message.
    pub message: MessagePart,
}

/// What an event says of its agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentPart {
    /// Its id where the data comes from.
    pub external_id: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
}

/// What an event says of its user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPart {
    /// How the user reaches the agent.
    pub platform: Platform,
    /// The user's id there.
    pub platform_id: String,
    /// Name; a blank one counts as none.
    #[serde(default)]
    pub name: Option<String>,
    /// E-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Phone number.
    #[serde(default)]
    pub phone: Option<String>,
    /// Address of a picture.
    #[serde(default)]
    pub profile_picture_url: Option<String>,
    /// BCP 47 language tag.
    #[serde(default)]
    pub language: Option<String>,
    /// Tags: all of them.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// Settings: all of them.
    #[serde(default)]
    pub settings: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What an event says of its session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionPart {
    /// Its id where the data comes from.
    pub external_id: String,
    /// When it began; the message's time when absent. Of several reports the earliest counts.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When it was closed.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// What it is about.
    #[serde(default)]
    pub subject: Option<String>,
    /// What happened in it.
    #[serde(default)]
    pub summary: Option<String>,
    /// BCP 47 language tag.
    #[serde(default)]
    pub language: Option<String>,
    /// Tags: all of them.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
}

/// The message of an event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagePart {
    /// Its id where the data comes from.
    pub external_id: String,
    /// Who sent it.
    pub role: MessageRole,
    /// What was said; may be empty.
    pub text: String,
    /// What came with it.
    #[serde(default, deserialize_with = "or_none")]
    pub attachments: Vec<AttachmentPart>,
    /// When.
    pub sent_at: Timestamp,
    /// What it cost to answer, in millionths of the configured currency.
    #[serde(default)]
    pub cost_micros: Option<i64>,
}

/// Something that came with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentPart {
    /// What it is, in a word.
    pub kind: String,
    /// Where it can be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A list, or none where there is `null`.
fn or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<AttachmentPart>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Why an event cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The key at fault, dotted: `user.platform_id`.
    pub key: &'static str,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

/// Longest id, in characters.
const MAX_ID: usize = 255;
/// Longest name, subject, address, … in characters.
const MAX_LINE: usize = 2_000;
/// Longest text, in characters.
const MAX_TEXT: usize = 1 << 20;
/// Most tags, and most attachments.
const MAX_ITEMS: usize = 100;

impl Event {
    /// When the session began, as far as this event knows.
    pub fn started_at(&self) -> Timestamp {
        self.session.started_at.unwrap_or(self.message.sent_at)
    }

    /// The earliest moment the event speaks of.
    pub fn earliest(&self) -> Timestamp {
        self.started_at().min(self.message.sent_at)
    }

    /// Whether the event can be stored at all, whatever is stored already.
    pub fn validate(&self) -> Result<(), Rejection> {
        id("agent.external_id", &self.agent.external_id)?;
        personal_id("user.platform_id", &self.user.platform_id)?;
        personal_id("session.external_id", &self.session.external_id)?;
        personal_id("message.external_id", &self.message.external_id)?;
        for (key, line) in [
            ("agent.name", &self.agent.name),
            ("user.name", &self.user.name),
            ("user.email", &self.user.email),
            ("user.phone", &self.user.phone),
            ("user.profile_picture_url", &self.user.profile_picture_url),
            ("user.language", &self.user.language),
            ("session.subject", &self.session.subject),
            ("session.language", &self.session.language),
        ] {
            text(key, line.as_deref(), MAX_LINE)?;
        }
        text(
            "agent.description",
            self.agent.description.as_deref(),
            MAX_TEXT,
        )?;
        text("session.summary", self.session.summary.as_deref(), MAX_TEXT)?;
        text("message.text", Some(&self.message.text), MAX_TEXT)?;
        tags("user.tags", self.user.tags.as_deref())?;
        tags("session.tags", self.session.tags.as_deref())?;
        if self.message.cost_micros.is_some_and(i64::is_negative) {
            return Err(reject("message.cost_micros", "must not be negative"));
        }
        for part in &self.message.attachments {
            for line in [
                Some(&part.kind),
                part.url.as_ref(),
                part.mime_type.as_ref(),
                part.name.as_ref(),
            ] {
                text("message.attachments", line.map(String::as_str), MAX_LINE)?;
            }
        }
        if self.message.attachments.len() > MAX_ITEMS {
            return Err(reject(
                "message.attachments",
                format!("lists more than {MAX_ITEMS}"),
            ));
        }
        Ok(())
    }
}

/// A name or other line that says something; a blank one says nothing.
pub fn said(line: Option<&String>) -> Option<&str> {
    line.map(|line| line.trim()).filter(|line| !line.is_empty())
}

/// A refusal.
pub fn reject(key: &'static str, reason: impl Into<Cow<'static, str>>) -> Rejection {
    Rejection {
        key,
        reason: reason.into(),
    }
}

/// Whether a text can be an id where data comes from.
pub fn id(key: &'static str, id: &str) -> Result<(), Rejection> {
    if id.is_empty() {
        return Err(reject(key, "must not be empty"));
    }
    text(key, Some(id), MAX_ID)
}

/// Whether a text can be an id that is erased one day, and is not erased yet.
fn personal_id(key: &'static str, given: &str) -> Result<(), Rejection> {
    if given.starts_with(ERASED) {
        let reason = format!("starts with `{ERASED}`, as only ids do that were erased");
        return Err(reject(key, reason));
    }
    id(key, given)
}

fn text(key: &'static str, text: Option<&str>, limit: usize) -> Result<(), Rejection> {
    let Some(text) = text else { return Ok(()) };
    if text.contains('\0') {
        return Err(reject(key, "contains U+0000, which cannot be stored"));
    }
    if text.len() > limit && text.chars().count() > limit {
        return Err(reject(key, format!("is longer than {limit} characters")));
    }
    Ok(())
}

fn tags(key: &'static str, tags: Option<&[String]>) -> Result<(), Rejection> {
    let Some(tags) = tags else { return Ok(()) };
    if tags.len() > MAX_ITEMS {
        return Err(reject(key, format!("lists more than {MAX_ITEMS}")));
    }
    tags.iter().try_for_each(|tag| id(key, tag))
}
