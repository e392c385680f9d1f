//! How long lists are. Where somebody asks for all that there is of an agent, a user or a session, a stored figure says it, less
//! what is hidden; else rows are counted (docs/decisions/0026).

use std::collections::HashMap;

use sea_orm::sea_query::{Condition, Expr, ExprTrait, JoinType, Query as Sql, SelectStatement};
use uuid::Uuid;

use super::{Filter, Noun, Scope, agent_scope, batch};
use crate::caller::Principal;
use crate::db::Reader;
use crate::entity::platform::Platform;
use crate::entity::{agent, chat_user, session};
use crate::error::Result;
use crate::id;

/// How long one list is, under a filter of which nothing more is known.
pub async fn one<N: Noun>(reader: &Reader, scope: Scope, filter: &N::Filter) -> Result<i64> {
    if *filter == N::Filter::default()
        && let Some(lists) = stored::<N>(reader, scope)
    {
        let rows = reader.select(&lists).await?;
        return Ok(rows.first().map_or(Ok(0), |row| row.try_get("", "count"))?);
    }
    let mut select = N::visible(reader.principal());
    select
        .expr_as(Expr::cust("COUNT(*)"), "count")
        .cond_where(scope.condition::<N>())
        .cond_where(filter.condition(reader)?);
    let rows = filter.counted_by(reader).select(&select).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.try_get("", "count"))?)
}

/// How long the list of each parent is, under a filter of which nothing more is known.
pub async fn each<N: Noun>(
    reader: &Reader,
    parent: id::ObjectKind,
    parents: &[Uuid],
    filter: &N::Filter,
) -> Result<HashMap<Uuid, i64>> {
    let stored = (*filter == N::Filter::default())
        .then(|| stored_of_each::<N>(reader, parent, parents))
        .flatten();
    let (reader, select) = match stored {
        Some(select) => (reader.clone(), select),
        None => (
            filter.counted_by(reader),
            counted_of_each::<N>(reader, parent, parents, filter)?,
        ),
    };
    let mut counts: HashMap<Uuid, i64> = parents.iter().map(|&parent| (parent, 0)).collect();
    for row in reader.select(&select).await? {
        counts.insert(row.try_get("", "parent")?, row.try_get("", "count")?);
    }
    Ok(counts)
}

fn counted_of_each<N: Noun>(
    reader: &Reader,
    parent: id::ObjectKind,
    parents: &[Uuid],
    filter: &N::Filter,
) -> Result<SelectStatement> {
    let column = batch::column::<N>(parent)?;
    let among = among(reader, &format!("{}.{column}", N::TABLE), parents);
    let mut select = N::visible(reader.principal());
    select
        .expr_as(Expr::col((N::TABLE, column)), "parent")
        .expr_as(Expr::cust("COUNT(*)"), "count")
        .cond_where(Condition::all().add(among).add(filter.condition(reader)?))
        .group_by_col((N::TABLE, column));
    Ok(select)
}

fn among(reader: &Reader, column: &str, ids: &[Uuid]) -> Expr {
    reader.dialect().among(column, ids.iter().copied())
}

/// Parents, each with a figure that says how long its list is.
struct Lists {
    parents: SelectStatement,
    /// The table of the parents.
    table: &'static str,
    /// The figure, in SQL.
    length: String,
}

