//! `ChatUser`: a person who talks to an agent, with figures and the whole history.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use macros::fast_fields;

use super::agent::Agent;
use super::audit_entry::{AuditEntryConnection, AuditEntryOrder};
use super::block::{ChatUserBlock, holding};
use super::connection::{Listed, OrderDirection, PageArguments};
use super::fast_path::List;
use super::message::{Message, MessageConnection, MessageOrder};
use super::money::Money;
use super::scalar::JsonObject;
use super::session::{SessionConnection, SessionOrder};
use super::subscription::SubscriptionConnection;
use super::{loaders, now, reader, stored};
use crate::clock::Timestamp;
use crate::entity;
use crate::entity::chat_user::{Entity, Model};
use crate::entity::mask::{self, DOTS};
use crate::entity::platform::Platform;
use crate::error::Result;
use crate::id::ObjectKind;
use crate::read::Scope;
use crate::read::audit_entry::AuditEntryWhere;
use crate::read::chat_user::{ChatUserFilter, ChatUserOrderField, ChatUserWhere, platforms};
use crate::read::message::MessageWhere;
use crate::read::page::Order;
use crate::read::search::{Term, is_email};
use crate::read::session::SessionWhere;
use crate::text;

/// How many characters of a guest's id tell them apart in their display name.
const GUEST_SUFFIX: usize = 6;

/// A list of users.
pub(super) type ChatUserConnection = List<Entity>;

/// A chat user: a person who talks to an agent on some platform.
pub(super) struct ChatUser(Arc<Model>);

impl From<Arc<Model>> for ChatUser {
    fn from(row: Arc<Model>) -> Self {
        Self(row)
    }
}

impl Listed for Entity {
    type Node = ChatUser;
    type Extras = ChatUserExtras;
    const NAME: &'static str = "ChatUser";
    const FIELD_COLUMNS: &'static [(&'static str, &'static [&'static str])] = &[
        ("agent", &["agent_id"]),
        ("auditLog", &["id"]),
        (
            "block",
            &["blocked_at", "blocked_until", "block_reason", "blocked_by"],
        ),
        ("isBlocked", &["blocked_at", "blocked_until"]),
        ("displayName", &["name"]),
        ("isAnonymous", &["name"]),
        ("maskedEmail", &["email"]),
        ("maskedPhoneNumber", &["phone_number"]),
        ("piiMasked", &["id"]),
        ("lastReceivedMessage", &["last_message_id"]),
        ("messages", &["id"]),
        ("sessions", &["id"]),
        ("subscriptions", &["id"]),
        ("totalCost", &["total_cost_micros"]),
    ];

    fn extras(scope: Scope, filter: &ChatUserFilter) -> ChatUserExtras {
        ChatUserExtras {
            scope,
            filter: filter.clone(),
        }
    }
}

/// How a list of users is ordered. Users who share a value are ordered by id.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct ChatUserOrder {
    /// What to order by. Missing values come last in both directions.
    pub(super) field: ChatUserOrderField,
    /// The direction. When absent: names from A, everything else from the top.
    pub(super) direction: Option<OrderDirection>,
}

/// A list of users of one agent or of all, from the arguments of its field.
pub(super) async fn list(
    context: &Context<'_>,
    scope: Scope,
    search: Option<String>,
    platform: Option<Platform>,
    conditions: Option<Box<ChatUserWhere>>,
    order_by: Option<ChatUserOrder>,
    page: PageArguments,
) -> Result<ChatUserConnection> {
    let default = Order {
        field: ChatUserOrderField::LastMessageAt,
        descending: true,
    };
    let order = order_by.map_or(default, |order| {
        OrderDirection::order(order.direction, order.field)
    });
    let search = Term::parse(search.as_deref(), ObjectKind::ChatUser)?;
    if let Some(term) = &search {
        term.is_for(reader(context))?;
    }
    let search = match search {
        Some(Term::MaybeEmail(text)) if !is_one_page(context) => {
            Some(understood(context, scope, text).await?)
        }
        search => search,
    };
    let filter = ChatUserFilter {
        search,
        platform,
        r#where: conditions,
    };
    List::new(context, scope, filter, order, page)
}

/// Whether nothing but a page is asked of a single list: reading it then tells an address from other text by the way.
fn is_one_page(context: &Context<'_>) -> bool {
    let list = context.look_ahead();
    let is_single = context.path_node.is_some_and(|path| path.parent.is_none());
    is_single && !list.field("totalCount").exists() && !list.field("facets").exists()
}

/// Sees whether a text is somebody's complete e-mail address: then only they are meant.
async fn understood(context: &Context<'_>, scope: Scope, text: String) -> Result<Term> {
    let found = match scope {
        Scope::Of(ObjectKind::Agent, agent) => loaders(context).is_email(agent, &text).await?,
        scope => is_email(reader(context), scope, &text).await?,
    };
    Ok(Term::resolved(&text, found))
}

