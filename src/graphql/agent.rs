//! `Agent`: a bot, with its audience and its sessions.

use std::sync::Arc;

use async_graphql::{Context, EmptyMutation, ID, InputObject, Object};
use macros::fast_fields;

use super::chat_user::{ChatUserConnection, ChatUserOrder};
use super::connection::{Listed, OrderDirection, PageArguments};
use super::fast_path::List;
use super::money::Money;
use super::session::{SessionConnection, SessionOrder};
use crate::clock::Timestamp;
use crate::entity::agent::{Entity, Model};
use crate::entity::platform::Platform;
use crate::error::Result;
use crate::id::ObjectKind;
use crate::read::Scope;
use crate::read::agent::{AgentFilter, AgentOrderField};
use crate::read::chat_user::ChatUserWhere;
use crate::read::session::SessionWhere;

/// A list of agents.
pub(super) type AgentConnection = List<Entity>;

/// An agent: a bot that people talk to.
pub(super) struct Agent(Arc<Model>);

impl From<Arc<Model>> for Agent {
    fn from(row: Arc<Model>) -> Self {
        Self(row)
    }
}

impl Listed for Entity {
    type Node = Agent;
    type Extras = EmptyMutation;
    const NAME: &'static str = "Agent";
    const FIELD_COLUMNS: &'static [(&'static str, &'static [&'static str])] = &[
        ("chatUsers", &["id"]),
        ("isArchived", &["archived_at"]),
        ("sessions", &["id"]),
        ("totalCost", &["total_cost_micros"]),
    ];

    fn extras(_: Scope, _: &AgentFilter) -> EmptyMutation {
        EmptyMutation
    }
}

/// How a list of agents is ordered. Agents that share a value are ordered by id.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct AgentOrder {
    /// What to order by. Missing values come last in both directions.
    pub(super) field: AgentOrderField,
    /// The direction. When absent: names from A, everything else from the top.
    pub(super) direction: Option<OrderDirection>,
}

/// An agent: a bot that people talk to.
#[fast_fields]
#[Object]
impl Agent {
    /// The id: opaque, and unique in the whole graph.
    pub(super) fn id(&self) -> ID {
        ObjectKind::Agent.encode(self.0.id).into()
    }

    /// The agent's id in the system that its data comes from.
    fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The name.
    fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// What the agent is for.
    fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The earliest moment known of the agent.
    fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// How many chat users the agent has.
    fn total_users(&self) -> i64 {
        self.0.total_users
    }

    /// How many sessions the agent has had.
    fn total_sessions(&self) -> i64 {
        self.0.total_sessions
    }

    /// How many messages there are in these sessions, of every role.
    fn total_messages(&self) -> i64 {
        self.0.total_messages
    }

    /// What these messages cost.
    fn total_cost(&self, context: &Context<'_>) -> Money {
        Money::of(context, self.0.total_cost_micros)
    }

    /// Since when the agent takes nothing new; null for one that does.
    fn archived_at(&self) -> Option<Timestamp> {
        self.0.archived_at
    }

    /// Whether the agent takes nothing new.
    fn is_archived(&self) -> bool {
        self.0.archived_at.is_some()
    }

    /// Minutes of silence after which a message that names no session opens one.
    fn session_idle_minutes(&self) -> i64 {
        self.0.session_idle_minutes
    }

    /// The agent's audience.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn chat_users(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "Only users with this text in their name, e-mail address, phone number, platform id or id. Case and accents do not matter. A complete id or e-mail address finds exactly its owner. Without `users:pii` only a complete id can be searched for."
        )]
        search: Option<String>,
        #[graphql(desc = "Only users of this platform.")] platform: Option<Platform>,
        #[graphql(name = "where", desc = "Only users for whom this holds.")] conditions: Option<
            Box<ChatUserWhere>,
        >,
        #[graphql(desc = "The order. When absent: the newest message sent by the user first.")]
        order_by: Option<ChatUserOrder>,
        #[graphql(desc = "This many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "Skip this many rows, counted from the cursor or the end of the list that the page is counted from."
        )]
        offset: Option<i32>,
    ) -> Result<ChatUserConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        let scope = Scope::Of(ObjectKind::Agent, self.0.id);
        Ok(
            super::chat_user::list(context, scope, search, platform, conditions, order_by, page)
                .await?
                .batched(),
        )
    }

    /// The agent's sessions.
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
            Scope::Of(ObjectKind::Agent, self.0.id),
            conditions,
            order_by,
            page,
        )?
        .batched())
    }
}
