//! What the hand-written side answers: rows as they come from the database, which turn into the JSON that Parlour sends.
//!
//! Ids, times and cursors become text by Parlour's own functions, and only when the JSON is written: bare SQL pays for none of it.

use parlour::clock::Timestamp;
use parlour::entity::{chat_user, session};
use parlour::id::ObjectKind;
use parlour::read::chat_user::ChatUserOrderField;
use parlour::read::page::{Order, Position};
use parlour::read::session::SessionOrderField;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::bare::row;

/// An answer, by the field that Parlour answers with it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Answer {
    ChatUsers(List<User>),
    #[serde(rename = "chatUsers")]
    Audience(List<UserTree>),
    #[serde(rename = "chatUsers")]
    Facets {
        facets: Facets,
    },
    ChatUser(Option<User>),
    #[serde(rename = "chatUser")]
    History(Option<UserHistory>),
    #[serde(rename = "chatUser")]
    Conversations(Option<UserTree>),
    ChatUserByPlatformId(Option<User>),
    Sessions(List<Session>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct List<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total_count: Option<i64>,
    pub(crate) nodes: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) page_info: Option<Ends>,
}

impl<T> List<T> {
    /// A list without an end to go on from.
    pub(crate) const fn plain(nodes: Vec<T>) -> Self {
        Self {
            total_count: None,
            nodes,
            page_info: None,
        }
    }
}

/// The end of a page from which one goes on.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(crate) enum Ends {
    Forward {
        has_next_page: bool,
        end_cursor: Option<Cursor>,
    },
    Backward {
        has_previous_page: bool,
        start_cursor: Option<Cursor>,
    },
}

#[derive(Debug)]
pub(crate) enum Cursor {
    User(Position, Order<ChatUserOrderField>),
    Session(Position, Order<SessionOrderField>),
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&match self {
            Self::User(position, order) => position.encode::<chat_user::Entity>(*order),
            Self::Session(position, order) => position.encode::<session::Entity>(*order),
        })
    }
}

/// The ten fields of a row in the table of users.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    #[serde(serialize_with = "user_id")]
    id: Uuid,
    name: Option<String>,
    email: Option<String>,
    platform: String,
    platform_id: String,
    #[serde(serialize_with = "time")]
    created_at: i64,
    #[serde(serialize_with = "maybe_time")]
    last_message_at: Option<i64>,
    total_sessions: i64,
    total_chat_messages: i64,
    total_messages_sent: i64,
}
row!(User {
    id,
    name,
    email,
    platform,
    platform_id,
    created_at,
    last_message_at,
    total_sessions,
    total_chat_messages,
    total_messages_sent,
});

impl User {
    pub(crate) const COLUMNS: &str = "id, name, email, platform, platform_id, created_at, last_message_at, \
                                      total_sessions, total_chat_messages, total_messages_sent";
    pub(crate) const FIELDS: &str = "id name email platform platformId createdAt lastMessageAt \
                                     totalSessions totalChatMessages totalMessagesSent";

    pub(crate) const fn id(&self) -> Uuid {
        self.id
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    #[serde(serialize_with = "session_id")]
    id: Uuid,
    external_id: String,
    platform: String,
    #[serde(serialize_with = "time")]
    started_at: i64,
    #[serde(serialize_with = "maybe_time")]
    ended_at: Option<i64>,
    #[serde(serialize_with = "maybe_time")]
    last_message_at: Option<i64>,
    total_messages: i64,
    total_messages_from_user: i64,
}
row!(Session {
    id,
    external_id,
    platform,
    started_at,
    ended_at,
    last_message_at,
    total_messages,
    total_messages_from_user,
});

impl Session {
    pub(crate) const COLUMNS: &str = "id, external_id, platform, started_at, ended_at, last_message_at, \
                                      total_messages, total_messages_from_user";
    pub(crate) const FIELDS: &str = "id externalId platform startedAt endedAt lastMessageAt \
                                     totalMessages totalMessagesFromUser";

    pub(crate) const fn id(&self) -> Uuid {
        self.id
    }
}

/// A user whose sessions, or whose conversations, are shown.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) id: Uuid,
    pub(crate) name: Option<String>,
}
row!(Head { id, name });

#[derive(Debug, Serialize)]
pub(crate) struct UserHistory {
    #[serde(serialize_with = "user_id")]
    pub(crate) id: Uuid,
    pub(crate) name: Option<String>,
    pub(crate) sessions: List<Session>,
}

#[derive(Debug, Serialize)]
pub(crate) struct UserTree {
    #[serde(serialize_with = "user_id")]
    pub(crate) id: Uuid,
    pub(crate) name: Option<String>,
    pub(crate) sessions: List<SessionTree>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionTree {
    #[serde(serialize_with = "session_id")]
    pub(crate) id: Uuid,
    #[serde(serialize_with = "time")]
    pub(crate) started_at: i64,
    pub(crate) total_messages: i64,
    pub(crate) messages: List<Message>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    #[serde(serialize_with = "message_id")]
    pub(crate) id: Uuid,
    #[serde(skip)]
    pub(crate) session_id: Uuid,
    pub(crate) role: String,
    pub(crate) text: String,
    #[serde(serialize_with = "time")]
    pub(crate) sent_at: i64,
}
row!(Message {
    id,
    session_id,
    role,
    text,
    sent_at
});

#[derive(Debug, Serialize)]
pub(crate) struct Facets {
    pub(crate) platform: Vec<PlatformCount>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PlatformCount {
    pub(crate) value: String,
    pub(crate) count: i64,
}
row!(PlatformCount { value, count });

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn time<S: Serializer>(at: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&Timestamp(*at).to_rfc3339())
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn maybe_time<S: Serializer>(at: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| Timestamp(at).to_rfc3339())
        .serialize(serializer)
}

fn user_id<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&ObjectKind::ChatUser.encode(*id))
}

fn session_id<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&ObjectKind::Session.encode(*id))
}

fn message_id<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&ObjectKind::Message.encode(*id))
}