/// A chat user: a person who talks to an agent on some platform. Someone who talks to two agents is two chat users.
#[fast_fields]
#[Object]
impl ChatUser {
    /// The id: opaque, and unique in the whole graph.
    pub(super) fn id(&self) -> ID {
        ObjectKind::ChatUser.encode(self.0.id).into()
    }

    /// The agent the user talks to.
    async fn agent(&self, context: &Context<'_>) -> Result<Option<Agent>> {
        Ok(loaders(context)
            .load_selected::<entity::agent::Entity>(context, self.0.agent_id)
            .await?
            .map(Agent::from))
    }

    /// How the user reaches the agent.
    fn platform(&self) -> Platform {
        self.0.platform
    }

    /// The user's id on that platform. Null without `users:pii`, where ids of that platform are personal: it may be a phone number.
    fn platform_id(&self) -> Option<&str> {
        let id = self.0.platform_id.as_str();
        (!self.0.masked || id != DOTS).then_some(id)
    }

    /// Whether what is personal is masked, because whoever asks has no permission `users:pii`: null here does not mean that
    /// there is no value then. `isAnonymous`, `maskedEmail` and `maskedPhoneNumber` tell.
    fn pii_masked(&self) -> bool {
        self.0.masked
    }

    /// The name, where one is known. Null without `users:pii`.
    fn name(&self) -> Option<&str> {
        self.personal(self.0.name.as_deref())
    }

    /// What to show as the user's name: the name, or "Guest User" with a few characters of the id, so that two guests can be
    /// told apart. Without `users:pii` everybody is a guest.
    fn display_name(&self) -> String {
        let guest = || {
            let id = ObjectKind::ChatUser.encode(self.0.id);
            format!("Guest User {}", &id[id.len() - GUEST_SUFFIX..])
        };
        self.personal(self.0.name.as_deref())
            .and_then(text::visible)
            .map_or_else(guest, str::to_owned)
    }

    /// Whether the user has no name. Told to everybody.
    fn is_anonymous(&self) -> bool {
        self.0.name.is_none()
    }

    /// The e-mail address. Null without `users:pii`.
    fn email(&self) -> Option<&str> {
        self.personal(self.0.email.as_deref())
    }

    /// The shape of the e-mail address: `j•••@e•••.com`.
    fn masked_email(&self) -> Option<String> {
        self.0.email.as_deref().map(mask::email)
    }

    /// The phone number. Null without `users:pii`.
    fn phone_number(&self) -> Option<&str> {
        self.personal(self.0.phone_number.as_deref())
    }

    /// The shape of the phone number: `+49•••89`.
    fn masked_phone_number(&self) -> Option<String> {
        self.0.phone_number.as_deref().map(mask::phone_number)
    }

    /// The address of a picture. Null without `users:pii`.
    fn profile_picture_url(&self) -> Option<&str> {
        self.personal(self.0.profile_picture_url.as_deref())
    }

    /// The language, as a BCP 47 tag.
    fn language(&self) -> Option<&str> {
        self.0.language.as_deref()
    }

    /// The tags, in alphabetical order.
    fn tags(&self) -> Result<Vec<String>> {
        stored(&self.0.tags)
    }

    /// The settings: an object with whatever keys the deployment uses. Null without `users:pii`.
    fn settings(&self) -> Result<Option<JsonObject>> {
        let settings = self.personal(Some(self.0.settings.as_str()));
        settings
            .map(|json| stored(json).map(JsonObject))
            .transpose()
    }

    /// The block that holds now; null when the agent may answer the user.
    fn block(&self, context: &Context<'_>) -> Option<ChatUserBlock> {
        holding(&self.0, now(context))
    }

    /// Whether the user is blocked now.
    fn is_blocked(&self, context: &Context<'_>) -> bool {
        holding(&self.0, now(context)).is_some()
    }

    /// When the user stopped the bot on the platform: what is sent does not arrive. Null for who has not, or has written since.
    fn stopped_at(&self) -> Option<Timestamp> {
        self.0.stopped_at
    }

    /// When everything personal about the user was erased; null for who was not erased.
    fn erased_at(&self) -> Option<Timestamp> {
        self.0.erased_at
    }

    /// Grows by one with each change of the profile. Give it as `ifVersion` to change only what you have seen.
    fn version(&self) -> i64 {
        self.0.version
    }

