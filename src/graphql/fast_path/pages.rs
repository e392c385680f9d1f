//! Pages of one kind of list, with all that belongs to their rows, and how they are written.

use std::sync::Arc;

use async_graphql::{ContainerType, ContextSelectionSet, TypeName, Value};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};
use uuid::Uuid;

use super::children::Lists;
use super::list_plan::{EdgePart, InfoPart, ListPlan, Part, Place};
use super::plain::Fallback;
use super::plan::{Selected, Step};
use crate::graphql::connection::{Connection, Edge, Listed};
use crate::graphql::json::Json;
use crate::read::Scope;
use crate::read::page::{Query, Slice};

/// A page that was read.
pub(super) struct Page<N: Listed> {
    pub(super) slice: Arc<Slice<N>>,
    /// Whether there are rows on the side from which it was not counted on, when that is known.
    pub(super) other_side: Option<bool>,
}

/// Pages, and all that is to be written of them.
pub(super) struct Pages<'a, N: Listed> {
    pub(super) plan: ListPlan<'a, N>,
    query: Arc<Query<N>>,
    read: Vec<Page<N>>,
    /// The number of the first row of each page.
    starts: Vec<usize>,
    nodes: Vec<N::Node>,
    /// Values of the rows that were waited for: by place in the answer, then by field.
    late: Vec<Vec<Late<'a>>>,
    /// Values of the list that were waited for.
    pub(super) values: Vec<Value>,
}

/// Values of a field that were waited for.
enum Late<'a> {
    /// None: it is written at once.
    None,
    /// By row.
    Values(Vec<Value>),
    /// By row.
    Lists(Box<dyn Lists + 'a>),
}

impl<'a, N: Listed> Pages<'a, N> {
    /// Reads what belongs to the rows of pages. `context` is that of the list where it is the only one: there the executor can
    /// resolve fields of its rows.
    pub(super) async fn read(
        plan: ListPlan<'a, N>,
        query: Arc<Query<N>>,
        pages: Vec<Page<N>>,
        context: Option<&ContextSelectionSet<'_>>,
    ) -> Result<Self, Fallback> {
        let rows = || pages.iter().flat_map(|page| &page.slice.rows);
        let ids: Vec<_> = rows().map(|row| N::id(row)).collect();
        let nodes: Vec<_> = rows().cloned().map(N::Node::from).collect();
        let starts = pages.iter().scan(0, |next, page| {
            let start = *next;
            *next += page.slice.rows.len();
            Some(start)
        });
        let starts = starts.collect();
        let places = plan
            .places
            .iter()
            .map(|place| place.late(&ids, &nodes, context));
        let late = try_join_all(places).await?;
        Ok(Self {
            plan,
            query,
            read: pages,
            starts,
            nodes,
            late,
            values: Vec::new(),
        })
    }

    fn write_page(&self, at: usize, json: &mut Json) -> Result<(), Fallback> {
        let (page, start) = (&self.read[at], self.starts[at]);
        let mut written = Ok(());
        json.object(&self.plan.parts, |json, (key, part)| {
            json.raw(key.as_bytes());
            let done = match part {
                Part::Typename => {
                    json.plain(&Connection::<N>::type_name());
                    Ok(())
                }
                Part::Waiting(value) => {
                    json.value(&self.values[*value]);
                    Ok(())
                }
                Part::Nodes(place) => rows(page, json, |json, row| {
                    self.write_row(*place, start + row, json)
                }),
                Part::Edges(edge) => rows(page, json, |json, row| {
                    self.write_edge(edge, page, start, row, json)
                }),
                Part::PageInfo(info) => self.write_info(info, page, json),
            };
            written = written.and(done);
        });
        written
    }

    fn write_edge(
        &self,
        edge: &[(String, EdgePart)],
        page: &Page<N>,
        start: usize,
        row: usize,
        json: &mut Json,
    ) -> Result<(), Fallback> {
        let mut written = Ok(());
        json.object(edge, |json, (key, part)| {
            json.raw(key.as_bytes());
            match part {
                EdgePart::Typename => json.plain(&Edge::<N>::type_name()),
                EdgePart::Cursor => json.write(&self.query.cursor(&page.slice.rows[row])),
                EdgePart::Node(place) => {
                    written = written.and(self.write_row(*place, start + row, json));
                }
            }
        });
        written
    }

