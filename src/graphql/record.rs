//! `recordMessages`: what happened, in the vocabulary of the exchange format.

use std::collections::HashMap;

use async_graphql::{Context, ID, InputObject, SimpleObject};
use futures_util::future::try_join_all;

use super::scalar::JsonObject;
use super::update::UserErrorCode;
use super::{caller, latest, loaders, writer};
use crate::clock::Timestamp;
use crate::decimal::Decimal;
use crate::entity;
use crate::entity::platform::Platform;
use crate::entity::role::MessageRole;
use crate::error::{Error, Result};
use crate::id::ObjectKind;
use crate::write::event::{
    AgentPart, AttachmentPart, Event, MessagePart, Sentiment, SessionPart, UserPart,
};
use crate::write::{Batch, EventOutcome};

/// How many events one mutation records.
const MAX_EVENTS: usize = 1_000;

/// What happened.
#[derive(InputObject)]
pub(super) struct RecordMessagesInput {
    /// One event for each message, and for what is told of a session apart from its messages. At most 1,000. They may come in any order, and more than once.
    events: Vec<EventInput>,
}

/// A message, with the agent, the user and the session it belongs to. What is not there yet is made. Without a message: that
/// a session started or ended.
#[derive(InputObject)]
struct EventInput {
    /// The agent.
    agent: EventAgentInput,
    /// The user.
    user: EventUserInput,
    /// The session. When absent: the one that the user's messages around it are in, or a new one when they have been silent for
    /// the agent's `sessionIdleMinutes`.
    session: Option<EventSessionInput>,
    /// The message. When absent: `session` has an `externalId`, and `startedAt` or `endedAt`.
    message: Option<EventMessageInput>,
}

/// The agent of an event: by its id, or by its id where the data comes from.
#[derive(InputObject)]
struct EventAgentInput {
    /// The id.
    id: Option<ID>,
    /// The id where the data comes from. An agent that nobody has heard of is made.
    external_id: Option<String>,
    /// The name, when it is to be another.
    name: Option<String>,
    /// What it is for, when that is to be another.
    description: Option<String>,
}

/// The user of an event. Values that are given overwrite; absent ones and null change nothing.
#[derive(InputObject)]
struct EventUserInput {
    /// The platform.
    platform: Platform,
    /// The user's id on the platform.
    platform_id: String,
    /// The name.
    name: Option<String>,
    /// The e-mail address.
    email: Option<String>,
    /// The phone number.
    phone_number: Option<String>,
    /// The address of a picture.
    profile_picture_url: Option<String>,
    /// The language, as a BCP 47 tag.
    language: Option<String>,
    /// The tags: all of them.
    tags: Option<Vec<String>>,
    /// The settings: all of them.
    settings: Option<JsonObject>,
    /// When the user stopped the bot. Of several reports the latest counts, and only as long as the user has not written since.
    stopped_at: Option<Timestamp>,
}

/// The session of an event. Values that are given overwrite; absent ones and null change nothing.
#[derive(InputObject)]
struct EventSessionInput {
    /// The session's id where the data comes from; unique with the agent. Without it nothing else can be told of a session.
    external_id: Option<String>,
    /// When it began. When absent: with the message, or at its end. Of several reports the earliest counts.
    started_at: Option<Timestamp>,
    /// When it was closed. Of several reports the latest counts.
    ended_at: Option<Timestamp>,
    /// What it is about.
    subject: Option<String>,
    /// What happened in it.
    summary: Option<String>,
    /// The language, as a BCP 47 tag.
    language: Option<String>,
    /// The tags: all of them.
    tags: Option<Vec<String>>,
}

/// The message of an event.
#[derive(InputObject)]
struct EventMessageInput {
    /// The message's id where the data comes from; unique with the user. The same again is a duplicate.
    external_id: String,
    /// Who sent it.
    role: MessageRole,
    /// What was said. May be empty.
    text: String,
    /// What came with it.
    attachments: Option<Vec<AttachmentInput>>,
    /// When it was sent.
    sent_at: Timestamp,
    /// The external id of the message of the same user that it replies to. That one may come in later.
    reply_to: Option<String>,
    /// How many tokens it took. Not negative.
    tokens: Option<i64>,
    /// How long it took to answer, in milliseconds. Not negative.
    response_time_ms: Option<i64>,
    /// How it sounds, from -1 to 1. Kept with three digits after the point.
    sentiment: Option<f64>,
    /// What it cost to answer, in the currency of this server: from 0 to 1,000,000.
    cost: Option<Decimal>,
}

/// Something that came with a message.
#[derive(InputObject)]
struct AttachmentInput {
    /// What it is, in a word: `image`, `audio`, `video`, `file`, `location`, …
    kind: String,
    /// Where it can be had.
    url: Option<String>,
    /// Its media type.
    mime_type: Option<String>,
    /// Its size in bytes.
    size: Option<i64>,
    /// Its name.
    name: Option<String>,
}

/// What came of the events.
#[derive(Default, SimpleObject)]
pub(super) struct RecordMessagesPayload {
    /// How many events brought something: a message that was not stored, or, without a message, news of a session or a user.
    recorded: i64,
    /// How many events brought nothing: their message was stored before, or was in the list twice.
    duplicates: i64,
    /// How many events were not taken.
    rejected: i64,
    /// Why they were not; in their order. The others are stored.
    rejections: Vec<EventRejection>,
}

/// Why an event was not taken.
#[derive(Debug, SimpleObject)]
pub(super) struct EventRejection {
    /// Which one, counted from 0.
    index: i32,
    /// What kind of thing was in the way.
    code: UserErrorCode,
    /// What is wrong.
    message: String,
    /// Where in the input: names of fields, and places in lists counted from 0.
    field: Vec<String>,
}

