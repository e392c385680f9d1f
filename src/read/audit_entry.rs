//! Audit entries: what their lists can be filtered and ordered by.

use async_graphql::{Enum, InputObject};
use sea_orm::DbErr;
use sea_orm::sea_query::Condition;
use uuid::Uuid;

use super::columns::Row;
use super::filter::{
    AuditActionFilter, Builder, ChatUsersFilter, Column, DateTimeFilter, IdFilter, StringFilter,
    Where,
};
use super::page::{Key, SortColumn, SortField};
use super::{Filter, Noun, visibility};
use crate::caller::Permission;
use crate::db::Reader;
use crate::entity::audit_entry::{Entity, Model};
use crate::entity::pii::DELETIONS;
use crate::error::Result;
use crate::id;

impl Noun for Entity {
    type Filter = AuditEntryFilter;
    type Field = AuditEntryOrderField;
    const NOUN: id::ObjectKind = id::ObjectKind::AuditEntry;
    const TABLE: &'static str = "audit_entries";
    const READ: &'static [Permission] = &[Permission::AuditRead];
    const AGENT: &'static str = "audit_entries.agent_id";
    const USER: Option<&'static str> = Some("chat_user_id");

    fn user(row: &Model) -> Option<Uuid> {
        row.chat_user_id
    }

    fn id(row: &Model) -> Uuid {
        row.id
    }

    fn decode(row: &Row<'_>) -> Result<Model, DbErr> {
        Ok(Model {
            id: row.next()?,
            agent_id: row.next()?,
            chat_user_id: row.next()?,
            action: row.next()?,
            actor: row.next()?,
            request_id: row.next()?,
            at: row.next()?,
            changes: row.next()?,
            operation: row.next()?,
            chat_user_ids: row.next()?,
        })
    }

    // What tells of a deletion says nothing about the user, and is shown.
    fn shown() -> Option<String> {
        let user = visibility::shown("audit_entries.chat_user_id");
        Some(format!("({user} OR {DELETIONS})"))
    }

    fn parent_column(parent: id::ObjectKind) -> Option<&'static str> {
        match parent {
            id::ObjectKind::Agent => Some("agent_id"),
            id::ObjectKind::ChatUser => Some("chat_user_id"),
            _ => None,
        }
    }
}

/// What a list of audit entries is filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AuditEntryFilter {
    /// Conditions.
    pub r#where: Option<Box<AuditEntryWhere>>,
}

impl Filter for AuditEntryFilter {
    fn condition(&self, reader: &Reader) -> Result<Condition> {
        Builder::condition(reader, self.r#where.as_deref())
    }

    fn is_open(&self) -> bool {
        self.r#where.is_some()
    }
}

/// Conditions on an audit entry; all that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct AuditEntryWhere {
    /// All of these hold.
    pub and: Option<Vec<AuditEntryWhere>>,
    /// At least one of these holds.
    pub or: Option<Vec<AuditEntryWhere>>,
    /// This does not hold.
    pub not: Option<Box<AuditEntryWhere>>,
    /// The id.
    pub id: Option<IdFilter>,
    /// What was done.
    pub action: Option<AuditActionFilter>,
    /// Who did it.
    pub actor: Option<StringFilter>,
    /// The request that asked for it.
    pub request_id: Option<StringFilter>,
    /// The name of the operation that asked for it.
    pub operation: Option<StringFilter>,
    /// When.
    pub at: Option<DateTimeFilter>,
    /// The users whose personal data was read.
    pub chat_user_ids: Option<ChatUsersFilter>,
}

impl Where for AuditEntryWhere {
    fn fields(&self, builder: &mut Builder) -> Result<Condition> {
        let column = |name| Column::of(name);
        Ok(Condition::all()
            .add(builder.field("id", self.id.as_ref(), column("audit_entries.id"))?)
            .add(builder.field(
                "action",
                self.action.as_ref(),
                column("audit_entries.action"),
            )?)
            .add(builder.field("actor", self.actor.as_ref(), column("audit_entries.actor"))?)
            .add(builder.field(
                "requestId",
                self.request_id.as_ref(),
                column("audit_entries.request_id"),
            )?)
            .add(builder.field(
                "operation",
                self.operation.as_ref(),
                Column::nullable("audit_entries.operation"),
            )?)
            .add(builder.field(
                "chatUserIds",
                self.chat_user_ids.as_ref(),
                column("audit_entries.chat_user_ids"),
            )?)
            .add(builder.field("at", self.at.as_ref(), column("audit_entries.at"))?))
    }

    fn logic(&self) -> (Option<&[Self]>, Option<&[Self]>, Option<&Self>) {
        (self.and.as_deref(), self.or.as_deref(), self.not.as_deref())
    }
}

/// What a list of audit entries can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum AuditEntryOrderField {
    /// When it was done.
    At,
}

impl SortField for AuditEntryOrderField {
    type Row = Model;

    fn column(self) -> SortColumn {
        SortColumn::Int("at")
    }

    fn key(self, row: &Model) -> Option<Key> {
        Some(row.at.into())
    }

    fn naturally_descending(self) -> bool {
        true
    }

    fn is_time(self) -> bool {
        true
    }
}
