//! Agents: what their list can be filtered and ordered by.

use async_graphql::{Enum, InputObject};
use sea_orm::DbErr;
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use uuid::Uuid;

use super::columns::Row;
use super::filter::{
    BooleanFilter, Builder, Column, DateTimeFilter, DecimalFilter, IdFilter, IntFilter, Present,
    StringFilter, Where,
};
use super::page::{Key, SortColumn, SortField};
use super::search::Term;
use super::{Filter, Noun};
use crate::caller::Permission;
use crate::db::Reader;
use crate::entity::agent::{Entity, Model};
use crate::error::Result;
use crate::id;

impl Noun for Entity {
    type Filter = AgentFilter;
    type Field = AgentOrderField;
    const NOUN: id::ObjectKind = id::ObjectKind::Agent;
    const TABLE: &'static str = "agents";
    const READ: &'static [Permission] = &[
        Permission::UsersRead,
        Permission::EventsWrite,
        Permission::AgentsWrite,
    ];
    const AGENT: &'static str = "agents.id";

    fn id(row: &Model) -> Uuid {
        row.id
    }

    fn decode(row: &Row<'_>) -> Result<Model, DbErr> {
        Ok(Model {
            id: row.next()?,
            external_id: row.next()?,
            name: row.next()?,
            name_key: row.next()?,
            description: row.next()?,
            created_at: row.next()?,
            total_users: row.next()?,
            total_sessions: row.next()?,
            total_messages: row.next()?,
            total_cost_micros: row.next()?,
            search_text: row.next()?,
            archived_at: row.next()?,
            session_idle_minutes: row.next()?,
        })
    }

    // An agent is the only row of a list of its own: that is how somebody who sees some agents has them listed.
    fn parent_column(parent: id::ObjectKind) -> Option<&'static str> {
        (parent == id::ObjectKind::Agent).then_some("id")
    }
}

/// Whether there is no agent at all, that is, no data.
pub async fn none(reader: &Reader) -> Result<bool> {
    let mut select = Entity::visible(reader.principal());
    select.column((Entity::TABLE, "id")).limit(1);
    Ok(reader
        .rows(reader.dialect().statement(&select))
        .await?
        .is_empty())
}

/// The ids of the agents with these external ids; what names none is left out.
pub async fn ids_by_external_ids(reader: &Reader, external_ids: &[&str]) -> Result<Vec<Uuid>> {
    // No text that is stored has U+0000, and PostgreSQL takes none.
    let stored = external_ids.iter().filter(|id| !id.contains('\0'));
    let stored: Vec<_> = stored.copied().collect();
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    let mut select = Entity::visible(reader.principal());
    select
        .column((Entity::TABLE, "id"))
        .and_where(Expr::col((Entity::TABLE, "external_id")).is_in(stored));
    let rows = reader.select(&select).await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get("", "id"))
        .collect::<Result<_, _>>()?)
}

/// What a list of agents is filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AgentFilter {
    /// Contained in name, external id or id.
    pub search: Option<Term>,
    /// Conditions.
    pub r#where: Option<Box<AgentWhere>>,
}

