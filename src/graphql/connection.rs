//! The one connection type: a list by pages, in the form of the Relay Cursor Connections specification.
//!
//! Nothing is read before a field asks for it: the page when edges, nodes or page info are selected, the count when
//! `totalCount` is, the look to the other side when `hasPreviousPage` or `hasNextPage` need one.

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::{Context, Enum, Lookahead, Object, ObjectType, TypeName};
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use super::fast_path::{FastFields, Rows};
use super::{loaders, reader};
use crate::error::{Error, Result};
use crate::read::columns::Columns;
use crate::read::page::{Order, Page, Position, Query, Slice, SortField};
use crate::read::{Filter, Noun, Scope};

/// Page sizes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows of a page when the request does not say.
    pub default: u64,
    /// The most a request may ask for.
    pub cap: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            default: 20,
            cap: 100,
        }
    }
}

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum OrderDirection {
    /// Smallest, earliest, A to Z first.
    Asc,
    /// Largest, latest, Z to A first.
    Desc,
}

impl OrderDirection {
    /// The order that an `orderBy` asks for. A field has a natural direction: names and conversations from the start, times and figures from the top.
    pub(super) fn order<F: SortField>(direction: Option<Self>, field: F) -> Order<F> {
        let descending = direction.map_or_else(
            || field.naturally_descending(),
            |direction| direction == Self::Desc,
        );
        Order { field, descending }
    }
}

/// The paging arguments of a field, as they were given.
#[derive(Clone, Debug, Default)]
pub(super) struct PageArguments {
    pub(super) first: Option<i32>,
    pub(super) after: Option<String>,
    pub(super) last: Option<i32>,
    pub(super) before: Option<String>,
    pub(super) offset: Option<i32>,
}

impl PageArguments {
    fn page<N: Noun>(self, order: Order<N::Field>, limits: Limits) -> Result<Page> {
        let (word, asked) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Error::bad_input(
                    "last",
                    "`first` and `last` cannot both be given: a page is counted from one end",
                ));
            }
            (None, Some(last)) => ("last", Some(last)),
            (first, None) => ("first", first),
        };
        let natural = |word: &'static str, value: i32| {
            u64::try_from(value).map_err(|_| {
                Error::bad_input(word, format!("is {value}, and must not be negative"))
            })
        };
        let size = asked
            .map(|value| natural(word, value))
            .transpose()?
            .unwrap_or(limits.default);
        if size > limits.cap {
            return Err(Error::bad_input(
                word,
                format!("is {size}, and a page has at most {} rows", limits.cap),
            ));
        }
        let place = |word: &'static str, cursor: Option<String>| {
            cursor
                .map(|cursor| {
                    Position::decode::<N>(&cursor, order)
                        .map_err(|reason| Error::bad_input(word, reason))
                })
                .transpose()
        };
        Ok(Page {
            size,
            backward: word == "last",
            offset: self
                .offset
                .map_or(Ok(0), |offset| natural("offset", offset))?,
            after: place("after", self.after)?,
            before: place("before", self.before)?,
        })
    }
}

/// What the graph adds to a noun: the type of a node, and what its connections have beyond the common fields.
pub(super) trait Listed: Noun {
    /// The type of a node.
    type Node: FastFields + From<Arc<Self::Model>>;
    /// Further fields of its connection; `EmptyMutation`, the object without fields, when there are none.
    type Extras: ObjectType;
    /// `ChatUser` in `ChatUserConnection`.
    const NAME: &'static str;
    /// The columns behind fields of a node that are not named like their column.
    const FIELD_COLUMNS: &'static [(&'static str, &'static [&'static str])];

    /// The further fields of a list.
    fn extras(scope: Scope, filter: &Self::Filter) -> Self::Extras;
}

/// A list by pages.
pub(super) struct Connection<N: Listed> {
    scope: Scope,
    batched: bool,
    query: Arc<Query<N>>,
    columns: Columns<N>,
    page: OnceCell<Arc<Slice<N>>>,
    other_side: OnceCell<bool>,
}

impl<N: Listed> Connection<N> {
    /// A list of the whole graph or of one agent, read by itself.
    pub(super) fn new(
        context: &Context<'_>,
        scope: Scope,
        filter: N::Filter,
        order: Order<N::Field>,
        page: PageArguments,
    ) -> Result<Self> {
        // Mistakes in the conditions are found here, once, and not by each field that reads.
        filter.condition(reader(context))?;
        order.is_for::<N>(reader(context))?;
        let page = page.page::<N>(order, super::pages(context))?;
        let query = Arc::new(Query {
            filter,
            order,
            page,
        });
        Ok(Self {
            scope,
            batched: false,
            query,
            columns: columns(context),
            page: OnceCell::new(),
            other_side: OnceCell::new(),
        })
    }

    /// The list of one parent among many, read in one statement for all of them.
    pub(super) fn batched(self) -> Self {
        Self {
            batched: true,
            ..self
        }
    }

    async fn read(
        &self,
        context: &Context<'_>,
        query: &Arc<Query<N>>,
        columns: Columns<N>,
    ) -> Result<Arc<Slice<N>>> {
        match self.scope {
            Scope::Of(parent, id) if self.batched => {
                let query = query.clone();
                loaders(context).page(parent, id, query, columns).await
            }
            scope => N::page(reader(context), scope, query, columns)
                .await
                .map(Arc::new),
        }
    }

    /// Whose list it is.
    pub(super) const fn scope(&self) -> Scope {
        self.scope
    }

    /// What is asked of it.
    pub(super) const fn query(&self) -> &Arc<Query<N>> {
        &self.query
    }

    /// The columns that its nodes are asked for.
    pub(super) const fn columns(&self) -> Columns<N> {
        self.columns
    }