impl Lists {
    /// `None` where nothing is stored, and for who may see nothing.
    fn of<N: Noun>(principal: &Principal, parent: id::ObjectKind) -> Option<Self> {
        let total = N::total(parent)?;
        if !N::READ.iter().any(|&read| principal.may(read)) {
            return None;
        }
        Some(match parent {
            id::ObjectKind::Agent => {
                // Of users a hidden one is one; of anything else as many as they have.
                let each = N::total(id::ObjectKind::ChatUser).unwrap_or("1");
                let mut parents = agent::Entity::visible(principal);
                parents.join_subquery(
                    JoinType::LeftJoin,
                    hidden(&["agent_id"], each),
                    "hidden",
                    Expr::cust("hidden.agent_id = agents.id"),
                );
                Self {
                    parents,
                    table: agent::Entity::TABLE,
                    length: format!("agents.{total} - COALESCE(hidden.total, 0)"),
                }
            }
            id::ObjectKind::ChatUser => Self {
                parents: chat_user::Entity::visible(principal),
                table: chat_user::Entity::TABLE,
                length: format!("chat_users.{total}"),
            },
            id::ObjectKind::Session => Self {
                parents: session::Entity::visible(principal),
                table: session::Entity::TABLE,
                length: format!("sessions.{total}"),
            },
            _ => return None,
        })
    }
}

/// What is hidden with users, summed up by columns of theirs.
fn hidden(by: &[&'static str], each: &str) -> SelectStatement {
    let mut hidden = Sql::select();
    hidden
        .columns(by.iter().map(|column| ("chat_users", *column)))
        .expr_as(Expr::cust(format!("CAST(SUM({each}) AS bigint)")), "total")
        .from("hidden_chat_users")
        // From those who are hidden to the users, and not the other way, whatever a planner knows of either.
        .left_join(
            "chat_users",
            Expr::cust("chat_users.id = hidden_chat_users.chat_user_id"),
        )
        .group_by_columns(by.iter().map(|column| ("chat_users", *column)));
    hidden
}

/// The query for how long a list is, by stored figures.
fn stored<N: Noun>(reader: &Reader, scope: Scope) -> Option<SelectStatement> {
    let (parent, only) = match scope {
        Scope::All => (id::ObjectKind::Agent, None),
        Scope::Of(parent, id) => (parent, Some(id)),
        Scope::Nothing => return None,
    };
    let Lists {
        mut parents,
        table,
        length,
    } = Lists::of::<N>(reader.principal(), parent)?;
    parents.expr_as(
        Expr::cust(format!("CAST(COALESCE(SUM({length}), 0) AS bigint)")),
        "count",
    );
    if let Some(id) = only {
        parents.and_where(Expr::col((table, "id")).eq(id));
    }
    Some(parents)
}

/// The same for the list of each parent.
fn stored_of_each<N: Noun>(
    reader: &Reader,
    parent: id::ObjectKind,
    parents: &[Uuid],
) -> Option<SelectStatement> {
    let Lists {
        parents: mut select,
        table,
        length,
    } = Lists::of::<N>(reader.principal(), parent)?;
    select
        .expr_as(Expr::col((table, "id")), "parent")
        .expr_as(Expr::cust(length), "count")
        .and_where(among(reader, &format!("{table}.id"), parents));
    Some(select)
}

/// How many users each agent has on each platform, as stored: a query for the columns `platform` and `count`, in which the
/// agents that are meant are still to be named.
pub fn platforms(principal: &Principal, platform: Option<Platform>) -> SelectStatement {
    let count = "CAST(SUM(agent_platforms.users - COALESCE(hidden.total, 0)) AS bigint)";
    let mut select = Sql::select();
    select
        .column(("agent_platforms", "platform"))
        .expr_as(Expr::cust(count), "count")
        .from("agent_platforms")
        .join_subquery(
            JoinType::LeftJoin,
            hidden(&["agent_id", "platform"], "1"),
            "hidden",
            Expr::cust("hidden.agent_id = agent_platforms.agent_id AND hidden.platform = agent_platforms.platform"),
        )
        .group_by_col(("agent_platforms", "platform"));
    if !chat_user::Entity::READ
        .iter()
        .any(|&read| principal.may(read))
    {
        select.and_where(Expr::cust("1 = 0"));
    }
    if let Some(own) = agent_scope::condition(&principal.agents, "agent_platforms.agent_id") {
        select.and_where(own);
    }
    if let Some(platform) = platform {
        select.and_where(Expr::col(("agent_platforms", "platform")).eq(platform));
    }
    select
}