/// Records what happened.
pub(super) async fn record(
    context: &Context<'_>,
    input: RecordMessagesInput,
) -> Result<RecordMessagesPayload> {
    let count = input.events.len();
    if count > MAX_EVENTS {
        let reason = format!("lists {count}, and takes at most {MAX_EVENTS}");
        return Err(Error::bad_input("input.events", reason));
    }
    let agents = agents(context, &input.events).await?;
    let mut payload = RecordMessagesPayload::default();
    let (mut places, mut events) = (Vec::new(), Vec::new());
    for (at, event) in input.events.into_iter().enumerate() {
        match event.told(&agents) {
            Ok(event) => {
                places.push(at);
                events.push(event);
            }
            Err((code, key, reason)) => payload.reject(at, code, key, reason),
        }
    }
    let batch = Batch::of(&events, &caller(context).principal).until(latest(context));
    let outcome = writer(context).transaction(&batch).await?;
    loaders(context).forget();
    for (at, fate) in places.into_iter().zip(outcome.outcomes) {
        match fate {
            EventOutcome::Recorded => payload.recorded += 1,
            EventOutcome::Duplicate => payload.duplicates += 1,
            EventOutcome::Rejected(rejection) => {
                let code = if rejection.is_not_found() {
                    UserErrorCode::NotFound
                } else {
                    UserErrorCode::Invalid
                };
                payload.reject(at, code, &rejection.key, &rejection.reason);
            }
        }
    }
    payload.rejections.sort_by_key(|rejection| rejection.index);
    Ok(payload)
}

/// External ids of the agents that events name by id.
async fn agents(context: &Context<'_>, events: &[EventInput]) -> Result<HashMap<String, String>> {
    let named = events.iter().filter_map(|event| event.agent.id.as_ref());
    let mut ids: Vec<_> = named.map(|id| id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = ids.into_iter().map(async |text| {
        let Some(id) = ObjectKind::Agent.decode(text) else {
            return Ok(None);
        };
        let agent = loaders(context).by_id::<entity::agent::Entity>(id).await?;
        Ok::<_, Error>(agent.map(|agent| (text.to_owned(), agent.external_id.clone())))
    });
    Ok(try_join_all(found).await?.into_iter().flatten().collect())
}

type Refusal = (UserErrorCode, &'static str, &'static str);

impl EventInput {
    /// The event as the write path takes it.
    fn told(self, agents: &HashMap<String, String>) -> Result<Event, Refusal> {
        let external_id = match (self.agent.id, self.agent.external_id) {
            (Some(id), None) => agents.get(id.as_str()).cloned().ok_or((
                UserErrorCode::NotFound,
                "agent.id",
                "no agent has this id",
            ))?,
            (None, Some(external_id)) => external_id,
            _ => {
                let reason = "is named by either `id` or `externalId`";
                return Err((UserErrorCode::Invalid, "agent", reason));
            }
        };
        let user = self.user;
        let message = self.message.map(EventMessageInput::told).transpose()?;
        Ok(Event {
            agent: AgentPart {
                external_id,
                name: self.agent.name,
                description: self.agent.description,
            },
            user: UserPart {
                platform: user.platform,
                platform_id: user.platform_id,
                name: user.name,
                email: user.email,
                phone: user.phone_number,
                profile_picture_url: user.profile_picture_url,
                language: user.language,
                tags: user.tags,
                settings: user.settings.map(|settings| settings.0),
                stopped_at: user.stopped_at,
            },
            session: self.session.map(SessionPart::from).unwrap_or_default(),
            message,
        })
    }
}

impl From<EventSessionInput> for SessionPart {
    fn from(input: EventSessionInput) -> Self {
        Self {
            external_id: input.external_id,
            started_at: input.started_at,
            ended_at: input.ended_at,
            subject: input.subject,
            summary: input.summary,
            language: input.language,
            tags: input.tags,
        }
    }
}

impl EventMessageInput {
    fn told(self) -> Result<MessagePart, Refusal> {
        let sentiment = self.sentiment.map(|sentiment| {
            Sentiment::of(sentiment).ok_or((
                UserErrorCode::Invalid,
                "message.sentiment",
                Sentiment::BOUNDS,
            ))
        });
        let attachments = self.attachments.unwrap_or_default();
        Ok(MessagePart {
            external_id: self.external_id,
            role: self.role,
            text: self.text,
            attachments: attachments.into_iter().map(AttachmentPart::from).collect(),
            sent_at: self.sent_at,
            cost_micros: self.cost.map(|cost| cost.0),
            reply_to: self.reply_to,
            tokens: self.tokens,
            response_time_ms: self.response_time_ms,
            sentiment: sentiment.transpose()?,
        })
    }
}

impl From<AttachmentInput> for AttachmentPart {
    fn from(input: AttachmentInput) -> Self {
        Self {
            kind: input.kind,
            url: input.url,
            mime_type: input.mime_type,
            size: input.size,
            name: input.name,
        }
    }
}

impl RecordMessagesPayload {
    fn reject(&mut self, at: usize, code: UserErrorCode, key: &str, reason: &str) {
        let mut field = vec!["events".to_owned(), at.to_string()];
        field.extend(key.split('.').map(in_the_graph));
        self.rejected += 1;
        self.rejections.push(EventRejection {
            index: i32::try_from(at).unwrap_or(i32::MAX),
            code,
            message: format!("{}: {reason}", field[2..].join(".")),
            field,
        });
    }
}

/// What the graph calls a key of the exchange format.
fn in_the_graph(key: &str) -> String {
    match key {
        "phone" => return "phoneNumber".to_owned(),
        "cost_micros" => return "cost".to_owned(),
        _ => {}
    }
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(word.len().min(1));
        name + &initial.to_ascii_uppercase() + rest
    })
}