    fn write_row(&self, place: usize, row: usize, json: &mut Json) -> Result<(), Fallback> {
        let (node, late) = (&self.nodes[row], &self.late[place]);
        let mut written = Ok(());
        json.object(
            self.plan.places[place].fields.iter().zip(late),
            |json, (field, late)| {
                json.raw(field.key.as_bytes());
                let done = match (&field.step, late) {
                    (Step::Value(write), _) => write(node, &field.asked, json),
                    (_, Late::Lists(lists)) => lists.write(row, json),
                    (_, Late::Values(values)) => {
                        json.value(&values[row]);
                        Ok(())
                    }
                    (_, Late::None) => {
                        json.plain(&<N::Node as async_graphql::OutputType>::type_name());
                        Ok(())
                    }
                };
                written = written.and(done);
            },
        );
        written
    }

    fn write_info(
        &self,
        info: &[(String, InfoPart)],
        page: &Page<N>,
        json: &mut Json,
    ) -> Result<(), Fallback> {
        let mut written = Ok(());
        let cursor = |row: Option<&Arc<N::Model>>| row.map(|row| self.query.cursor(row));
        let rows = &page.slice.rows;
        json.object(info, |json, (key, part)| {
            json.raw(key.as_bytes());
            match part {
                InfoPart::Typename => json.plain("PageInfo"),
                InfoPart::Start => json.write(&cursor(rows.first())),
                InfoPart::End => json.write(&cursor(rows.last())),
                InfoPart::HasNext | InfoPart::HasPrevious => {
                    let before = *part == InfoPart::HasPrevious;
                    let has = if self.query.page.backward == before {
                        Some(page.slice.more)
                    } else {
                        page.other_side
                    };
                    match has {
                        Some(has) => json.write(&has),
                        None => written = Err(Fallback),
                    }
                }
            }
        });
        written
    }
}

/// Writes what stands for the rows of a page.
fn rows<N: Listed>(
    page: &Page<N>,
    json: &mut Json,
    mut each: impl FnMut(&mut Json, usize) -> Result<(), Fallback>,
) -> Result<(), Fallback> {
    let mut written = Ok(());
    json.list(0..page.slice.rows.len(), |json, row| {
        written = written.and_then(|()| each(json, row));
    });
    written
}

impl<N: Listed> Lists for Pages<'_, N> {
    fn write(&self, parent: usize, json: &mut Json) -> Result<(), Fallback> {
        self.write_page(parent, json)
    }

    fn values(&self) -> usize {
        let fields = self.plan.places.iter().map(|place| place.fields.len());
        let below = self.late.iter().flatten().map(|late| match late {
            Late::Lists(lists) => lists.values(),
            Late::None | Late::Values(_) => 0,
        });
        self.nodes.len() * fields.sum::<usize>() + below.sum::<usize>()
    }
}

impl<'a, N: Listed> Place<'a, N> {
    async fn late(
        &self,
        ids: &[Uuid],
        nodes: &[N::Node],
        context: Option<&ContextSelectionSet<'_>>,
    ) -> Result<Vec<Late<'a>>, Fallback> {
        let fields = self
            .fields
            .iter()
            .map(async |field| match (&field.step, nodes.first()) {
                (Step::Typename | Step::Value(_), _) | (_, None) => Ok(Late::None),
                (Step::Children(of), Some(first)) => {
                    let list = of(first, &field.asked)?;
                    // What is read is the lists of these rows, and not of something that they lead to.
                    if !matches!(list.scope(), Scope::Of(_, id) if Some(&id) == ids.first()) {
                        return Err(Fallback);
                    }
                    list.read(&field.asked, ids).await.map(Late::Lists)
                }
                (Step::Waiting, _) => {
                    let context = context.ok_or(Fallback)?;
                    self.resolve(field, nodes, context).await.map(Late::Values)
                }
            });
        try_join_all(fields).await
    }

    /// Has the executor resolve a field of each row.
    fn resolve<'f>(
        &'f self,
        field: &'f Selected<'a, N::Node>,
        nodes: &'f [N::Node],
        context: &'f ContextSelectionSet<'f>,
    ) -> BoxFuture<'f, Result<Vec<Value>, Fallback>> {
        let field = field.asked.field;
        let rows = nodes.iter().enumerate().map(async move |(at, node)| {
            let list = context.with_field(self.list);
            let list = list.with_selection_set(&self.list.node.selection_set);
            let row = list.with_index(at);
            let value = match self.node {
                None => node.resolve_field(&row.with_field(field)).await,
                Some(inner) => {
                    let edge = row.with_field(inner);
                    let inner = edge.with_selection_set(&inner.node.selection_set);
                    node.resolve_field(&inner.with_field(field)).await
                }
            };
            Ok(value.map_err(|_| Fallback)?.unwrap_or_default())
        });
        try_join_all(rows).boxed()
    }
}
