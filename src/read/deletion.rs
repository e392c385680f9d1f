//! Deletions: by id, and those with work left to do.

use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use sea_orm::{DbErr, IdenStatic, Iterable};
use uuid::Uuid;

use super::own;
use crate::caller::{Permission, Principal};
use crate::db::{FromRow, Reader, Row};
use crate::entity::deletion::{Column, Model};
use crate::error::Result;

/// How many users one look finds who are not deleted yet.
const LOOK: u64 = 100;

/// What one has to be allowed to see who was deleted.
pub(super) const READ: [Permission; 2] = [Permission::UsersRead, Permission::UsersDelete];

/// The deletions that somebody may see, and no column yet.
fn visible(principal: &Principal) -> SelectStatement {
    let mut select = Query::select().from("deletions").to_owned();
    if !READ.iter().all(|&read| principal.may(read)) {
        select.and_where(Expr::cust("1 = 0"));
    }
    if let Some(own) = own::condition(&principal.agents, "deletions.agent_id") {
        select.and_where(own);
    }
    select
}

/// Deletions by id; ids that name nothing are missing from the answer.
pub async fn by_ids(reader: &Reader, ids: &[Uuid]) -> Result<Vec<Model>> {
    let among = reader.dialect().among("deletions.id", ids.iter().copied());
    let mut select = visible(reader.principal());
    select
        .columns(Column::iter().map(|column| ("deletions", column.as_str())))
        .and_where(among);
    reader.fetch(reader.dialect().statement(&select)).await
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

impl FromRow for Model {
    fn from_row(row: &Row) -> Result<Self, DbErr> {
        Ok(Self {
            id: row.try_get("", "id")?,
            agent_id: row.try_get("", "agent_id")?,
            chat_user_id: row.try_get("", "chat_user_id")?,
            mode: row.try_get("", "mode")?,
            actor: row.try_get("", "actor")?,
            request_id: row.try_get("", "request_id")?,
            requested_at: row.try_get("", "requested_at")?,
            finished_at: row.try_get("", "finished_at")?,
            counts: row.try_get("", "counts")?,
            stage: row.try_get("", "stage")?,
            stage_at: row.try_get("", "stage_at")?,
            stage_id: row.try_get("", "stage_id")?,
        })
    }
}
