//! The exchange vocabulary: what happened, as import, export and mutations say it. One event is one message with all that it belongs to,
//! or what is told of a session apart from its messages.
//!
//! Unknown keys are errors. Profile and session fields that are present overwrite; absent or null ones change nothing.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::entity::pii::ERASED;
use crate::entity::platform::Platform;
use crate::entity::role::MessageRole;
use crate::text::visible;

/// One message, with the agent, user and session it belongs to; or a session alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The agent.
    pub agent: AgentPart,
    /// The user.
    pub user: UserPart,
    /// The session.
    #[serde(default, deserialize_with = "or_default")]
    pub session: SessionPart,
    /// The message; an event without one tells that its session started or ended.
    #[serde(default)]
    pub message: Option<MessagePart>,
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
    pub settings: Option<Map<String, Value>>,
    /// When the user stopped the bot. Of several reports the latest counts, and only as long as the user has not written since.
    #[serde(default)]
    pub stopped_at: Option<Timestamp>,
}

/// What an event says of its session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionPart {
    /// Its id where the data comes from. A message without one is put into a session by its time (`write::session_gap`).
    #[serde(default)]
    pub external_id: Option<String>,
    /// When it began; the message's time, or else the end, when absent. Of several reports the earliest counts.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When it was closed. Of several reports the latest counts.
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagePart {
    /// Its id where the data comes from.
    pub external_id: String,
    /// Who sent it.
    pub role: MessageRole,
    /// What was said; may be empty.
    pub text: String,
    /// What came with it.
    #[serde(default, deserialize_with = "or_default")]
    pub attachments: Vec<AttachmentPart>,
    /// When.
    pub sent_at: Timestamp,
    /// What it cost to answer, in millionths of the configured currency.
    #[serde(default)]
    pub cost_micros: Option<i64>,
    /// External id of the message that it replies to.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// Tokens that it took.
    #[serde(default)]
    pub tokens: Option<i64>,
    /// How long it took to answer, in milliseconds.
    #[serde(default)]
    pub response_time_ms: Option<i64>,
    /// How it sounds.
    #[serde(default)]
    pub sentiment: Option<Sentiment>,
}

/// How a message sounds, from -1 to 1, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sentiment(i32);

impl Sentiment {
    /// What a number has to be.
    pub const BOUNDS: &str = "must be a number from -1 to 1";

    /// A number from -1 to 1, as its nearest thousandth.
    pub fn of(number: f64) -> Option<Self> {
        (-1.0..=1.0).contains(&number).then(|| {
            #[expect(clippy::cast_possible_truncation, reason = "from -1000 to 1000")]
            let thousandths = (number * 1000.0).round() as i32;
            Self(thousandths)
        })
    }
}

impl<'de> Deserialize<'de> for Sentiment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        Self::of(number).ok_or_else(|| serde::de::Error::custom(Self::BOUNDS))
    }
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

/// A value, or an empty one where there is `null`.
fn or_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Why an event cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The key at fault, dotted: `user.platform_id`.
    pub key: Cow<'static, str>,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

/// What is wrong with an agent that is not there, and may not be made.
pub(super) const NO_AGENT: &str = "no agent has this id";

impl Rejection {
    /// Whether it names what is not there.
    pub fn is_not_found(&self) -> bool {
        self.reason == NO_AGENT
    }
}

/// Longest id, in characters.
const MAX_ID: usize = 255;
/// Longest name, subject, address, … in characters.
const MAX_LINE: usize = 2_000;
/// Longest text, in characters.
const MAX_TEXT: usize = 1 << 20;
/// Most tags, and most attachments.
const MAX_ITEMS: usize = 100;
/// Highest cost of a message: sums of millions of them stay within 64 bits.
const MAX_COST: i64 = 1_000_000_000_000;
/// What the external ids begin with of sessions that follow from the times of messages. Events cannot name these.
pub const BY_RULE: &str = "parlour:";

impl Event {
    /// When the session began, as far as this event knows.
    pub fn started_at(&self) -> Timestamp {
        let sent_at = || Some(self.message.as_ref()?.sent_at);
        let known = self.session.started_at.or_else(sent_at);
        known.or(self.session.ended_at).unwrap_or_default()
    }

    /// The earliest moment the event speaks of.
    pub fn earliest(&self) -> Timestamp {
        let started_at = self.started_at();
        self.message
            .as_ref()
            .map_or(started_at, |message| started_at.min(message.sent_at))
    }

