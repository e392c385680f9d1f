//! Paging by keyset: where a page starts is a position in the order, so that page 5,000 costs what page 1 costs.
//!
//! The rules are those of the Relay Cursor Connections specification, with an `offset` that skips rows from the cursor.
//! NULLs come last in both directions: a nullable column has two sort columns beside it, `…_asc` and `…_desc`, in which
//! nothing is NULL, so that one row-value comparison finds the place (docs/decisions/0004).

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::resolver_utils::EnumType;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use derive_where::derive_where;
use sea_orm::Value;
use sea_orm::sea_query::{Expr, ExprTrait, Order as Direction, Query as Sql, SelectStatement};
use uuid::Uuid;

use super::columns::Columns;
use super::{Filter, Noun, Reach, Scope, batch};
use crate::clock::Timestamp;
use crate::db::Reader;
use crate::error::{Error, Result};

/// A field that lists of a noun can be ordered by.
pub trait SortField: EnumType + Copy + Debug + Hash + Send + Sync + 'static {
    /// The rows it orders.
    type Row;

    /// Its name in the API, which cursors repeat.
    fn word(self) -> &'static str {
        Self::items()
            .iter()
            .find(|item| item.value == self)
            .map_or("", |item| item.name)
    }

    /// The column behind it.
    fn column(self) -> SortColumn;

    /// The value of a row in this order; `None` for NULL.
    fn key(self, row: &Self::Row) -> Option<Key>;

    /// Whether lists run from the largest to the smallest unless told otherwise.
    fn naturally_descending(self) -> bool;

    /// Whether it is a time: only these orders are offered across all agents.
    fn is_time(self) -> bool;
}

/// A column to order by. One that may be NULL has two sort columns beside it, `…_asc` and `…_desc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortColumn {
    /// Integers, never NULL.
    Int(&'static str),
    /// Integers that may be NULL.
    NullableInt(&'static str),
    /// Text, never NULL.
    Text(&'static str),
    /// Text that may be NULL.
    NullableText(&'static str),
}

impl SortColumn {
    const fn name(self) -> &'static str {
        let (Self::Int(name)
        | Self::Text(name)
        | Self::NullableInt(name)
        | Self::NullableText(name)) = self;
        name
    }
}

/// A value to order by. Compares as the databases compare it: integers by size, text by bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// An integer or a time.
    Int(i64),
    /// Text.
    Text(String),
}

impl From<i64> for Key {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<Timestamp> for Key {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.0)
    }
}

impl From<&String> for Key {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Int(value) => value.into(),
            Key::Text(value) => value.into(),
        }
    }
}

/// The order of a list; ties are broken by id in the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order<F> {
    /// What to order by.
    pub field: F,
    /// Largest first.
    pub descending: bool,
}

impl<F: SortField> Order<F> {
    /// The sort column of this direction.
    pub fn column(self) -> String {
        match self.field.column() {
            SortColumn::Int(name) | SortColumn::Text(name) => name.to_owned(),
            SortColumn::NullableInt(name) | SortColumn::NullableText(name) => {
                format!("{name}_{}", if self.descending { "desc" } else { "asc" })
            }
        }
    }

    /// Those columns, and what a row's place in this order is told by.
    pub fn with_key<N: Noun<Field = F>>(self, columns: Columns<N>) -> Columns<N> {
        columns.with(self.field.column().name())
    }

    /// Refuses an order by something personal, for who may not see it: it tells, and so do its cursors.
    pub fn is_for<N: Noun<Field = F>>(self, reader: &Reader) -> Result<()> {
        match reader.missing(N::TABLE, self.field.column().name()) {
            None => Ok(()),
            Some(permission) => Err(Error::forbidden("orderBy.field", permission.name())),
        }
    }

    /// Where a row stands.
    pub fn position(self, id: Uuid, row: &F::Row) -> Position {
        let key =
            self.field
                .key(row)
                .unwrap_or_else(|| match (self.field.column(), self.descending) {
                    (SortColumn::NullableText(_), true) => Key::Text(String::new()),
                    (SortColumn::NullableText(_), false) => Key::Text(char::MAX.to_string()),
                    (_, true) => Key::Int(-i64::MAX),
                    (_, false) => Key::Int(i64::MAX),
                });
        Position { key, id }
    }

    const fn direction(self) -> &'static str {
        if self.descending { "DESC" } else { "ASC" }
    }
}

/// A place in an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The value that is ordered by.
    pub key: Key,
    /// The row.
    pub id: Uuid,
}