impl Filter for AgentFilter {
    fn condition(&self, reader: &Reader) -> Result<Condition> {
        let condition = Builder::condition(reader, self.r#where.as_deref())?;
        Ok(self.search.iter().fold(condition, |all, term| {
            all.add(term.condition::<Entity>(reader.dialect()))
        }))
    }

    fn is_open(&self) -> bool {
        self.search.as_ref().is_some_and(Term::is_open) || self.r#where.is_some()
    }
}

/// Conditions on an agent; all that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct AgentWhere {
    /// All of these hold.
    pub and: Option<Vec<AgentWhere>>,
    /// At least one of these holds.
    pub or: Option<Vec<AgentWhere>>,
    /// This does not hold.
    pub not: Option<Box<AgentWhere>>,
    /// The id.
    pub id: Option<IdFilter>,
    /// The id in the system the data came from.
    pub external_id: Option<StringFilter>,
    /// The name, without regard to case and accents.
    pub name: Option<StringFilter>,
    /// The earliest moment known of the agent.
    pub created_at: Option<DateTimeFilter>,
    /// Chat users of the agent.
    pub total_users: Option<IntFilter>,
    /// Sessions of the agent.
    pub total_sessions: Option<IntFilter>,
    /// Messages of every role in these sessions.
    pub total_messages: Option<IntFilter>,
    /// What these messages cost.
    pub total_cost: Option<DecimalFilter>,
    /// Since when it takes nothing new.
    pub archived_at: Option<DateTimeFilter>,
    /// Whether it takes nothing new.
    pub is_archived: Option<BooleanFilter>,
}

impl Where for AgentWhere {
    fn fields(&self, builder: &mut Builder) -> Result<Condition> {
        Ok(Condition::all()
            .add(builder.field("id", self.id.as_ref(), Column::of("agents.id"))?)
            .add(builder.field(
                "externalId",
                self.external_id.as_ref(),
                Column::of("agents.external_id"),
            )?)
            .add(builder.field(
                "name",
                self.name.as_ref(),
                Column::folded("agents.name_key"),
            )?)
            .add(builder.field(
                "createdAt",
                self.created_at.as_ref(),
                Column::of("agents.created_at"),
            )?)
            .add(builder.field(
                "totalUsers",
                self.total_users.as_ref(),
                Column::of("agents.total_users"),
            )?)
            .add(builder.field(
                "totalSessions",
                self.total_sessions.as_ref(),
                Column::of("agents.total_sessions"),
            )?)
            .add(builder.field(
                "totalMessages",
                self.total_messages.as_ref(),
                Column::of("agents.total_messages"),
            )?)
            .add(builder.field(
                "totalCost",
                self.total_cost.as_ref(),
                Column::of("agents.total_cost_micros"),
            )?)
            .add(builder.field(
                "archivedAt",
                self.archived_at.as_ref(),
                Column::nullable("agents.archived_at"),
            )?)
            .add(builder.field(
                "isArchived",
                self.is_archived.as_ref().map(Present).as_ref(),
                Column::of("agents.archived_at"),
            )?))
    }

    fn logic(&self) -> (Option<&[Self]>, Option<&[Self]>, Option<&Self>) {
        (self.and.as_deref(), self.or.as_deref(), self.not.as_deref())
    }
}

/// What a list of agents can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum AgentOrderField {
    /// The earliest moment known of the agent.
    CreatedAt,
    /// The name, without regard to case and accents.
    Name,
    /// Chat users of the agent.
    TotalUsers,
    /// Sessions of the agent.
    TotalSessions,
    /// Messages of every role in these sessions.
    TotalMessages,
}

impl SortField for AgentOrderField {
    type Row = Model;

    fn column(self) -> SortColumn {
        match self {
            Self::CreatedAt => SortColumn::Int("created_at"),
            Self::Name => SortColumn::NullableText("name_key"),
            Self::TotalUsers => SortColumn::Int("total_users"),
            Self::TotalSessions => SortColumn::Int("total_sessions"),
            Self::TotalMessages => SortColumn::Int("total_messages"),
        }
    }

    fn key(self, row: &Model) -> Option<Key> {
        match self {
            Self::CreatedAt => Some(row.created_at.into()),
            Self::Name => row.name_key.as_ref().map(Key::from),
            Self::TotalUsers => Some(row.total_users.into()),
            Self::TotalSessions => Some(row.total_sessions.into()),
            Self::TotalMessages => Some(row.total_messages.into()),
        }
    }

    fn naturally_descending(self) -> bool {
        !matches!(self, Self::Name)
    }

    fn is_time(self) -> bool {
        matches!(self, Self::CreatedAt)
    }
}