    /// The page.
    pub(super) async fn slice(&self, context: &Context<'_>) -> Result<&Arc<Slice<N>>> {
        let read = || self.read(context, &self.query, self.columns);
        self.page.get_or_try_init(read).await
    }

    /// Whether there are rows on the side from which the page was not counted on.
    pub(super) async fn has_other_side(&self, context: &Context<'_>) -> Result<bool> {
        let look = async || match self.query.other_side(self.slice(context).await?) {
            Err(known) => Ok(known),
            Ok(query) => Ok(self
                .read(context, &Arc::new(query), Columns::id())
                .await?
                .more),
        };
        self.other_side.get_or_try_init(look).await.copied()
    }
}

/// The columns that the nodes of a connection are asked for, by the selection of its field.
fn columns<N: Listed>(context: &Context<'_>) -> Columns<N> {
    let connection = context.look_ahead();
    let [edges, nodes] = ["edges", "nodes"].map(|name| connection.field(name));
    let nodes = [edges.field("node"), nodes];
    let mut columns = Columns::id();
    for node in nodes.iter().flat_map(Lookahead::selection_fields) {
        for field in node.selection_set() {
            columns = behind(columns, field.name());
        }
    }
    columns
}

/// The columns that the field at hand, a node, is asked for.
pub(super) fn requested_columns<N: Listed>(context: &Context<'_>) -> Columns<N> {
    let fields = context.field();
    fields
        .selection_set()
        .fold(Columns::id(), |all, field| behind(all, field.name()))
}

/// The columns behind one more field of a node.
fn behind<N: Listed>(columns: Columns<N>, field: &str) -> Columns<N> {
    match N::FIELD_COLUMNS.iter().find(|(name, _)| *name == field) {
        Some((_, behind)) => behind.iter().fold(columns, |all, name| all.with(name)),
        None if field == "__typename" => columns,
        None => columns.with_field(field),
    }
}

impl<N: Listed> TypeName for Connection<N> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", N::NAME).into()
    }
}

/// A list by pages.
#[Object(name_type)]
impl<N: Listed> Connection<N> {
    /// The rows of the page, each with its cursor.
    async fn edges<'a>(&'a self, context: &Context<'a>) -> Result<Rows<Edge<N>>> {
        let rows = &self.slice(context).await?.rows;
        Ok(rows
            .iter()
            .map(|row| Edge {
                cursor: self.query.cursor(row),
                row: row.clone(),
            })
            .collect())
    }

    /// The rows of the page.
    async fn nodes(&self, context: &Context<'_>) -> Result<Rows<N::Node>> {
        Ok(self
            .slice(context)
            .await?
            .rows
            .iter()
            .cloned()
            .map(N::Node::from)
            .collect())
    }

    /// Where the page lies in the list.
    async fn page_info(&self) -> PageInfo<'_> {
        PageInfo(self)
    }

    /// How many rows the whole list has. Counted only when asked for.
    async fn total_count(&self, context: &Context<'_>) -> Result<i64> {
        let filter = &self.query.filter;
        match self.scope {
            Scope::Of(parent, id) if self.batched => {
                loaders(context)
                    .count::<N>(parent, id, filter.clone())
                    .await
            }
            scope => N::count(reader(context), scope, filter).await,
        }
    }

    #[graphql(flatten)]
    fn extras(&self) -> N::Extras {
        N::extras(self.scope, &self.query.filter)
    }
}

/// A row of a list with its place in it.
pub(super) struct Edge<N: Listed> {
    cursor: String,
    row: Arc<N::Model>,
}

impl<N: Listed> TypeName for Edge<N> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", N::NAME).into()
    }
}

/// A row of a list with its place in it.
#[Object(name_type)]
impl<N: Listed> Edge<N> {
    /// The row's place: give it to `after` or `before` to go on from here. Good for this order only.
    fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The row.
    async fn node(&self) -> N::Node {
        N::Node::from(self.row.clone())
    }
}

/// Where a page lies in its list.
pub(super) struct PageInfo<'a>(&'a dyn Paged);

/// What a page can tell of its place, whatever its rows are.
trait Paged: Sync {
    /// Whether rows come before the page, or follow after it.
    fn has<'a>(&'a self, context: &'a Context<'a>, before: bool) -> BoxFuture<'a, Result<bool>>;
    /// The cursor of the first row, or of the last.
    fn end<'a>(
        &'a self,
        context: &'a Context<'a>,
        first: bool,
    ) -> BoxFuture<'a, Result<Option<String>>>;
}

impl<N: Listed> Paged for Connection<N> {
    fn has<'a>(&'a self, context: &'a Context<'a>, before: bool) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            if self.query.page.backward == before {
                Ok(self.slice(context).await?.more)
            } else {
                self.has_other_side(context).await
            }
        })
    }

    fn end<'a>(
        &'a self,
        context: &'a Context<'a>,
        first: bool,
    ) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(async move {
            let rows = &self.slice(context).await?.rows;
            Ok(if first { rows.first() } else { rows.last() }.map(|row| self.query.cursor(row)))
        })
    }
}

/// Where a page lies in its list.
#[Object]
impl PageInfo<'_> {
    /// Whether rows follow after the page.
    async fn has_next_page(&self, context: &Context<'_>) -> Result<bool> {
        self.0.has(context, false).await
    }

    /// Whether rows come before the page.
    async fn has_previous_page(&self, context: &Context<'_>) -> Result<bool> {
        self.0.has(context, true).await
    }

    /// The cursor of the page's first row.
    async fn start_cursor(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.0.end(context, true).await
    }

    /// The cursor of the page's last row.
    async fn end_cursor(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.0.end(context, false).await
    }
}
