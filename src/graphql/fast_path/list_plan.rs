//! What is asked of a list: its rows, in edges or as nodes, where its pages lie, and what the executor is to resolve.

use async_graphql::parser::types::{Field, SelectionSet};
use async_graphql::{Positioned, TypeName};

use super::plain::Fallback;
use super::plan::{Base, FieldContext, Selected, Step, key, plan, selections};
use crate::graphql::connection::{Connection, Edge, Listed};

/// What is asked of a list, each field behind its key.
pub(super) struct ListPlan<'a, N: Listed> {
    pub(super) parts: Vec<(String, Part)>,
    /// What is asked of rows, for each place in the answer where they stand.
    pub(super) places: Vec<Place<'a, N>>,
    /// Fields of the list that the executor resolves.
    pub(super) waiting: Vec<&'a Positioned<Field>>,
}

/// A field of a list.
pub(super) enum Part {
    Typename,
    Edges(Vec<(String, EdgePart)>),
    /// Rows, by the number of their place.
    Nodes(usize),
    PageInfo(Vec<(String, InfoPart)>),
    /// A value, by its number in the plan.
    Waiting(usize),
}

/// A field of an edge.
pub(super) enum EdgePart {
    Typename,
    Cursor,
    /// The row, by the number of its place.
    Node(usize),
}

/// A field of a page's info.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum InfoPart {
    Typename,
    HasNext,
    HasPrevious,
    Start,
    End,
}

/// What is asked of rows that stand at one place in the answer.
pub(super) struct Place<'a, N: Listed> {
    pub(super) fields: Vec<Selected<'a, N::Node>>,
    /// The fields that lead there: `nodes`, or `edges` and `node`.
    pub(super) list: &'a Positioned<Field>,
    pub(super) node: Option<&'a Positioned<Field>>,
}

impl<'a, N: Listed> ListPlan<'a, N> {
    pub(super) fn new(base: Base<'a>, selection: &'a SelectionSet) -> Result<Self, Fallback> {
        let mut this = Self {
            parts: Vec::new(),
            places: Vec::new(),
            waiting: Vec::new(),
        };
        for asked in selections(base, &Connection::<N>::type_name(), selection)? {
            let part = this.part(&asked)?;
            this.parts.push((key(&asked), part));
        }
        Ok(this)
    }

    /// Whether many such lists can be read together: nothing is left to the executor, and what belongs to the rows is read
    /// for one place in the answer.
    pub(super) fn is_plain(&self) -> bool {
        let fields = || self.places.iter().flat_map(|place| &place.fields);
        self.waiting.is_empty()
            && fields().all(|field| !matches!(field.step, Step::Waiting))
            && (self.places.len() <= 1
                || fields().all(|field| !matches!(field.step, Step::Children(_))))
    }

    /// Whether the page itself is asked for.
    pub(super) fn needs_page(&self) -> bool {
        let is_of_page =
            |(_, part): &(String, Part)| !matches!(part, Part::Typename | Part::Waiting(_));
        self.parts.iter().any(is_of_page)
    }

    /// Whether this is asked about the page.
    pub(super) fn asks(&self, wanted: InfoPart) -> bool {
        self.parts.iter().any(|(_, part)| match part {
            Part::PageInfo(info) => info.iter().any(|(_, part)| *part == wanted),
            _ => false,
        })
    }

    fn part(&mut self, list: &FieldContext<'a>) -> Result<Part, Fallback> {
        Ok(match list.name() {
            "__typename" => Part::Typename,
            "edges" => {
                let edges = selections(list.base, &Edge::<N>::type_name(), list.selection())?;
                let edges = edges
                    .iter()
                    .map(|field| Ok((key(field), self.edge(list, field)?)));
                Part::Edges(edges.collect::<Result<_, _>>()?)
            }
            "nodes" => Part::Nodes(self.rows(list, list.field, None)?),
            "pageInfo" => {
                let info = selections(list.base, "PageInfo", list.selection())?;
                let info = info
                    .iter()
                    .map(|field| Ok((key(field), InfoPart::new(field)?)));
                Part::PageInfo(info.collect::<Result<_, _>>()?)
            }
            _ => {
                self.waiting.push(list.field);
                Part::Waiting(self.waiting.len() - 1)
            }
        })
    }

    fn edge(
        &mut self,
        list: &FieldContext<'a>,
        field: &FieldContext<'a>,
    ) -> Result<EdgePart, Fallback> {
        Ok(match field.name() {
            "__typename" => EdgePart::Typename,
            "cursor" => EdgePart::Cursor,
            "node" => EdgePart::Node(self.rows(field, list.field, Some(field.field))?),
            _ => return Err(Fallback),
        })
    }

    fn rows(
        &mut self,
        row: &FieldContext<'a>,
        list: &'a Positioned<Field>,
        node: Option<&'a Positioned<Field>>,
    ) -> Result<usize, Fallback> {
        let fields = plan(row.base, row.selection())?;
        self.places.push(Place { fields, list, node });
        Ok(self.places.len() - 1)
    }
}

impl InfoPart {
    fn new(field: &FieldContext<'_>) -> Result<Self, Fallback> {
        Ok(match field.name() {
            "__typename" => Self::Typename,
            "hasNextPage" => Self::HasNext,
            "hasPreviousPage" => Self::HasPrevious,
            "startCursor" => Self::Start,
            "endCursor" => Self::End,
            _ => return Err(Fallback),
        })
    }
}
