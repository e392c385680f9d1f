//! Search: what is looked through, how a term is understood, and the looks that keep any term cheap
//! (docs/decisions/0006, 0014).

use std::collections::HashSet;

use sea_orm::sea_query::{Condition, Expr, Order, Query as Sql, SelectStatement, UnionType};
use sea_orm::{ActiveEnum, ExprTrait};
use uuid::Uuid;

use super::chat_user::ChatUserFilter;
use super::columns::Columns;
use super::page::{Page, Query, Slice};
use super::{Noun, Scope};
use crate::caller::Permission;
use crate::db::Reader;
use crate::db::dialect::{Dialect, Found, Many};
use crate::entity::chat_user;
use crate::error::{Error, Result};
use crate::id;
use crate::text;

/// How long a search term may be, in characters.
const MAX_TERM: usize = 256;
/// How many of the first rows a glance goes through.
const GLANCE: u64 = 500;
/// How many of the first rows the first look goes through.
const FIRST_LOOK: u64 = 5_000;
/// How many a longer one goes through at most.
const LONGEST_LOOK: u64 = 20_000;
/// From how many matches in the first look on there are so many that an index would bring more than a longer look goes through.
const COMMON: u64 = 100;
/// A search term, understood.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// A complete id of the noun that is searched.
    Id(Uuid),
    /// The complete e-mail address of someone, as its key ([`text::email_key`]).
    Email(String),
    /// A term that may be somebody's complete e-mail address, or else is contained; as it was written.
    MaybeEmail(String),
    /// Text that is contained, folded ([`text::fold`]).
    Text(String),
    /// Something that nothing can match.
    Nothing,
}

impl Term {
    /// Understands the `search` argument; `None` when it asks for nothing.
    pub fn parse(search: Option<&str>, noun: id::ObjectKind) -> Result<Option<Self>> {
        let Some(term) = search.map(str::trim).filter(|term| !term.is_empty()) else {
            return Ok(None);
        };
        if term.chars().count() > MAX_TERM {
            return Err(Error::bad_input(
                "search",
                format!("has at most {MAX_TERM} characters"),
            ));
        }
        if let Some(id) = noun.decode(term) {
            return Ok(Some(Self::Id(id)));
        }
        let folded = text::fold(term);
        Ok(Some(if folded.is_empty() || folded.contains('\0') {
            Self::Nothing
        } else if folded.contains('@') {
            Self::MaybeEmail(term.to_owned())
        } else {
            Self::Text(folded)
        }))
    }

    /// A term that may be somebody's address, now that it is known whether it is one.
    pub fn resolved(term: &str, is_email: bool) -> Self {
        if is_email {
            Self::Email(text::email_key(term))
        } else {
            Self::Text(text::fold(term))
        }
    }

    /// Refuses a term that looks through personal data, for who may not see it: they find users by complete ids alone.
    pub fn is_for(&self, reader: &Reader) -> Result<()> {
        let permission = Permission::UsersPii;
        if matches!(self, Self::Id(_)) || reader.principal().may(permission) {
            return Ok(());
        }
        Err(Error::forbidden("search", permission.name()))
    }

    /// Whether what the term finds is not known before it is looked for.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Text(_) | Self::MaybeEmail(_))
    }

    /// The term as a condition on rows of a table that has an `id` and a `search_text`.
    pub fn condition<N: Noun>(&self, dialect: Dialect) -> Condition {
        Condition::all().add(match self {
            Self::Id(id) => Expr::col((N::TABLE, "id")).eq(*id),
            Self::Email(email) => email_is(email),
            Self::MaybeEmail(term) => {
                dialect.search(&format!("{}.search_text", N::TABLE), &text::fold(term))
            }
            Self::Text(text) => dialect.search(&format!("{}.search_text", N::TABLE), text),
            Self::Nothing => Expr::cust("1 = 0"),
        })
    }
}

/// Whether a text is the complete e-mail address of someone: then only they are meant.
pub async fn is_email(reader: &Reader, scope: Scope, term: &str) -> Result<bool> {
    let mut select = chat_user::Entity::visible(reader.principal());
    select
        .column((chat_user::Entity::TABLE, "id"))
        .cond_where(scope.condition::<chat_user::Entity>())
        .and_where(email_is(&text::email_key(term)))
        .limit(1);
    let found = reader.select(&select).await?;
    Ok(!found.is_empty())
}

