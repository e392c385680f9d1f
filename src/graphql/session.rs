//! `Session`: one conversation of a user with an agent.

use std::sync::Arc;

use async_graphql::{Context, EmptyMutation, ID, InputObject, Object};
use macros::fast_fields;

use super::agent::Agent;
use super::chat_user::ChatUser;
use super::connection::{Listed, OrderDirection, PageArguments};
use super::fast_path::List;
use super::message::{MessageConnection, MessageOrder};
use super::money::Money;
use super::{loaders, now, stored};
use crate::clock::Timestamp;
use crate::entity;
use crate::entity::platform::Platform;
use crate::entity::session::{Entity, Model};
use crate::error::Result;
use crate::id::ObjectKind;
use crate::read::Scope;
use crate::read::columns::Columns;
use crate::read::filter::SessionStatus;
use crate::read::message::MessageWhere;
use crate::read::page::Order;
use crate::read::session::{SessionFilter, SessionOrderField, SessionWhere};
use crate::write::session_gap::Idle;

/// A list of sessions.
pub(super) type SessionConnection = List<Entity>;

/// A session: one conversation of a user with an agent.
pub(super) struct Session(Arc<Model>);

impl From<Arc<Model>> for Session {
    fn from(row: Arc<Model>) -> Self {
        Self(row)
    }
}

impl Listed for Entity {
    type Node = Session;
    type Extras = EmptyMutation;
    const NAME: &'static str = "Session";
    const FIELD_COLUMNS: &'static [(&'static str, &'static [&'static str])] = &[
        ("agent", &["agent_id"]),
        ("chatUser", &["chat_user_id"]),
        ("messages", &["id"]),
        (
            "status",
            &["ended_at", "agent_id", "last_message_at", "started_at"],
        ),
        ("totalCost", &["total_cost_micros"]),
    ];

    fn extras(_: Scope, _: &SessionFilter) -> EmptyMutation {
        EmptyMutation
    }
}

/// How a list of sessions is ordered. Sessions that share a value are ordered by id.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct SessionOrder {
    /// What to order by. Missing values come last in both directions.
    pub(super) field: SessionOrderField,
    /// The direction. When absent: from the top.
    pub(super) direction: Option<OrderDirection>,
}

/// A list of sessions, from the arguments of its field.
pub(super) fn list(
    context: &Context<'_>,
    scope: Scope,
    conditions: Option<Box<SessionWhere>>,
    order_by: Option<SessionOrder>,
    page: PageArguments,
) -> Result<SessionConnection> {
    let default = Order {
        field: SessionOrderField::StartedAt,
        descending: true,
    };
    let order = order_by.map_or(default, |order| {
        OrderDirection::order(order.direction, order.field)
    });
    List::new(
        context,
        scope,
        SessionFilter {
            r#where: conditions,
        },
        order,
        page,
    )
}

/// A session: one conversation of a user with an agent.
#[fast_fields]
#[Object]
impl Session {
    /// The id: opaque, and unique in the whole graph.
    pub(super) fn id(&self) -> ID {
        ObjectKind::Session.encode(self.0.id).into()
    }

    /// The session's id in the system that its data comes from.
    fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The agent.
    async fn agent(&self, context: &Context<'_>) -> Result<Option<Agent>> {
        Ok(loaders(context)
            .load_selected::<entity::agent::Entity>(context, self.0.agent_id)
            .await?
            .map(Agent::from))
    }

    /// The user.
    async fn chat_user(&self, context: &Context<'_>) -> Result<Option<ChatUser>> {
        Ok(loaders(context)
            .load_selected::<entity::chat_user::Entity>(context, self.0.chat_user_id)
            .await?
            .map(ChatUser::from))
    }

    /// How the user reached the agent.
    fn platform(&self) -> Platform {
        self.0.platform
    }

    /// Whether it goes on: a session is closed by an end that was reported, or once its user has been silent for longer than the
    /// agent's `sessionIdleMinutes`. A message of the user opens the latter again.
    async fn status(&self, context: &Context<'_>) -> Result<SessionStatus> {
        let last = self.0.last_message_at.unwrap_or(self.0.started_at);
        // Most sessions are older than any idle time, and need no look at their agent.
        let longest = Idle::minutes(Idle::MAX_MINUTES);
        if self.0.ended_at.is_some() || !longest.bridges(last, now(context)) {
            return Ok(SessionStatus::Closed);
        }
        let idle = Columns::<entity::agent::Entity>::id().with("session_idle_minutes");
        let agent = loaders(context).with_columns(self.0.agent_id, idle).await?;
        let goes_on = agent.is_some_and(|agent| {
            Idle::minutes(agent.session_idle_minutes).bridges(last, now(context))
        });
        Ok(if goes_on {
            SessionStatus::Open
        } else {
            SessionStatus::Closed
        })
    }

    /// When it began.
    fn started_at(&self) -> Timestamp {
        self.0.started_at
    }

    /// When it was closed.
    fn ended_at(&self) -> Option<Timestamp> {
        self.0.ended_at
    }

    /// The time of the newest message sent by the user in it.
    fn last_message_at(&self) -> Option<Timestamp> {
        self.0.last_message_at
    }

    /// How many messages it has, of every role.
    fn total_messages(&self) -> i64 {
        self.0.total_messages
    }

    /// How many messages the user has sent in it.
    fn total_messages_from_user(&self) -> i64 {
        self.0.total_messages_from_user
    }

    /// What its messages cost.
    fn total_cost(&self, context: &Context<'_>) -> Money {
        Money::of(context, self.0.total_cost_micros)
    }

    /// What it is about, in a line. Null without `messages:read`.
    fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// What happened in it, in a paragraph. Null without `messages:read`.
    fn summary(&self) -> Option<&str> {
        self.0.summary.as_deref()
    }

    /// The language, as a BCP 47 tag.
    fn language(&self) -> Option<&str> {
        self.0.language.as_deref()
    }

    /// The tags, in alphabetical order.
    fn tags(&self) -> Result<Vec<String>> {
        stored(&self.0.tags)
    }

    /// The messages in it.
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
            Scope::Of(ObjectKind::Session, self.0.id),
            conditions,
            order_by,
            page,
        )?
        .batched())
    }
}
