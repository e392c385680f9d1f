//! Counts the matches of a search. The index of grams counts a term by itself where it knows it as one gram; else it brings those
//! who may have it, and they are looked at, as long as they are few. What PostgreSQL's trigrams find is counted as any filter is.

use sea_orm::ActiveEnum;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query as Sql, SelectStatement};
use uuid::Uuid;

use super::chat_user::{ChatUserFilter, Platforms};
use super::search::{Term, brought};
use super::{Filter, Noun, Reach, Scope};
use crate::caller::Agents;
use crate::db::Reader;
use crate::db::dialect::Found;
use crate::entity::chat_user::Entity;
use crate::error::Result;
use crate::id;

/// How many users the index may bring: when there are more, going through all of them is as quick.
const FEW: u64 = 20_000;

/// How many users of a list a search finds; `None` when they are to be counted as under any filter.
pub async fn count(reader: &Reader, scope: Scope, filter: &ChatUserFilter) -> Result<Option<i64>> {
    let Some((scope, found)) = found(reader, scope, filter)? else {
        return Ok(None);
    };
    if found.says_audience {
        return of_audience(reader, scope, filter, found).await.map(Some);
    }
    if let Some(select) = by_index_alone(reader, scope, filter, &found)? {
        let rows = reader.custom_plan().select(&select).await?;
        return Ok(rows
            .first()
            .map(|row| row.try_get("", "count"))
            .transpose()?);
    }
    let select = count_candidates(reader, scope, filter, found)?;
    for row in reader.custom_plan().select(&select).await? {
        if is_few(row.try_get("", "brought")?) {
            return Ok(Some(row.try_get("", "count")?));
        }
    }
    Ok(None)
}

/// How many of them are on each platform.
pub async fn platforms(
    reader: &Reader,
    scope: Scope,
    filter: &ChatUserFilter,
) -> Result<Option<Platforms>> {
    let found = found(reader, scope, filter)?.filter(|(_, found)| found.by.is_some());
    let Some((scope, found)) = found else {
        return Ok(None);
    };
    let mut select = count_candidates(reader, scope, filter, found)?;
    let platform = (Entity::TABLE, "platform");
    select.column(platform).group_by_col(platform);
    let (mut all, mut platforms) = (0, Platforms::new());
    for row in reader.custom_plan().select(&select).await? {
        let brought: i64 = row.try_get("", "brought")?;
        all += brought;
        platforms.push((row.try_get("", "platform")?, row.try_get("", "count")?));
    }
    platforms.retain(|(_, count)| *count > 0);
    Ok(is_few(all).then_some(platforms))
}

/// The list, and how an index finds those in it who have the term, where there is more to it than to any filter.
fn found(reader: &Reader, scope: Scope, filter: &ChatUserFilter) -> Result<Option<(Scope, Found)>> {
    let Some(term @ Term::Text(text)) = &filter.search else {
        return Ok(None);
    };
    term.is_for(reader)?;
    let scope = match scope.reach::<Entity>(reader.principal()) {
        Reach::List(scope) => scope,
        Reach::Lists(_) => Scope::All,
    };
    let platform = filter.platform.map(ActiveEnum::into_value);
    let found = reader
        .dialect()
        .indexed(agent(scope), platform.as_deref(), text);
    let found = found.filter(|found| found.by.is_some() || found.says_audience);
    Ok(found.map(|found| (scope, found)))
}

/// How many an index brings that knows agent and platform as one, and the term.
async fn of_audience(
    reader: &Reader,
    scope: Scope,
    filter: &ChatUserFilter,
    found: Found,
) -> Result<i64> {
    let rest = ChatUserFilter {
        search: None,
        platform: None,
        r#where: filter.r#where.clone(),
    };
    let mut select = brought(reader, scope, found);
    select
        .expr_as(Expr::cust("COUNT(*)"), "count")
        .cond_where(rest.condition(reader)?);
    let rows = filter.counted_by(reader).select(&select).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.try_get("", "count"))?)
}

const fn agent(scope: Scope) -> Option<Uuid> {
    match scope {
        Scope::Of(id::ObjectKind::Agent, agent) => Some(agent),
        _ => None,
    }
}

/// The query for how many entries the index has, less those of whoever is hidden. `None` when it does not decide alone.
fn by_index_alone(
    reader: &Reader,
    scope: Scope,
    filter: &ChatUserFilter,
    found: &Found,
) -> Result<Option<SelectStatement>> {
    let is_all_seen =
        agent(scope).is_some() || scope == Scope::All && reader.principal().agents == Agents::All;
    let knows_platform = filter.platform.is_none() || found.knows_platform;
    let decides = found.exact && knows_platform && filter.r#where.is_none();
    if !(decides
        && is_all_seen
        && Entity::READ
            .iter()
            .any(|&read| reader.principal().may(read)))
    {
        return Ok(None);
    }
    let entries = Sql::select()
        .expr(Expr::cust("COUNT(*)"))
        .from("chat_user_grams")
        .and_where(found.condition.clone())
        .to_owned();
    let all_hidden = Sql::select()
        .column("chat_user_id")
        .from("hidden_chat_users")
        .to_owned();
    let hidden = Sql::select()
        .expr(Expr::cust("COUNT(*)"))
        .from(Entity::TABLE)
        .and_where(Expr::col((Entity::TABLE, "id")).in_subquery(all_hidden))
        .cond_where(scope.condition::<Entity>())
        .cond_where(filter.condition(reader)?)
        .to_owned();
    let select = Sql::select()
        .expr_as(Expr::from(entries).sub(Expr::from(hidden)), "count")
        .to_owned();
    Ok(Some(select))
}

/// Of those whom the index brings: how many they are, and how many of them the search finds. No more are looked at than a few.
fn count_candidates(
    reader: &Reader,
    scope: Scope,
    filter: &ChatUserFilter,
    found: Found,
) -> Result<SelectStatement> {
    let mut rest = filter.clone();
    rest.search = rest.search.filter(|_| !found.exact);
    let condition = rest.condition(reader)?;
    let mut few = brought(reader, scope, found);
    few.limit(FEW + 1);
    if filter.r#where.is_some() {
        few.expr(Expr::cust(format!("{}.*", Entity::TABLE)));
    } else {
        few.columns(["platform", "search_text"].map(|column| (Entity::TABLE, column)));
    }
    Ok(Sql::select()
        .expr_as(Expr::cust("COUNT(*)"), "brought")
        .expr_as(Func::count(Expr::case(condition, 1)), "count")
        .from_subquery(few, Entity::TABLE)
        .to_owned())
}

fn is_few(brought: i64) -> bool {
    u64::try_from(brought).is_ok_and(|brought| brought <= FEW)
}
