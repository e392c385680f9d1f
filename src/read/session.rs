//! Sessions: what their lists can be filtered and ordered by.

use async_graphql::{Enum, InputObject};
use sea_orm::DbErr;
use sea_orm::sea_query::Condition;
use uuid::Uuid;

use super::columns::Row;
use super::filter::{
    Builder, Column, DateTimeFilter, DecimalFilter, IdFilter, IntFilter, PlatformFilter,
    SessionStatusFilter, StringFilter, TagsFilter, Where,
};
use super::page::{Key, SortColumn, SortField};
use super::{Filter, Noun, visibility};
use crate::caller::Permission;
use crate::db::Reader;
use crate::entity::session::{Entity, Model};
use crate::error::Result;
use crate::id;

impl Noun for Entity {
    type Filter = SessionFilter;
    type Field = SessionOrderField;
    const NOUN: id::ObjectKind = id::ObjectKind::Session;
    const TABLE: &'static str = "sessions";
    const READ: &'static [Permission] = &[Permission::UsersRead];
    const AGENT: &'static str = "sessions.agent_id";
    const USER: Option<&'static str> = Some("chat_user_id");

    fn user(row: &Model) -> Option<Uuid> {
        Some(row.chat_user_id)
    }

    fn id(row: &Model) -> Uuid {
        row.id
    }

    fn decode(row: &Row<'_>) -> Result<Model, DbErr> {
        Ok(Model {
            id: row.next()?,
            agent_id: row.next()?,
            chat_user_id: row.next()?,
            external_id: row.next()?,
            platform: row.next()?,
            started_at: row.next()?,
            ended_at: row.next()?,
            last_message_at: row.next()?,
            total_messages: row.next()?,
            total_messages_from_user: row.next()?,
            total_cost_micros: row.next()?,
            subject: row.next()?,
            summary: row.next()?,
            language: row.next()?,
            tags: row.next()?,
        })
    }

    fn shown() -> Option<String> {
        Some(visibility::shown("sessions.chat_user_id"))
    }

    fn parent_column(parent: id::ObjectKind) -> Option<&'static str> {
        match parent {
            id::ObjectKind::Agent => Some("agent_id"),
            id::ObjectKind::ChatUser => Some("chat_user_id"),
            _ => None,
        }
    }

    fn total(parent: id::ObjectKind) -> Option<&'static str> {
        matches!(parent, id::ObjectKind::Agent | id::ObjectKind::ChatUser)
            .then_some("total_sessions")
    }
}

/// What a list of sessions is filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SessionFilter {
    /// Conditions.
    pub r#where: Option<Box<SessionWhere>>,
}

impl Filter for SessionFilter {
    fn condition(&self, reader: &Reader) -> Result<Condition> {
        Builder::condition(reader, self.r#where.as_deref())
    }

    fn is_open(&self) -> bool {
        self.r#where.is_some()
    }
}

/// Conditions on a session; all that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct SessionWhere {
    /// All of these hold.
    pub and: Option<Vec<SessionWhere>>,
    /// At least one of these holds.
    pub or: Option<Vec<SessionWhere>>,
    /// This does not hold.
    pub not: Option<Box<SessionWhere>>,
    /// The id.
    pub id: Option<IdFilter>,
    /// The id of the user.
    pub chat_user_id: Option<IdFilter>,
    /// The id in the system the data came from.
    pub external_id: Option<StringFilter>,
    /// The user's platform.
    pub platform: Option<PlatformFilter>,
    /// Whether it goes on.
    pub status: Option<SessionStatusFilter>,
    /// When it began.
    pub started_at: Option<DateTimeFilter>,
    /// When it was closed.
    pub ended_at: Option<DateTimeFilter>,
    /// The newest message sent by the user in it.
    pub last_message_at: Option<DateTimeFilter>,
    /// Messages of every role.
    pub total_messages: Option<IntFilter>,
    /// Messages sent by the user.
    pub total_messages_from_user: Option<IntFilter>,
    /// What its messages cost.
    pub total_cost: Option<DecimalFilter>,
    /// What it is about.
    pub subject: Option<StringFilter>,
    /// What happened in it.
    pub summary: Option<StringFilter>,
    /// The language, as a BCP 47 tag.
    pub language: Option<StringFilter>,
    /// The tags.
    pub tags: Option<TagsFilter>,
}

impl Where for SessionWhere {
    fn fields(&self, builder: &mut Builder) -> Result<Condition> {
        Ok(Condition::all()
            .add(builder.field("id", self.id.as_ref(), Column::of("sessions.id"))?)
            .add(builder.field(
                "chatUserId",
                self.chat_user_id.as_ref(),
                Column::of("sessions.chat_user_id"),
            )?)
            .add(builder.field(
                "externalId",
                self.external_id.as_ref(),
                Column::of("sessions.external_id"),
            )?)
            .add(builder.field(
                "platform",
                self.platform.as_ref(),
                Column::of("sessions.platform"),
            )?)
            .add(builder.field(
                "status",
                self.status.as_ref(),
                Column::of("sessions.ended_at"),
            )?)
            .add(builder.field(
                "startedAt",
                self.started_at.as_ref(),
                Column::of("sessions.started_at"),
            )?)
            .add(builder.field(
                "endedAt",
                self.ended_at.as_ref(),
                Column::nullable("sessions.ended_at"),
            )?)
            .add(builder.field(
                "lastMessageAt",
                self.last_message_at.as_ref(),
                Column::nullable("sessions.last_message_at"),
            )?)
            .add(builder.field(
                "totalMessages",
                self.total_messages.as_ref(),
                Column::of("sessions.total_messages"),
            )?)
            .add(builder.field(
                "totalMessagesFromUser",
                self.total_messages_from_user.as_ref(),
                Column::of("sessions.total_messages_from_user"),
            )?)
            .add(builder.field(
                "totalCost",
                self.total_cost.as_ref(),
                Column::of("sessions.total_cost_micros"),
            )?)
            .add(builder.field(
                "subject",
                self.subject.as_ref(),
                Column::nullable("sessions.subject"),
            )?)
            .add(builder.field(
                "summary",
                self.summary.as_ref(),
                Column::nullable("sessions.summary"),
            )?)
            .add(builder.field(
                "language",
                self.language.as_ref(),
                Column::nullable("sessions.language"),
            )?)
            .add(builder.field("tags", self.tags.as_ref(), Column::of("sessions.tags"))?))
    }

    fn logic(&self) -> (Option<&[Self]>, Option<&[Self]>, Option<&Self>) {
        (self.and.as_deref(), self.or.as_deref(), self.not.as_deref())
    }
}

/// What a list of sessions can be ordered by. Across all agents only the times are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum SessionOrderField {
    /// When it began.
    StartedAt,
    /// The newest message sent by the user in it.
    LastMessageAt,
    /// Messages of every role. Within one agent or one user.
    TotalMessages,
}

impl SortField for SessionOrderField {
    type Row = Model;

    fn column(self) -> SortColumn {
        match self {
            Self::StartedAt => SortColumn::Int("started_at"),
            Self::LastMessageAt => SortColumn::NullableInt("last_message_at"),
            Self::TotalMessages => SortColumn::Int("total_messages"),
        }
    }

    fn key(self, row: &Model) -> Option<Key> {
        match self {
            Self::StartedAt => Some(row.started_at.into()),
            Self::LastMessageAt => row.last_message_at.map(Key::from),
            Self::TotalMessages => Some(row.total_messages.into()),
        }
    }

    fn naturally_descending(self) -> bool {
        true
    }

    fn is_time(self) -> bool {
        !matches!(self, Self::TotalMessages)
    }
}
