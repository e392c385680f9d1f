//! One statement for many parents: what the loaders of a request ask for together.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait, SelectStatement};
use uuid::Uuid;

use super::columns::Columns;
use super::page::{Query, Slice};
use super::{Noun, Scope};
use crate::db::dialect::{Dialect, Part};
use crate::db::{Reader, Values};
use crate::error::{Internal, Result};
use crate::id;

/// Rows by the ids that are asked for; ids that name nothing are missing from the answer.
pub async fn by_ids<N: Noun>(
    reader: &Reader,
    ids: &[Uuid],
    columns: Columns<N>,
) -> Result<HashMap<Uuid, Arc<N::Model>>> {
    let rows = columns.fetch(reader, of_ids::<N>(reader, ids));
    with_former::<N>(reader, ids, rows.await?).await
}

/// The query for rows by their ids; no column yet.
pub fn of_ids<N: Noun>(reader: &Reader, ids: &[Uuid]) -> SelectStatement {
    let column = format!("{}.id", N::TABLE);
    let mut select = N::visible(reader.principal());
    select.and_where(reader.dialect().among(&column, ids.iter().copied()));
    select
}

/// Rows that were found by the ids that are asked for, and those to whom the other ids lead.
pub async fn with_former<N: Noun>(
    reader: &Reader,
    ids: &[Uuid],
    rows: Vec<N::Model>,
) -> Result<HashMap<Uuid, Arc<N::Model>>> {
    let rows = rows.into_iter().map(|row| (N::id(&row), Arc::new(row)));
    let mut rows: HashMap<_, _> = rows.collect();
    let missing = ids.iter().copied().filter(|id| !rows.contains_key(id));
    let missing: Vec<_> = missing.collect();
    if !missing.is_empty() {
        rows.extend(N::by_former_ids(reader, &missing).await?);
    }
    Ok(rows)
}

/// The same page of the list of each parent, in the order of the parents, each of whom is named once.
pub async fn pages<N: Noun>(
    reader: &Reader,
    parent: id::ObjectKind,
    parents: &[Uuid],
    query: &Query<N>,
    columns: Columns<N>,
) -> Result<Vec<Slice<N>>> {
    if let [only] = parents {
        let slice = N::page(reader, Scope::Of(parent, *only), query, columns).await?;
        return Ok(vec![slice]);
    }
    let column = column::<N>(parent)?;
    let columns = query.order.with_key(columns).with(column).seen_by(reader);
    let dialect = reader.dialect();
    let mut children = query.select(reader, Scope::All)?;
    children.and_where(Expr::col((N::TABLE, column)).eq(Expr::cust(dialect.each_parent())));
    let names = columns.names();
    let at = names
        .iter()
        .position(|name| *name == column)
        .unwrap_or_default();
    let statement = dialect.lists_of(parents, N::TABLE, &names, &mut children);
    let rows = query.suited(reader);
    let decode = |row: &dyn Values| columns.decode(row).map(Arc::new);
    let lists = rows.lists(statement, parents, at, decode).await?;
    let lists = lists.into_iter();
    Ok(lists
        .map(|rows| columns.slice(ordered(rows, query), &query.page))
        .collect())
}

/// One page of the lists of several agents together. Each gives what may be on the page, by its own index.
pub async fn one_page<N: Noun>(
    reader: &Reader,
    agents: &[Uuid],
    query: &Query<N>,
    columns: Columns<N>,
) -> Result<Slice<N>> {
    let column = column::<N>(id::ObjectKind::Agent)?;
    let columns = columns.seen_by(reader);
    let sort_column = query.order.column();
    let mut names: Vec<&str> = columns.names();
    if !names.contains(&sort_column.as_str()) {
        // Behind the others, where nothing is decoded from it.
        names.push(&sort_column);
    }
    let mut children = query.up_to_page().select(reader, Scope::All)?;
    children.and_where(Expr::col((N::TABLE, column)).eq(Expr::cust(Dialect::PARENT)));
    let part = Part {
        order: [&sort_column, "id"],
        descending: query.is_descending(),
        limit: query.page.size + 1,
        offset: query.page.offset,
    };
    let dialect = reader.dialect();
    let statement = dialect.children_of(agents, N::TABLE, &names, &mut children);
    let rows = query.suited(reader);
    let decode = |row: &dyn Values| columns.decode(row).map(Arc::new);
    let statement = dialect.part_of_children(statement, &part);
    let rows = rows.each(statement, decode).await?;
    Ok(columns.slice(rows, &query.page))
}

/// Puts the rows of one parent in the page's direction, in which they mostly come.
fn ordered<N: Noun>(mut rows: Vec<Arc<N::Model>>, query: &Query<N>) -> Vec<Arc<N::Model>> {
    let place = |row: &Arc<N::Model>| query.order.position(N::id(row), row);
    if query.is_descending() {
        in_order_of(&mut rows, |row| Reverse(place(row)));
    } else {
        in_order_of(&mut rows, place);
    }
    rows
}

fn in_order_of<T, K: Ord>(rows: &mut [T], key: impl Fn(&T) -> K) {
    if !rows.is_sorted_by_key(&key) {
        rows.sort_by_cached_key(key);
    }
}

/// How long the list of each parent is.
pub async fn counts<N: Noun>(
    reader: &Reader,
    parent: id::ObjectKind,
    parents: &[Uuid],
    filter: &N::Filter,
) -> Result<HashMap<Uuid, i64>> {
    N::counts(reader, parent, parents, filter).await
}

pub(super) fn column<N: Noun>(parent: id::ObjectKind) -> Result<&'static str> {
    N::parent_column(parent).ok_or_else(|| {
        Internal::Corrupt(format!("{} have no {}", N::TABLE, parent.prefix())).into()
    })
}
