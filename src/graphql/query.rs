//! `Query`: where every question to the graph starts.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::agent::{Agent, AgentConnection, AgentOrder};
use super::audit_entry::{AuditEntryConnection, AuditEntryOrder};
use super::block::BlockStatus;
use super::chat_user::{ChatUser, ChatUserConnection, ChatUserOrder};
use super::connection::{OrderDirection, PageArguments};
use super::deletion::{self, Deletion, DeletionConnection, ErasureCheck};
use super::fast_path::List;
use super::merge::MergePreview;
use super::node::{self, Node};
use super::session::{Session, SessionConnection, SessionOrder};
use super::token::{TokenConnection, TokenOrder};
use super::viewer::Viewer;
use super::{caller, loaders, pii, reader};
use crate::caller::Permission;
use crate::db::Reader;
use crate::entity;
use crate::entity::deletion::DeletionMode;
use crate::entity::platform::Platform;
use crate::error::{Error, Result};
use crate::id::ObjectKind;
use crate::read::Scope;
use crate::read::agent::{AgentFilter, AgentOrderField, AgentWhere};
use crate::read::audit_entry::AuditEntryWhere;
use crate::read::chat_user::{self, ChatUserWhere};
use crate::read::deletion::DeletionFilter;
use crate::read::page::{Order, within_agent};
use crate::read::search::Term;
use crate::read::session::SessionWhere;
use crate::read::token::TokenWhere;
use crate::write::merge::MergeField;

/// How many ids `nodes` takes.
const MAX_IDS: usize = 100;

/// Where every question to the graph starts.
pub(super) struct Query;

/// Where every question to the graph starts.
#[Object]
impl Query {
    /// Whatever has this id. Null when nothing has, or nothing that may be seen.
    async fn node(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The id.")] id: ID,
    ) -> Result<Option<Node>> {
        node::find(context, &id).await
    }

    /// What has these ids, in their order, with null for an id that nothing has. At most 100.
    async fn nodes(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The ids.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > MAX_IDS {
            return Err(Error::bad_input(
                "ids",
                format!("lists {} ids, and takes at most {MAX_IDS}", ids.len()),
            ));
        }
        futures_util::future::try_join_all(ids.iter().map(|id| node::find(context, id))).await
    }

    /// An agent. Null when no agent has this id.
    async fn agent(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The agent's id.")] id: ID,
    ) -> Result<Option<Agent>> {
        let Some(id) = ObjectKind::Agent.decode(&id) else {
            return Ok(None);
        };
        Ok(loaders(context)
            .load_selected::<entity::agent::Entity>(context, id)
            .await?
            .map(Agent::from))
    }

