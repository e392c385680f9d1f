//! SELECT and nothing else: one file per noun, and what all of them share.
//!
//! A noun says what its table, filter and orders are ([`Noun`]); paging, counting and batching then work for it.

pub mod agent;
pub mod agent_scope;
pub mod audit_entry;
pub mod batch;
pub mod chat_user;
pub mod columns;
pub mod count;
pub mod deletion;
pub mod erasure;
pub mod filter;
pub mod message;
pub mod page;
pub mod search;
pub mod search_count;
pub mod session;
pub mod subscription;
pub mod token;
pub mod visibility;

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{DbErr, EntityTrait, FromQueryResult, ModelTrait};
use uuid::Uuid;

use crate::caller::{Agents, Permission, Principal};
use crate::db::Reader;
use crate::error::Result;
use crate::id;
use columns::{Columns, Row};
use page::SortField;

/// A kind of row that lists, counts and batches are made of.
pub trait Noun:
    EntityTrait<Model: FromQueryResult + ModelTrait<Entity = Self> + Send + Sync> + 'static
{
    /// What its lists can be filtered by.
    type Filter: Filter;
    /// What its lists can be ordered by.
    type Field: SortField<Row = Self::Model>;
    /// Its kind of id.
    const NOUN: id::ObjectKind;
    /// Its table.
    const TABLE: &'static str;
    /// Any of these lets one see its rows.
    const READ: &'static [Permission];
    /// The agent of a row, in SQL. Rows that have none are for nobody who is limited to some agents.
    const AGENT: &'static str = "NULL";

    /// The column with the id of the user whom a row is about, when it is about one.
    const USER: Option<&'static str> = None;

    /// That user.
    fn user(_row: &Self::Model) -> Option<Uuid> {
        None
    }

    /// The id of a row.
    fn id(row: &Self::Model) -> Uuid;

    /// The column that holds the id of this kind of parent; `None` when it has no such parent.
    fn parent_column(parent: id::ObjectKind) -> Option<&'static str>;

    /// A row whose values come in the order of the entity's columns.
    fn decode(row: &Row<'_>) -> Result<Self::Model, DbErr>;

    /// Rows by ids that were theirs, or lead to them; `ids` are those that no row has.
    fn by_former_ids(
        _reader: &Reader,
        _ids: &[Uuid],
    ) -> impl Future<Output = Result<HashMap<Uuid, Arc<Self::Model>>>> + Send {
        std::future::ready(Ok(HashMap::new()))
    }

    /// A page of one list.
    fn page(
        reader: &Reader,
        scope: Scope,
        query: &page::Query<Self>,
        columns: Columns<Self>,
    ) -> impl Future<Output = Result<page::Slice<Self>>> + Send {
        query.read(reader, scope, columns)
    }

    /// The column in which this kind of parent stores how many rows it has, those among them that are hidden with their user.
    fn total(_parent: id::ObjectKind) -> Option<&'static str> {
        None
    }

    /// How long one list is.
    fn count(
        reader: &Reader,
        scope: Scope,
        filter: &Self::Filter,
    ) -> impl Future<Output = Result<i64>> + Send {
        count::one::<Self>(reader, scope, filter)
    }

    /// How long the list of each parent is.
    fn counts(
        reader: &Reader,
        parent: id::ObjectKind,
        parents: &[Uuid],
        filter: &Self::Filter,
    ) -> impl Future<Output = Result<HashMap<Uuid, i64>>> + Send {
        count::each::<Self>(reader, parent, parents, filter)
    }

    /// What holds for the rows that may be seen, when it does not hold for all.
    fn shown() -> Option<String> {
        None
    }

    /// What holds for the rows that somebody with these agents may see, when it does not hold for all.
    fn own(agents: &Agents) -> Option<Expr> {
        agent_scope::condition(agents, Self::AGENT)
    }

    /// Where every query of the noun starts: the rows that somebody may see, and no column yet. Of agents that are not theirs
    /// there is nothing, and nothing at all of a noun that they may not read.
    fn visible(principal: &Principal) -> SelectStatement {
        let mut select = Query::select().from(Self::TABLE).to_owned();
        if !Self::READ.iter().any(|&read| principal.may(read)) {
            select.and_where(Expr::cust("1 = 0"));
        }
        if let Some(shown) = Self::shown() {
            select.and_where(Expr::cust(shown));
        }
        if let Some(own) = Self::own(&principal.agents) {
            select.and_where(own);
        }
        select
    }
}

/// What a list is filtered by, as a condition on rows.
pub trait Filter: Clone + Debug + Default + PartialEq + Eq + Hash + Send + Sync + 'static {
    /// The condition, for whoever reads; an error names the argument that cannot be used, or that they may not use.
    fn condition(&self, reader: &Reader) -> Result<Condition>;

    /// Whether the best plan, and the time it takes, depends on the filter's values.
    fn is_open(&self) -> bool;

    /// The connections for counting what is under the filter.
    fn counted_by(&self, reader: &Reader) -> Reader {
        reader.custom_plan()
    }
}

/// Whose rows a list is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everyone's.
    All,
    /// Those of one parent.
    Of(id::ObjectKind, Uuid),
    /// Nobody's.
    Nothing,
}

/// A scope, as far as somebody sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One list, which an index of its own puts in order.
    List(Scope),
    /// The lists of several agents, each with an index of its own.
    Lists(Arc<[Uuid]>),
}

impl Scope {
    /// Of everyone's rows those of somebody's agents: no index over everybody is walked for who sees only some. What belongs to
    /// no agent has no such lists.
    pub fn reach<N: Noun>(self, principal: &Principal) -> Reach {
        let own = |agent| Self::Of(id::ObjectKind::Agent, agent);
        match (self, &principal.agents) {
            (Self::All, Agents::Only(agents))
                if N::parent_column(id::ObjectKind::Agent).is_some() =>
            {
                match **agents {
                    [] => Reach::List(Self::Nothing),
                    [only] => Reach::List(own(only)),
                    _ => Reach::Lists(agents.clone()),
                }
            }
            (Self::Of(id::ObjectKind::Agent, agent), agents) => Reach::List(own(agents.own(agent))),
            (scope, _) => Reach::List(scope),
        }
    }

    /// The scope as a condition on rows of a noun.
    pub fn condition<N: Noun>(self) -> Condition {
        match self {
            Self::All => Condition::all(),
            Self::Of(parent, id) => N::parent_column(parent).map_or_else(
                || Self::Nothing.condition::<N>(),
                |column| Condition::all().add(Expr::col((N::TABLE, column)).eq(id)),
            ),
            Self::Nothing => Condition::all().add(Expr::cust("1 = 0")),
        }
    }
}