    /// What the user subscribes to now, in alphabetical order.
    async fn subscriptions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "This many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "Skip this many rows, counted from the cursor or the end of the list that the page is counted from."
        )]
        offset: Option<i32>,
    ) -> Result<SubscriptionConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        Ok(super::subscription::list(context, self.0.id, page)?.batched())
    }

    /// The earliest session start or message.
    fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// The newest of the user's own messages and session starts.
    fn last_interaction_at(&self) -> Timestamp {
        self.0.last_interaction_at
    }

    /// The time of the newest message sent by the user.
    fn last_message_at(&self) -> Option<Timestamp> {
        self.0.last_message_at
    }

    /// The newest message received from the user.
    async fn last_received_message(&self, context: &Context<'_>) -> Result<Option<Message>> {
        let Some(id) = self.0.last_message_id else {
            return Ok(None);
        };
        Ok(loaders(context)
            .load_selected::<entity::message::Entity>(context, id)
            .await?
            .map(Message::from))
    }

    /// How many sessions the user has had.
    fn total_sessions(&self) -> i64 {
        self.0.total_sessions
    }

    /// How many messages there are in these sessions, of every role.
    fn total_chat_messages(&self) -> i64 {
        self.0.total_chat_messages
    }

    /// How many messages the user has sent.
    fn total_messages_sent(&self) -> i64 {
        self.0.total_messages_sent
    }

    /// What it cost to serve the user.
    fn total_cost(&self, context: &Context<'_>) -> Money {
        Money::of(context, self.0.total_cost_micros)
    }

    /// The user's sessions.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn sessions(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where", desc = "Only sessions for which this holds.")] conditions: Option<
            Box<SessionWhere>,
        >,
        #[graphql(desc = "The order. When absent: the latest start first.")] order_by: Option<
            SessionOrder,
        >,
        #[graphql(desc = "This many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "Skip this many rows, counted from the cursor or the end of the list that the page is counted from."
        )]
        offset: Option<i32>,
    ) -> Result<SessionConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        Ok(super::session::list(
            context,
            Scope::Of(ObjectKind::ChatUser, self.0.id),
            conditions,
            order_by,
            page,
        )?
        .batched())
    }

    /// The whole conversation with the user, across sessions.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn messages(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where", desc = "Only messages for which this holds.")] conditions: Option<
            Box<MessageWhere>,
        >,
        #[graphql(desc = "The order. When absent: as they were sent.")] order_by: Option<
            MessageOrder,
        >,
        #[graphql(desc = "This many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "Skip this many rows, counted from the cursor or the end of the list that the page is counted from."
        )]
        offset: Option<i32>,
    ) -> Result<MessageConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        Ok(super::message::list(
            context,
            Scope::Of(ObjectKind::ChatUser, self.0.id),
            conditions,
            order_by,
            page,
        )?
        .batched())
    }

    /// Who changed what about the user.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn audit_log(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where", desc = "Only entries for which this holds.")] conditions: Option<
            Box<AuditEntryWhere>,
        >,
        #[graphql(desc = "The order. When absent: the newest first.")] order_by: Option<
            AuditEntryOrder,
        >,
        #[graphql(desc = "This many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "Skip this many rows, counted from the cursor or the end of the list that the page is counted from."
        )]
        offset: Option<i32>,
    ) -> Result<AuditEntryConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        let scope = Scope::Of(ObjectKind::ChatUser, self.0.id);
        Ok(super::audit_entry::list(context, scope, conditions, order_by, page)?.batched())
    }
}

impl ChatUser {
    /// A personal value, for who may see it.
    fn personal<'a>(&self, value: Option<&'a str>) -> Option<&'a str> {
        value.filter(|_| !self.0.masked)
    }
}

/// What a list of users has beyond its rows.
pub(super) struct ChatUserExtras {
    scope: Scope,
    filter: ChatUserFilter,
}

#[Object]
impl ChatUserExtras {
    /// How the whole list divides, under its current filter.
    async fn facets(&self) -> ChatUserFacets<'_> {
        ChatUserFacets(self)
    }
}

/// How a list of users divides, under its filter.
pub(super) struct ChatUserFacets<'a>(&'a ChatUserExtras);

/// How a list of users divides, under its filter.
#[Object]
impl ChatUserFacets<'_> {
    /// Users per platform, the most frequent first. Platforms without users are left out.
    async fn platform(&self, context: &Context<'_>) -> Result<Vec<PlatformCount>> {
        let ChatUserExtras { scope, filter } = self.0;
        let counts = match *scope {
            Scope::Of(ObjectKind::Agent, agent) => {
                loaders(context).platforms(agent, filter.clone()).await?
            }
            scope => platforms(reader(context), scope, filter).await?,
        };
        Ok(counts
            .into_iter()
            .map(|(value, count)| PlatformCount { value, count })
            .collect())
    }
}

/// A platform and how many users of a list are on it.
#[derive(SimpleObject)]
pub(super) struct PlatformCount {
    /// The platform.
    value: Platform,
    /// How many users.
    count: i64,
}
