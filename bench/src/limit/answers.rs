//! Rows as JSON. Each writer takes the rows one after the other, wherever they come from.

use super::json::{Json, Place};
use crate::Result;

/// Ten columns of a user.
#[derive(Debug)]
pub(super) struct User<'a> {
    pub(super) id: u128,
    pub(super) name: Option<&'a str>,
    pub(super) email: Option<&'a str>,
    pub(super) platform: &'a str,
    pub(super) platform_id: &'a str,
    pub(super) created_at: i64,
    pub(super) last_message_at: Option<i64>,
    pub(super) total_sessions: i64,
    pub(super) total_chat_messages: i64,
    pub(super) total_messages_sent: i64,
}

impl User<'_> {
    /// What is read of one, in this order.
    pub(super) const COLUMNS: &'static str = "id, name, email, platform, platform_id, created_at, last_message_at, \
                                      total_sessions, total_chat_messages, total_messages_sent";
}

/// A page of users that is being written.
#[derive(Debug)]
pub(super) struct Page {
    json: Json,
    size: usize,
    rows: usize,
    last: Option<Place>,
}

/// Whether a row belongs to the page, or says only that there are more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventOutcome {
    Shown,
    More,
}

impl Page {
    pub(super) fn new(size: usize, bytes: usize) -> Self {
        let mut json = Json::with_capacity(bytes);
        json.raw(r#"{"data":{"chatUsers":{"nodes":["#);
        Self {
            json,
            size,
            rows: 0,
            last: None,
        }
    }

    /// Counts a row in. Its place is told by its id and by when the last message was.
    fn take(&mut self, id: u128, last_message_at: Option<i64>) -> EventOutcome {
        self.rows += 1;
        if self.rows > self.size {
            return EventOutcome::More;
        }
        self.json.comma(self.rows == 1);
        self.last = Some(Place {
            key: last_message_at.unwrap_or(-i64::MAX),
            id,
        });
        EventOutcome::Shown
    }

    /// A row of the table of users.
    pub(super) fn user(&mut self, user: &User<'_>) {
        if self.take(user.id, user.last_message_at) == EventOutcome::More {
            return;
        }
        let json = &mut self.json;
        json.id(r#"{"id":"user_"#, user.id);
        json.raw(r#","name":"#).maybe_text(user.name);
        json.raw(r#","email":"#).maybe_text(user.email);
        json.raw(r#","platform":""#).raw(user.platform);
        json.raw(r#"","platformId":"#).text(user.platform_id);
        json.raw(r#","createdAt":"#).time(user.created_at);
        json.raw(r#","lastMessageAt":"#)
            .maybe_time(user.last_message_at);
        json.raw(r#","totalSessions":"#)
            .integer(user.total_sessions);
        json.raw(r#","totalChatMessages":"#)
            .integer(user.total_chat_messages);
        json.raw(r#","totalMessagesSent":"#)
            .integer(user.total_messages_sent);
        json.raw("}");
    }

    /// The head of a row with sessions: those follow, and then [`END`].
    pub(super) fn walker(
        &mut self,
        id: u128,
        name: Option<&str>,
        last_message_at: Option<i64>,
    ) -> EventOutcome {
        let fate = self.take(id, last_message_at);
        if fate == EventOutcome::Shown {
            self.json.id(r#"{"id":"user_"#, id);
            self.json.raw(r#","name":"#).maybe_text(name);
            self.json
                .raw(r#","lastMessageAt":"#)
                .maybe_time(last_message_at);
            self.json.raw(r#","sessions":{"nodes":["#);
        }
        fate
    }

    pub(super) const fn json(&mut self) -> &mut Json {
        &mut self.json
    }

    pub(super) fn finish(mut self) -> Json {
        self.json.raw(r#"],"pageInfo":{"hasNextPage":"#);
        self.json.boolean(self.rows > self.size);
        self.json.raw(r#","endCursor":"#);
        match self.last {
            Some(place) => self.json.cursor(place),
            None => self.json.raw("null"),
        };
        self.json.raw("}}}}");
        self.json
    }
}

/// Ends the rows within a row, and the row.
pub(super) const END: &str = "]}}";

/// The head of a user whose sessions follow.
pub(super) fn head(json: &mut Json, id: u128, name: Option<&str>) {
    json.id(r#"{"id":"user_"#, id);
    json.raw(r#","name":"#).maybe_text(name);
    json.raw(r#","sessions":{"nodes":["#);
}

/// The head of a session whose messages follow.
pub(super) fn session_head(json: &mut Json, id: u128, started_at: i64, total_messages: i64) {
    json.id(r#"{"id":"session_"#, id);
    json.raw(r#","startedAt":"#).time(started_at);
    json.raw(r#","totalMessages":"#).integer(total_messages);
    json.raw(r#","messages":{"nodes":["#);
}

/// A session in a walk.
pub(super) fn session(
    json: &mut Json,
    id: u128,
    started_at: i64,
    ended_at: Option<i64>,
    total_messages: i64,
) {
    json.id(r#"{"id":"session_"#, id);
    json.raw(r#","startedAt":"#).time(started_at);
    json.raw(r#","endedAt":"#).maybe_time(ended_at);
    json.raw(r#","totalMessages":"#)
        .integer(total_messages)
        .raw("}");
}

/// A message in a conversation.
pub(super) fn message(json: &mut Json, id: u128, role: &str, text: &str, sent_at: i64) {
    json.id(r#"{"id":"message_"#, id);
    json.raw(r#","role":""#).raw(role);
    json.raw(r#"","text":"#).text(text);
    json.raw(r#","sentAt":"#).time(sent_at).raw("}");
}

/// The answer about one user, of whom `write` says what there is to say.
pub(super) fn one_user(bytes: usize, write: impl FnOnce(&mut Json) -> Result<()>) -> Result<Json> {
    let mut json = Json::with_capacity(bytes);
    json.raw(r#"{"data":{"chatUser":"#);
    write(&mut json)?;
    json.raw("}}");
    Ok(json)
}

/// The answer about some users, without a place to go on from.
pub(super) fn some_users(
    bytes: usize,
    write: impl FnOnce(&mut Json) -> Result<()>,
) -> Result<Json> {
    let mut json = Json::with_capacity(bytes);
    json.raw(r#"{"data":{"chatUsers":{"nodes":["#);
    write(&mut json)?;
    json.raw("]}}}");
    Ok(json)
}

/// How many there are.
pub(super) fn total(count: i64) -> Json {
    let mut json = Json::with_capacity(64);
    json.raw(r#"{"data":{"chatUsers":{"totalCount":"#)
        .integer(count)
        .raw("}}}");
    json
}

/// Who has another name now.
pub(super) fn renamed(id: u128, name: &str) -> Json {
    let mut json = Json::with_capacity(256);
    json.id(r#"{"data":{"updateChatUser":{"chatUser":{"id":"user_"#, id);
    json.raw(r#","name":"#)
        .text(name)
        .raw(r#"},"userErrors":[]}}}"#);
    json
}