    /// Whether none of its times is later than this one: what a clock that runs ahead tells would keep a user on top for good.
    pub fn is_until(&self, latest: Timestamp) -> Result<(), Rejection> {
        let times = [
            (
                "message.sent_at",
                self.message.as_ref().map(|message| message.sent_at),
            ),
            ("session.started_at", self.session.started_at),
            ("session.ended_at", self.session.ended_at),
            ("user.stopped_at", self.user.stopped_at),
        ];
        match times.into_iter().find(|(_, time)| *time > Some(latest)) {
            None => Ok(()),
            Some((key, _)) => {
                let reason = format!(
                    "is further ahead of the clock than allowed (clock-ahead-limit): the latest now is {}",
                    latest.to_rfc3339()
                );
                Err(reject(key, reason))
            }
        }
    }

    /// Whether the event can be stored at all, whatever is stored already.
    pub fn validate(&self) -> Result<(), Rejection> {
        id("agent.external_id", &self.agent.external_id)?;
        personal_id("user.platform_id", &self.user.platform_id)?;
        for (key, line) in [
            ("agent.name", &self.agent.name),
            ("user.name", &self.user.name),
            ("user.email", &self.user.email),
            ("user.phone", &self.user.phone),
            ("user.profile_picture_url", &self.user.profile_picture_url),
            ("user.language", &self.user.language),
        ] {
            text(key, line.as_deref(), MAX_LINE)?;
        }
        let description = self.agent.description.as_deref();
        text("agent.description", description, MAX_TEXT)?;
        tags("user.tags", self.user.tags.as_deref())?;
        settings("user.settings", self.user.settings.as_ref())?;
        self.session.validate()?;
        match &self.message {
            Some(message) => message.validate(),
            None => self.session.stands_alone(),
        }
    }
}

impl SessionPart {
    fn validate(&self) -> Result<(), Rejection> {
        const ID: &str = "session.external_id";
        let Some(external_id) = &self.external_id else {
            let says_nothing = *self == Self::default();
            let missing = || {
                reject(
                    ID,
                    "is missing: without it nothing can be told of a session",
                )
            };
            return says_nothing.then_some(()).ok_or_else(missing);
        };
        personal_id(ID, external_id)?;
        if external_id.starts_with(BY_RULE) {
            let reason = format!("must not begin with `{BY_RULE}`");
            return Err(reject(ID, reason));
        }
        text("session.subject", self.subject.as_deref(), MAX_LINE)?;
        text("session.language", self.language.as_deref(), MAX_LINE)?;
        text("session.summary", self.summary.as_deref(), MAX_TEXT)?;
        tags("session.tags", self.tags.as_deref())
    }

    /// Whether it says enough for an event without a message.
    fn stands_alone(&self) -> Result<(), Rejection> {
        if self.external_id.is_none() {
            return Err(reject("message", "is missing, and no session is named"));
        }
        if self.started_at.or(self.ended_at).is_none() {
            let reason = "is missing: without a message an event tells when its session started, or when it ended";
            return Err(reject("session.started_at", reason));
        }
        Ok(())
    }
}

impl MessagePart {
    fn validate(&self) -> Result<(), Rejection> {
        personal_id("message.external_id", &self.external_id)?;
        if let Some(reply_to) = &self.reply_to {
            id("message.reply_to", reply_to)?;
        }
        text("message.text", Some(&self.text), MAX_TEXT)?;
        for (key, number) in [
            ("message.cost_micros", self.cost_micros),
            ("message.tokens", self.tokens),
            ("message.response_time_ms", self.response_time_ms),
        ] {
            if number.is_some_and(i64::is_negative) {
                return Err(reject(key, "must not be negative"));
            }
        }
        if self.cost_micros.is_some_and(|micros| micros > MAX_COST) {
            let reason = "must not be more than a million of the currency";
            return Err(reject("message.cost_micros", reason));
        }
        for part in &self.attachments {
            for line in [
                Some(&part.kind),
                part.url.as_ref(),
                part.mime_type.as_ref(),
                part.name.as_ref(),
            ] {
                text("message.attachments", line.map(String::as_str), MAX_LINE)?;
            }
        }
        if self.attachments.len() > MAX_ITEMS {
            return Err(reject(
                "message.attachments",
                format!("lists more than {MAX_ITEMS}"),
            ));
        }
        Ok(())
    }
}

/// A name or other line that shows something; a blank or an invisible one says nothing.
pub fn said(line: Option<&String>) -> Option<&str> {
    line.and_then(|line| visible(line))
}

/// A refusal.
pub fn reject(key: &'static str, reason: impl Into<Cow<'static, str>>) -> Rejection {
    Rejection {
        key: key.into(),
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
    tags.iter().try_for_each(|tag| id(key, tag.trim()))
}

fn settings(key: &'static str, settings: Option<&Map<String, Value>>) -> Result<(), Rejection> {
    let has_nul = settings.is_some_and(|fields| {
        fields
            .iter()
            .any(|(key, value)| key.contains('\0') || has_nul(value))
    });
    if has_nul {
        return Err(reject(key, "contain U+0000, which cannot be stored"));
    }
    Ok(())
}

/// Whether a text or a key with U+0000 is in a value.
pub(super) fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}