    /// Deletions of users, the newest first: everywhere, or of one agent. Users who were deleted softly are named, so that they can be
    /// restored.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn deletions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those of users of this agent.")] agent_id: Option<ID>,
        #[graphql(desc = "Only deletions of this kind.")] mode: Option<DeletionMode>,
        #[graphql(
            desc = "Only deletions of users who can be restored; with false, only the others."
        )]
        is_restorable: Option<bool>,
        #[graphql(desc = "This many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "Skip this many rows, counted from the cursor or the end of the list that the page is counted from."
        )]
        offset: Option<i32>,
    ) -> Result<DeletionConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        let filter = DeletionFilter {
            mode,
            is_restorable,
        };
        deletion::list(context, scope(context, agent_id.as_ref()), filter, page)
    }

    /// The deletion of a user. Null when no deletion has this id.
    async fn deletion(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The deletion's id.")] id: ID,
    ) -> Result<Option<Deletion>> {
        match ObjectKind::Deletion.decode(&id) {
            Some(id) => deletion::find(context, id).await,
            None => Ok(None),
        }
    }

    /// How many rows hold something personal about a user: none, once they have been erased or removed. The rows are looked
    /// at, all that the user has. Null for what is not the id of a user; a user who is not there any more has nothing.
    async fn erasure_check(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user's id.")] id: ID,
    ) -> Result<Option<ErasureCheck>> {
        deletion::check(context, &id).await
    }

    /// The agents.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn agents(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "Only agents with this text in their name, external id or id. Case and accents do not matter."
        )]
        search: Option<String>,
        #[graphql(name = "where", desc = "Only agents for which this holds.")] conditions: Option<
            Box<AgentWhere>,
        >,
        #[graphql(desc = "The order. When absent: the newest first.")] order_by: Option<AgentOrder>,
        #[graphql(desc = "This many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "Skip this many rows, counted from the cursor or the end of the list that the page is counted from."
        )]
        offset: Option<i32>,
    ) -> Result<AgentConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        let default = Order {
            field: AgentOrderField::CreatedAt,
            descending: true,
        };
        let order = order_by.map_or(default, |order| {
            OrderDirection::order(order.direction, order.field)
        });
        let search = Term::parse(search.as_deref(), ObjectKind::Agent)?;
        List::new(
            context,
            Scope::All,
            AgentFilter {
                search,
                r#where: conditions,
            },
            order,
            page,
        )
    }

    /// A chat user. Null when no user has this id.
    async fn chat_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user's id.")] id: ID,
    ) -> Result<Option<ChatUser>> {
        let Some(id) = ObjectKind::ChatUser.decode(&id) else {
            return Ok(None);
        };
        Ok(loaders(context)
            .load_selected::<entity::chat_user::Entity>(context, id)
            .await?
            .map(ChatUser::from))
    }

    /// The chat user of an agent who has this id on a platform. Null when nobody has. Where ids of the platform are personal,
    /// for those with `users:pii` or `events:write`.
    async fn chat_user_by_platform_id(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The agent's id.")] agent_id: ID,
        #[graphql(desc = "The platform.")] platform: Platform,
        #[graphql(desc = "The user's id on the platform.")] platform_id: String,
    ) -> Result<Option<ChatUser>> {
        pii::for_who_knows_ids(context, platform, "platformId")?;
        let row = by_platform_id(reader(context), &agent_id, platform, &platform_id).await?;
        Ok(row.map(ChatUser::from))
    }

    /// Whether an agent may answer who has this id on a platform: the question of a bot that has just heard from somebody.
    /// Where ids of the platform are personal, for those with `users:pii` or `events:write`.
    async fn block_status(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The agent's id.")] agent_id: ID,
        #[graphql(desc = "The platform.")] platform: Platform,
        #[graphql(desc = "The user's id on the platform.")] platform_id: String,
    ) -> Result<BlockStatus> {
        pii::for_who_knows_ids(context, platform, "platformId")?;
        // A bot may ask that sees nothing else of users.
        let principal = reader(context).principal().with(Permission::UsersRead);
        let reader = reader(context).seen_by(Arc::new(principal));
        let row = by_platform_id(&reader, &agent_id, platform, &platform_id).await?;
        Ok(BlockStatus(row))
    }

    /// What `mergeChatUsers` would make of two users. Nothing is changed. For those with `users:pii`.
    async fn merge_preview(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user who stays.")] into: ID,
        #[graphql(desc = "The user who goes.")] from: ID,
        #[graphql(desc = "Fields in which the value of the one who goes comes first.")]
        take: Option<Vec<MergeField>>,
    ) -> Result<MergePreview> {
        super::merge::preview(context, &into, &from, &take.unwrap_or_default()).await
    }

    /// The chat users of one agent, or of all. Across all agents only the orders by time are offered.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn chat_users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only users of this agent.")] agent_id: Option<ID>,
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
        let scope = scope(context, agent_id.as_ref());
        if let Some(order) = order_by {
            within_agent(order.field, scope)?;
        }
        super::chat_user::list(context, scope, search, platform, conditions, order_by, page).await
    }

    /// A session. Null when no session has this id.
    async fn session(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The session's id.")] id: ID,
    ) -> Result<Option<Session>> {
        let Some(id) = ObjectKind::Session.decode(&id) else {
            return Ok(None);
        };
        Ok(loaders(context)
            .load_selected::<entity::session::Entity>(context, id)
            .await?
            .map(Session::from))
    }

    /// The sessions of one agent, or of all. Across all agents only the orders by time are offered.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn sessions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only sessions of this agent.")] agent_id: Option<ID>,
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
        let scope = scope(context, agent_id.as_ref());
        if let Some(order) = order_by {
            within_agent(order.field, scope)?;
        }
        super::session::list(context, scope, conditions, order_by, page)
    }

    /// Who changed what: everywhere, or with one agent and its users.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn audit_log(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only what concerns this agent.")] agent_id: Option<ID>,
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
        super::audit_entry::list(
            context,
            scope(context, agent_id.as_ref()),
            conditions,
            order_by,
            page,
        )
    }

    /// Who asks, as the server knows them.
    async fn viewer(&self, context: &Context<'_>) -> Viewer {
        Viewer(caller(context).principal.clone())
    }

    /// The tokens, those that are revoked or at their end too, for whoever may make them. Whoever is limited to some agents
    /// sees those that are for none but these.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn tokens(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where", desc = "Only tokens for which this holds.")] conditions: Option<
            Box<TokenWhere>,
        >,
        #[graphql(desc = "The order. When absent: the newest first.")] order_by: Option<TokenOrder>,
        #[graphql(desc = "This many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "Skip this many rows, counted from the cursor or the end of the list that the page is counted from."
        )]
        offset: Option<i32>,
    ) -> Result<TokenConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        super::token::list(context, conditions, order_by, page)
    }
}

/// The user of an agent who has this id on a platform.
async fn by_platform_id(
    reader: &Reader,
    agent_id: &str,
    platform: Platform,
    platform_id: &str,
) -> Result<Option<Arc<entity::chat_user::Model>>> {
    let Some(agent) = ObjectKind::Agent.decode(agent_id) else {
        return Ok(None);
    };
    if platform_id.contains('\0') {
        return Ok(None);
    }
    let row = chat_user::by_platform_id(reader, agent, platform, platform_id).await?;
    Ok(row.map(Arc::new))
}

/// Everything, or what belongs to an agent. An id that names no agent, or none that may be seen, has nothing.
fn scope(context: &Context<'_>, agent_id: Option<&ID>) -> Scope {
    let agents = &reader(context).principal().agents;
    agent_id.map_or(Scope::All, |id| {
        ObjectKind::Agent.decode(id).map_or(Scope::Nothing, |id| {
            Scope::Of(ObjectKind::Agent, agents.own(id))
        })
    })
}