/// What a term means that may be an address: its owners, when it is somebody's.
pub async fn resolve_email_term(reader: &Reader, scope: Scope, term: &str) -> Result<Term> {
    let is_email = is_email(reader, scope, term).await?;
    Ok(Term::resolved(term, is_email))
}

/// The agents among whose users a text is the complete e-mail address of someone.
pub async fn agents_with_email(
    reader: &Reader,
    agents: &[Uuid],
    term: &str,
) -> Result<HashSet<Uuid>> {
    let mut select = chat_user::Entity::visible(reader.principal());
    select
        .distinct()
        .column((chat_user::Entity::TABLE, "agent_id"))
        .and_where(email_is(&text::email_key(term)))
        .and_where(
            reader
                .dialect()
                .among("chat_users.agent_id", agents.iter().copied()),
        );
    let found = reader.select(&select).await?;
    Ok(found
        .iter()
        .map(|row| row.try_get("", "agent_id"))
        .collect::<Result<_, _>>()?)
}

/// Whether a user has this address, given as its key.
fn email_is(key: &str) -> Expr {
    Expr::col((chat_user::Entity::TABLE, "email_key")).eq(key)
}

type ChatUsers = Query<chat_user::Entity>;

/// A page of the users whose complete e-mail address a text is; when it is nobody's, of those in which it is contained.
pub async fn page_of_email(
    reader: &Reader,
    scope: Scope,
    query: &ChatUsers,
    term: &str,
    columns: Columns<chat_user::Entity>,
) -> Result<Slice<chat_user::Entity>> {
    let mut owners = query.clone();
    owners.filter.search = Some(Term::resolved(term, true));
    let slice = owners.read(reader, scope, columns).await?;
    // No row can also mean that the page lies elsewhere, or that the owner is filtered out.
    if slice.more || !slice.rows.is_empty() || is_email(reader, scope, term).await? {
        return Ok(slice);
    }
    page(reader, scope, query, &text::fold(term), columns).await
}

/// A page of the users in which a text is contained.
///
/// The first rows of the order are looked at; what is not found there, an index finds, all of it, and it is put in order. Only a term
/// that is short and in the ids of many has no index, and for that the order is walked on. A search whose first page the index had
/// to find lately is taken there at once.
pub async fn page(
    reader: &Reader,
    scope: Scope,
    query: &ChatUsers,
    text: &str,
    columns: Columns<chat_user::Entity>,
) -> Result<Slice<chat_user::Entity>> {
    // Before any way is taken: an index that decides by itself is not told the term again.
    query
        .filter
        .search
        .iter()
        .try_for_each(|term| term.is_for(reader))?;
    let agent = match scope {
        Scope::Of(id::ObjectKind::Agent, agent) => Some(agent),
        _ => None,
    };
    let platform = query.filter.platform.map(ActiveEnum::into_value);
    let found = reader.dialect().indexed(agent, platform.as_deref(), text);
    let (order, page) = (query.order.field, &query.page);
    let search = (
        scope,
        &query.filter,
        order,
        query.is_descending(),
        page.size,
    );
    if (found.is_none() || !reader.rare().has(&search))
        && let Some(slice) = early(reader, scope, query, found.is_some(), columns).await?
    {
        return Ok(slice);
    }
    let planned = reader.custom_plan();
    let Some(found) = found else {
        let walk = walking(reader, scope, query)?;
        return look(&planned, query, walk, columns).await;
    };
    // Elsewhere it may be the list that is at its end, and not the matches that are rare.
    if page.offset == 0 && page.after.is_none() && page.before.is_none() {
        reader.rare().note(&search);
    }
    let by_one_plan = is_plain(query) && found.is_planned();
    let hits = matching(reader, scope, query, found)?;
    let reader = if by_one_plan {
        reader.dedicated()
    } else {
        planned
    };
    look(&reader, query, hits, columns).await
}

