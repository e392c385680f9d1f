//! Deletions: by id, and those with work left to do.

use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use sea_orm::{IdenStatic, Iterable};
use uuid::Uuid;

use super::own;
use crate::caller::{Permission, Principal};
use crate::db::{Reader, by_name};
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

by_name!(Model {
    id,
    agent_id,
    chat_user_id,
    mode,
    actor,
    request_id,
    requested_at,
    finished_at,
    counts,
    stage,
    stage_at,
    stage_id
});
