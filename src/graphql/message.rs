//! `Message`: what was said, by whom, when.

use std::sync::Arc;

use async_graphql::{Context, EmptyMutation, ID, InputObject, Object, SimpleObject};
use macros::fast_fields;
use serde::Deserialize;

use super::chat_user::ChatUser;
use super::connection::{Listed, OrderDirection, PageArguments};
use super::fast_path::List;
use super::money::Money;
use super::session::Session;
use super::{loaders, stored};
use crate::clock::Timestamp;
use crate::entity;
use crate::entity::message::{Entity, Model};
use crate::entity::role::MessageRole;
use crate::error::Result;
use crate::id::ObjectKind;
use crate::read::Scope;
use crate::read::message::{MessageFilter, MessageOrderField, MessageWhere};
use crate::read::page::Order;

/// A list of messages.
pub(super) type MessageConnection = List<Entity>;

/// A message.
pub(super) struct Message(Arc<Model>);

impl From<Arc<Model>> for Message {
    fn from(row: Arc<Model>) -> Self {
        Self(row)
    }
}

impl Listed for Entity {
    type Node = Message;
    type Extras = EmptyMutation;
    const NAME: &'static str = "Message";
    const FIELD_COLUMNS: &'static [(&'static str, &'static [&'static str])] = &[
        ("chatUser", &["chat_user_id"]),
        ("cost", &["cost_micros"]),
        ("replyTo", &["chat_user_id", "sent_as", "reply_to"]),
        ("sentiment", &["sentiment_thousandths"]),
        ("session", &["session_id"]),
    ];

    fn extras(_: Scope, _: &MessageFilter) -> EmptyMutation {
        EmptyMutation
    }
}

/// How a list of messages is ordered. Messages of the same instant are ordered by id.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct MessageOrder {
    /// What to order by.
    pub(super) field: MessageOrderField,
    /// The direction. When absent: as they were sent.
    pub(super) direction: Option<OrderDirection>,
}

/// A list of messages, from the arguments of its field.
pub(super) fn list(
    context: &Context<'_>,
    scope: Scope,
    conditions: Option<Box<MessageWhere>>,
    order_by: Option<MessageOrder>,
    page: PageArguments,
) -> Result<MessageConnection> {
    let default = Order {
        field: MessageOrderField::SentAt,
        descending: false,
    };
    let order = order_by.map_or(default, |order| {
        OrderDirection::order(order.direction, order.field)
    });
    List::new(
        context,
        scope,
        MessageFilter {
            r#where: conditions,
        },
        order,
        page,
    )
}

/// What was said, by whom, when.
#[fast_fields]
#[Object]
impl Message {
    /// The id: opaque, and unique in the whole graph.
    pub(super) fn id(&self) -> ID {
        ObjectKind::Message.encode(self.0.id).into()
    }

    /// The message's id in the system that its data comes from.
    fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The session it was said in.
    async fn session(&self, context: &Context<'_>) -> Result<Option<Session>> {
        Ok(loaders(context)
            .load_selected::<entity::session::Entity>(context, self.0.session_id)
            .await?
            .map(Session::from))
    }

    /// The user whose conversation it belongs to, whoever sent it.
    async fn chat_user(&self, context: &Context<'_>) -> Result<Option<ChatUser>> {
        Ok(loaders(context)
            .load_selected::<entity::chat_user::Entity>(context, self.0.chat_user_id)
            .await?
            .map(ChatUser::from))
    }

    /// Who sent it.
    fn role(&self) -> MessageRole {
        self.0.role
    }

    /// When its text and its attachments were removed by `redactMessage`; null for a message that is as it came.
    fn redacted_at(&self) -> Option<Timestamp> {
        self.0.redacted_at
    }

    /// What was said. May be empty, when there is only an attachment, or when the message was redacted. Null without `messages:read`.
    fn text(&self) -> Option<&str> {
        (!self.0.withheld).then_some(&self.0.text)
    }

    /// What came with it. Null without `messages:read`.
    fn attachments(&self) -> Result<Option<Vec<Attachment>>> {
        if self.0.withheld {
            return Ok(None);
        }
        stored(&self.0.attachments).map(Some)
    }

    /// When it was sent.
    fn sent_at(&self) -> Timestamp {
        self.0.sent_at
    }

    /// The message that it replies to; null when it replies to none, and while that one has not come in.
    async fn reply_to(&self, context: &Context<'_>) -> Result<Option<Self>> {
        let Some(external_id) = &self.0.reply_to else {
            return Ok(None);
        };
        Ok(loaders(context)
            .message(&self.0, external_id)
            .await?
            .map(Self::from))
    }

    /// How many tokens it took.
    fn tokens(&self) -> Option<i64> {
        self.0.tokens
    }

    /// How long it took to answer, in milliseconds.
    fn response_time_ms(&self) -> Option<i64> {
        self.0.response_time_ms
    }

    /// How it sounds, from -1, as bad as can be, to 1, with three digits after the point.
    fn sentiment(&self) -> Option<f64> {
        self.0
            .sentiment_thousandths
            .and_then(|thousandths| i32::try_from(thousandths).ok())
            .map(|thousandths| f64::from(thousandths) / 1000.0)
    }

    /// What it cost to answer.
    fn cost(&self, context: &Context<'_>) -> Option<Money> {
        self.0.cost_micros.map(|micros| Money::of(context, micros))
    }
}

/// Something that came with a message.
#[fast_fields]
#[derive(SimpleObject, Deserialize)]
pub(super) struct Attachment {
    /// What it is, in a word: `image`, `audio`, `video`, `file`, `location`, …
    kind: String,
    /// Where it can be had. Null without `users:pii`.
    url: Option<String>,
    /// Its media type.
    mime_type: Option<String>,
    /// Its size in bytes.
    size: Option<i64>,
    /// Its name. Null without `users:pii`.
    name: Option<String>,
}