/// A page of matches that the first rows of the order have, when they have one.
///
/// A glance tells whether the term is rare. If it is not, and there is an index to fall back to, the first look goes through more of
/// them: a common term ends there, whatever the audience's size; for a page far from the start, in a longer one.
async fn early(
    reader: &Reader,
    scope: Scope,
    query: &ChatUsers,
    has_index: bool,
    columns: Columns<chat_user::Entity>,
) -> Result<Option<Slice<chat_user::Entity>>> {
    let planned = reader.custom_plan();
    let short = if is_plain(query) { reader } else { &planned };
    let among_first = async |reader, rows| {
        let hits = first_rows(reader, scope, query, rows)?;
        look(reader, query, hits, columns).await
    };
    let quick_probe = among_first(short, GLANCE).await?;
    if quick_probe.more {
        return Ok(Some(quick_probe));
    }
    if !(has_index && may_suffice(&query.page, quick_probe.rows.len())) {
        return Ok(None);
    }
    let first = among_first(short, FIRST_LOOK).await?;
    if first.more {
        return Ok(Some(first));
    }
    let Some(rows) = longer_look(&query.page, first.rows.len()) else {
        return Ok(None);
    };
    let longer = among_first(&planned, rows).await?;
    Ok(longer.more.then_some(longer))
}

/// Whether one plan is good for all values.
const fn is_plain(query: &ChatUsers) -> bool {
    query.filter.r#where.is_none()
}

/// Whether the first look may find a page of matches, going by what a glance brought. How many were passed over it does not know.
const fn may_suffice(page: &Page, brought: usize) -> bool {
    page.offset > 0 || brought as u64 * (FIRST_LOOK / GLANCE) > page.size
}

/// How many of the first rows ought to have a page of matches among them twice over, going by what the first look brought.
/// `None` when that is too many, and when the matches are few: an index finds those sooner.
fn longer_look(page: &Page, brought: usize) -> Option<u64> {
    // How many were passed over is not known when the offset goes beyond all that there were: no more than it says.
    let brought = page.offset.saturating_add(brought as u64);
    let needed = page.offset.saturating_add(page.size + 1);
    if brought < COMMON {
        return None;
    }
    let rows = (2 * FIRST_LOOK).checked_mul(needed)? / brought;
    (rows <= LONGEST_LOOK).then_some(rows)
}

/// The rows of `hits`, a query for ids, each with what it is ordered by, that are already cut to the page and in its order.
async fn look(
    reader: &Reader,
    query: &ChatUsers,
    hits: SelectStatement,
    columns: Columns<chat_user::Entity>,
) -> Result<Slice<chat_user::Entity>> {
    let table = chat_user::Entity::TABLE;
    let mut select = Sql::select()
        .from_subquery(hits, "hits")
        .inner_join(table, Expr::col((table, "id")).equals(("hits", "id")))
        .to_owned();
    in_order_of("hits", &mut select, query);
    let columns = query.order.with_key(columns);
    columns.slice(reader, select, &query.page).await
}

/// Puts rows in the page's direction, by the columns of what they were found by.
fn in_order_of(found: &'static str, select: &mut SelectStatement, query: &ChatUsers) {
    let direction = if query.is_descending() {
        Order::Desc
    } else {
        Order::Asc
    };
    for column in hit(query) {
        select.order_by((found, column), direction.clone());
    }
}

/// The columns of a hit.
fn hit(query: &ChatUsers) -> [String; 2] {
    [query.order.column(), "id".to_owned()]
}

/// Ids of the page among the first rows of the order.
fn first_rows(
    reader: &Reader,
    scope: Scope,
    query: &ChatUsers,
    rows: u64,
) -> Result<SelectStatement> {
    let mut first = chat_user::Entity::visible(reader.principal());
    first.cond_where(scope.condition::<chat_user::Entity>());
    query.between(&mut first);
    query.sort(&mut first);
    first.limit(rows);
    page_among(first, reader, query, &query.filter)
}

/// Ids of the page among `rows`, a query that has no column yet and ends in a `LIMIT`.
fn page_among(
    mut rows: SelectStatement,
    reader: &Reader,
    query: &ChatUsers,
    filter: &ChatUserFilter,
) -> Result<SelectStatement> {
    let table = chat_user::Entity::TABLE;
    if filter.r#where.is_some() {
        rows.expr(Expr::cust(format!("{table}.*")));
    } else {
        let sort_column = query.order.column();
        rows.columns(
            ["id", "platform", "search_text", &sort_column]
                .map(|column| (table, column.to_owned())),
        );
    }
    // Under the table's own name, so that conditions on the table read the same here.
    let mut hits = Sql::select()
        .columns(hit(query).map(|column| (table, column)))
        .from_subquery(rows, table)
        .to_owned();
    hits.cond_where(super::Filter::condition(filter, reader)?);
    query.cut(&mut hits);
    Ok(hits)
}