impl Position {
    /// The cursor of this place: opaque to clients, and bound to noun, order and direction.
    pub fn encode<N: Noun>(&self, order: Order<N::Field>) -> String {
        let head = (N::NOUN.prefix(), order.field.word(), order.direction());
        let text = match &self.key {
            Key::Int(value) => serde_json::to_vec(&(head, value, self.id.simple().to_string())),
            Key::Text(value) => serde_json::to_vec(&(head, value, self.id.simple().to_string())),
        };
        BASE64_URL_SAFE_NO_PAD.encode(text.unwrap_or_default())
    }

    /// The place that a cursor names, if it is one of this noun in this order.
    pub fn decode<N: Noun>(cursor: &str, order: Order<N::Field>) -> Result<Self, &'static str> {
        const GARBAGE: &str = "is not a cursor of this server";
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| GARBAGE)?;
        let ((noun, field, direction), key, id): (
            (String, String, String),
            serde_json::Value,
            Uuid,
        ) = serde_json::from_slice(&bytes).map_err(|_| GARBAGE)?;
        if (noun.as_str(), field.as_str(), direction.as_str())
            != (N::NOUN.prefix(), order.field.word(), order.direction())
        {
            return Err(
                "is a cursor of another list or another order; a cursor is good only for the order it came from",
            );
        }
        let key = match (order.field.column(), key) {
            (
                SortColumn::Text(_) | SortColumn::NullableText(_),
                serde_json::Value::String(text),
            ) if !text.contains('\0') => Key::Text(text),
            (
                SortColumn::Int(_) | SortColumn::NullableInt(_),
                serde_json::Value::Number(number),
            ) => Key::Int(number.as_i64().ok_or(GARBAGE)?),
            _ => return Err(GARBAGE),
        };
        Ok(Self { key, id })
    }
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    /// Rows at most.
    pub size: u64,
    /// Counted from the end (`last`) instead of the start (`first`).
    pub backward: bool,
    /// Rows skipped from the end that is counted from.
    pub offset: u64,
    /// Only what comes after this place.
    pub after: Option<Position>,
    /// Only what comes before this place.
    pub before: Option<Position>,
}

/// A list, and the part of it that is asked for.
#[derive_where(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query<N: Noun> {
    /// What is in the list.
    pub filter: N::Filter,
    /// Its order.
    pub order: Order<N::Field>,
    /// The part.
    pub page: Page,
}

/// A part of a list, in the list's order.
#[derive(Debug)]
pub struct Slice<N: Noun> {
    /// The rows.
    pub rows: Vec<Arc<N::Model>>,
    /// Whether rows follow beyond the end that is counted towards.
    pub more: bool,
}

impl<N: Noun> Slice<N> {
    /// A slice of rows that were read in the page's direction, with one row too many as the sign that there are more.
    pub fn new(mut rows: Vec<Arc<N::Model>>, page: &Page) -> Self {
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        if page.backward {
            rows.reverse();
        }
        Self { rows, more }
    }
}

impl<N: Noun> Default for Slice<N> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            more: false,
        }
    }
}

impl<N: Noun> Query<N> {
    /// The cursor of a row.
    pub fn cursor(&self, row: &N::Model) -> String {
        let position = self.order.position(N::id(row), row);
        position.encode::<N>(self.order)
    }

    /// One page of a list.
    pub async fn read(
        &self,
        reader: &Reader,
        scope: Scope,
        columns: Columns<N>,
    ) -> Result<Slice<N>> {
        let columns = self.order.with_key(columns);
        let scope = match scope.reach::<N>(reader.principal()) {
            Reach::List(scope) => scope,
            Reach::Lists(agents) => return batch::one_page(reader, &agents, self, columns).await,
        };
        let mut select = self.select(reader, scope)?;
        if self.page.offset > 0 {
            select = self.of_ids(select);
        }
        columns
            .slice(&self.suited(reader), select, &self.page)
            .await
    }

    /// The connections that suit the page: what is passed over takes time, as a filter may.
    pub fn suited(&self, reader: &Reader) -> Reader {
        if self.filter.is_open() || self.page.offset > 0 {
            reader.custom_plan()
        } else {
            reader.clone()
        }
    }

    /// The rows of the page plus one, in the page's direction; no column yet.
    pub fn select(&self, reader: &Reader, scope: Scope) -> Result<SelectStatement> {
        self.order.is_for::<N>(reader)?;
        let mut select = N::visible(reader.principal());
        select
            .cond_where(scope.condition::<N>())
            .cond_where(self.filter.condition(reader)?);
        self.cut(&mut select);
        Ok(select)
    }

