//! Deletions: their list, the users who can be restored, and those with work left to do.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::Enum;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Order, Query};
use sea_orm::{ActiveEnum, DbErr};
use uuid::Uuid;

use super::columns::{Columns, Row};
use super::page::{Key, SortColumn, SortField};
use super::{Filter, Noun, agent_scope};
use crate::caller::Permission;
use crate::db::Reader;
use crate::entity::chat_user;
use crate::entity::deletion::{DeletionMode, Entity, Model};
use crate::error::{Result, permitted};
use crate::id;

/// How many users one look finds who are not deleted yet.
const LOOK: u64 = 100;

/// What one has to be allowed to see who was deleted.
pub(super) const READ: [Permission; 2] = [Permission::UsersRead, Permission::UsersDelete];

/// That the user whose id is in a column is hidden by a soft deletion, and can be restored.
const RESTORABLE: &str = "EXISTS (SELECT 1 FROM hidden_chat_users WHERE hidden_chat_users.chat_user_id = {user}) \
    AND NOT EXISTS (SELECT 1 FROM deletions AS running WHERE running.chat_user_id = {user} AND running.finished_at IS NULL)";

impl Noun for Entity {
    type Filter = DeletionFilter;
    type Field = DeletionOrderField;
    const NOUN: id::ObjectKind = id::ObjectKind::Deletion;
    const TABLE: &'static str = "deletions";
    const READ: &'static [Permission] = &[Permission::UsersDelete];
    const AGENT: &'static str = "deletions.agent_id";

    fn id(row: &Model) -> Uuid {
        row.id
    }

    fn decode(row: &Row<'_>) -> Result<Model, DbErr> {
        Ok(Model {
            id: row.next()?,
            agent_id: row.next()?,
            chat_user_id: row.next()?,
            mode: row.next()?,
            actor: row.next()?,
            request_id: row.next()?,
            requested_at: row.next()?,
            finished_at: row.next()?,
            counts: row.next()?,
            stage: row.next()?,
            stage_at: row.next()?,
            stage_id: row.next()?,
        })
    }

    fn parent_column(parent: id::ObjectKind) -> Option<&'static str> {
        (parent == id::ObjectKind::Agent).then_some("agent_id")
    }
}

/// What a list of deletions is filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeletionFilter {
    /// Only deletions of this kind.
    pub mode: Option<DeletionMode>,
    /// Only deletions of users who can be restored, or only others.
    pub is_restorable: Option<bool>,
}

impl Filter for DeletionFilter {
    fn condition(&self, _: &Reader) -> Result<Condition> {
        let mode = |mode: DeletionMode| Expr::col((Entity::TABLE, "mode")).eq(mode.into_value());
        let restorable = || {
            let hidden = Expr::cust(RESTORABLE.replace("{user}", "deletions.chat_user_id"));
            Condition::all().add(mode(DeletionMode::Soft)).add(hidden)
        };
        Ok(Condition::all()
            .add_option(self.mode.map(mode))
            .add_option(self.is_restorable.map(|wanted| {
                if wanted {
                    restorable()
                } else {
                    restorable().not()
                }
            })))
    }

    fn is_open(&self) -> bool {
        false
    }
}

/// What a list of deletions is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum DeletionOrderField {
    /// When they were asked for.
    RequestedAt,
}

impl SortField for DeletionOrderField {
    type Row = Model;

    fn column(self) -> SortColumn {
        SortColumn::Int("requested_at")
    }

    fn key(self, row: &Model) -> Option<Key> {
        Some(row.requested_at.into())
    }

    fn naturally_descending(self) -> bool {
        true
    }

    fn is_time(self) -> bool {
        true
    }
}

/// Those of these users who can be restored, as whoever asks may see them.
pub async fn restorable(
    reader: &Reader,
    users: &[Uuid],
) -> Result<HashMap<Uuid, Arc<chat_user::Model>>> {
    for read in READ {
        permitted(reader.principal(), read)?;
    }
    let mut select = Query::select().from("chat_users").to_owned();
    select
        .and_where(
            reader
                .dialect()
                .among("chat_users.id", users.iter().copied()),
        )
        .and_where(Expr::cust(RESTORABLE.replace("{user}", "chat_users.id")));
    if let Some(own) = agent_scope::condition(&reader.principal().agents, "chat_users.agent_id") {
        select.and_where(own);
    }
    let columns = Columns::<chat_user::Entity>::all();
    let rows = columns.fetch(reader, select).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, Arc::new(row)))
        .collect())
}

/// Users whose deletion is not finished, some of them. Nobody is shown them: the program asks, for what it has to do.
pub async fn unfinished(reader: &Reader) -> Result<Vec<Uuid>> {
    let select = Query::select()
        .column("chat_user_id")
        .distinct()
        .from("deletions")
        .and_where(Expr::col("finished_at").is_null())
        .order_by("chat_user_id", Order::Asc)
        .limit(LOOK)
        .to_owned();
    let rows = reader.select(&select).await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get("", "chat_user_id"))
        .collect::<Result<_, _>>()?)
}