/// Ids of the page, met by walking the order.
fn walking(reader: &Reader, scope: Scope, query: &ChatUsers) -> Result<SelectStatement> {
    let mut hits = query.select(reader, scope)?;
    hits.columns(hit(query).map(|column| (chat_user::Entity::TABLE, column)));
    Ok(hits)
}

/// Ids of the page out of all matches, which an index finds first, without regard to the order.
fn matching(
    reader: &Reader,
    scope: Scope,
    query: &ChatUsers,
    found: Found,
) -> Result<SelectStatement> {
    let mut filter = query.filter.clone();
    filter.search = filter.search.filter(|_| !found.exact);
    let many = found.many.clone();
    let mut matches = brought(reader, scope, found);
    // A fence: the planner must not trade these matches for a walk through some order.
    matches.limit(i64::MAX.unsigned_abs()).offset(0);
    let Some(many) = many else {
        return page_among(matches, reader, query, &filter);
    };
    matches.and_where(many.are.clone().not());
    let few = page_among(matches, reader, query, &filter)?;
    let many = met(reader, scope, query, &filter, many)?;
    let ids = |hits, name: &'static str| {
        Sql::select()
            .columns(hit(query))
            .from_subquery(hits, name)
            .to_owned()
    };
    Ok(ids(few, "few")
        .union(UnionType::All, ids(many, "many"))
        .to_owned())
}

/// Ids of the page out of many matches, met on a walk that reads nothing but the order's index. What is met is looked up when there
/// is more to know of it.
fn met(
    reader: &Reader,
    scope: Scope,
    query: &ChatUsers,
    filter: &ChatUserFilter,
    many: Many,
) -> Result<SelectStatement> {
    let table = chat_user::Entity::TABLE;
    let mut walk = chat_user::Entity::visible(reader.principal());
    walk.columns(hit(query).map(|column| (table, column)))
        .cond_where(scope.condition::<chat_user::Entity>())
        .and_where(many.are)
        .and_where(many.is_met);
    if *filter == ChatUserFilter::default() {
        query.cut(&mut walk);
        return Ok(walk);
    }
    query.between(&mut walk);
    query.sort(&mut walk);
    // A fence here, too: what is met comes in order, so that a page of it is enough.
    walk.limit(i64::MAX.unsigned_abs()).offset(0);
    let condition = super::Filter::condition(filter, reader)?;
    let of_those = Sql::select()
        .column((table, "id"))
        .from(table)
        .and_where(Expr::cust("chat_users.id = met.id"))
        .cond_where(condition)
        .to_owned();
    // As a question of each row, and not as a join, which a planner might turn round.
    let mut hits = Sql::select()
        .columns(hit(query).map(|column| ("met", column)))
        .from_subquery(walk, "met")
        .and_where(Expr::exists(of_those).or(Expr::cust("false")))
        .to_owned();
    in_order_of("met", &mut hits, query);
    hits.limit(query.page.size + 1).offset(query.page.offset);
    Ok(hits)
}

/// The users of a list whom an index brings; no column yet.
pub(super) fn brought(reader: &Reader, scope: Scope, found: Found) -> SelectStatement {
    let mut matches = chat_user::Entity::visible(reader.principal());
    if let Some(by) = found.by {
        matches.inner_join("chat_user_grams", Expr::cust(by));
    }
    if !found.says_audience {
        matches.cond_where(scope.condition::<chat_user::Entity>());
    }
    matches.and_where(found.condition);
    matches
}

#[cfg(test)]
mod tests {
    use super::{Page, longer_look};

    #[test]
    fn a_longer_look_is_for_pages_far_from_the_start_of_many_matches() {
        let page = |offset| Page {
            size: 20,
            backward: false,
            offset,
            after: None,
            before: None,
        };
        for (offset, brought, rows) in [
            (0, 0, None),
            (0, 20, None),
            (90, 5, None),
            (90, 20, Some(10_090)),
            (1_000, 0, Some(10_210)),
            (u64::MAX, 0, None),
        ] {
            assert_eq!(
                longer_look(&page(offset), brought),
                rows,
                "{offset} {brought}"
            );
        }
    }
}