    /// The rows whose ids a query brings: what it passes over, it passes over in an index.
    fn of_ids(&self, mut ids: SelectStatement) -> SelectStatement {
        let id = (N::TABLE, "id");
        ids.column(id);
        let mut select = Sql::select().from(N::TABLE).to_owned();
        select.and_where(Expr::col(id).in_subquery(ids));
        self.sort(&mut select);
        select
    }

    /// Puts a query in order and cuts the page out of it.
    pub fn cut(&self, select: &mut SelectStatement) {
        self.between(select);
        self.sort(select);
        select.limit(self.page.size + 1);
        if self.page.offset > 0 {
            select.offset(self.page.offset);
        }
    }

    /// Keeps what lies between the page's cursors.
    pub fn between(&self, select: &mut SelectStatement) {
        let place = || Expr::tuple([self.sort_column(), Expr::col((N::TABLE, "id"))]);
        let value = |position: &Position| {
            Expr::tuple([Expr::value(position.key.clone()), Expr::value(position.id)])
        };
        let later = |position, later: bool| {
            if later == self.order.descending {
                place().lt(value(position))
            } else {
                place().gt(value(position))
            }
        };
        if let Some(after) = &self.page.after {
            select.and_where(later(after, true));
        }
        if let Some(before) = &self.page.before {
            select.and_where(later(before, false));
        }
    }

    /// Puts rows in the page's direction.
    pub fn sort(&self, select: &mut SelectStatement) {
        let direction = if self.is_descending() {
            Direction::Desc
        } else {
            Direction::Asc
        };
        select
            .order_by_expr(self.sort_column(), direction.clone())
            .order_by((N::TABLE, "id"), direction);
    }

    /// Whether the page is read from the largest to the smallest.
    pub fn is_descending(&self) -> bool {
        self.order.descending != self.page.backward
    }

    /// The same list from its start to the end of the page, with one row more: what several lists are to give to one page.
    #[must_use]
    pub fn up_to_page(&self) -> Self {
        let Page { size, offset, .. } = self.page;
        let page = Page {
            size: size.saturating_add(offset),
            offset: 0,
            ..self.page.clone()
        };
        Self {
            page,
            ..self.clone()
        }
    }

    /// A query for a single row on the other side of the page's start: whether there is one is what `hasPreviousPage`
    /// says of a forward page and `hasNextPage` of a backward one. `None` when the answer needs no look.
    pub fn other_side(&self, slice: &Slice<N>) -> Result<Self, bool> {
        let start = if self.page.backward {
            &self.page.before
        } else {
            &self.page.after
        };
        if self.page.offset > 0 && !slice.rows.is_empty() {
            return Err(true);
        }
        if self.page.offset == 0 && start.is_none() {
            return Err(false);
        }
        Ok(self.looking_back())
    }

    fn looking_back(&self) -> Self {
        let mut page = Page {
            size: 0,
            backward: !self.page.backward,
            offset: 0,
            after: None,
            before: None,
        };
        let (start, end, bound) = if self.page.backward {
            (&self.page.before, &self.page.after, &mut page.after)
        } else {
            (&self.page.after, &self.page.before, &mut page.before)
        };
        // Whether positions grow in the page's direction.
        let up = self.page.backward == self.order.descending;
        // One step further, so that the start itself is among what is looked at.
        let start = start.clone().map(|position| position.step(up));
        *bound = match (start, end.clone()) {
            (start, _) if self.page.offset == 0 => start,
            // An offset that skipped everything has passed all that lies before the end.
            (Some(start), Some(end)) if up => Some(start.max(end)),
            (Some(start), Some(end)) => Some(start.min(end)),
            (_, end) => end,
        };
        Self {
            page,
            ..self.clone()
        }
    }

    fn sort_column(&self) -> Expr {
        Expr::col((N::TABLE, self.order.column()))
    }
}

impl Position {
    /// The place right beside this one.
    fn step(self, up: bool) -> Self {
        let id = self.id.as_u128();
        let id = if up {
            id.saturating_add(1)
        } else {
            id.saturating_sub(1)
        };
        Self {
            id: Uuid::from_u128(id),
            ..self
        }
    }
}

/// Refuses an order that has an index only within an agent, for a list across all of them.
pub fn within_agent<F: SortField>(field: F, scope: Scope) -> Result<()> {
    if scope != Scope::All || field.is_time() {
        return Ok(());
    }
    let word = field.word();
    Err(Error::bad_input(
        "orderBy.field",
        format!("{word} is offered within one agent only: give an `agentId`, or order by a time"),
    ))
}
