//! Which columns of a noun a question needs, and rows that hold no more than these.
//!
//! A value that nobody asked for is not read: most of a page's time goes into the values that the database hands over.

use std::cell::Cell;
use std::marker::PhantomData;

use derive_where::derive_where;
use sea_orm::sea_query::SelectStatement;
use sea_orm::{DbErr, IdenStatic, Iterable};

use super::Noun;
use crate::db::{self, Readable, Reader};
use crate::error::Result;

/// A set of columns of a noun; its id is always among them.
#[derive_where(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Columns<N> {
    /// One bit per column, in the order of the entity.
    bits: u64,
    noun: PhantomData<fn() -> N>,
}

impl<N: Noun> Columns<N> {
    /// The id alone.
    pub fn id() -> Self {
        Self {
            bits: 0,
            noun: PhantomData,
        }
        .with("id")
    }

    /// Every column.
    pub fn all() -> Self {
        let count = u32::try_from(N::Column::iter().count()).unwrap_or(u64::BITS);
        Self {
            bits: u64::MAX >> (u64::BITS - count.clamp(1, u64::BITS)),
            noun: PhantomData,
        }
    }

    /// The column of this name too; every column when there is none of this name, for then nobody knows what is needed.
    #[must_use]
    pub fn with(self, name: &str) -> Self {
        self.with_where(|column| column == name)
    }

    /// The column of a field of the graph too: `createdAt` is `created_at`. Every column when no column has this name.
    #[must_use]
    pub fn with_field(self, field: &str) -> Self {
        self.with_where(|column| {
            let letters = |text: &str| {
                text.bytes()
                    .filter(|byte| *byte != b'_')
                    .map(|byte| byte.to_ascii_lowercase())
                    .collect::<Vec<_>>()
            };
            letters(column) == letters(field)
        })
    }

    fn with_where(self, found: impl Fn(&str) -> bool) -> Self {
        N::Column::iter()
            .position(|column| found(column.as_str()))
            .map_or_else(Self::all, |at| Self {
                bits: self.bits | 1 << at,
                ..self
            })
    }

    /// The columns of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            bits: self.bits | other.bits,
            ..self
        }
    }

    /// Their names, in the order of the entity.
    pub fn names(self) -> Vec<&'static str> {
        N::Column::iter()
            .enumerate()
            .filter(|(at, _)| self.has(*at))
            .map(|(_, column)| column.as_str())
            .collect()
    }

    /// The rows of a query, with these columns.
    pub async fn fetch(self, reader: &Reader, mut query: SelectStatement) -> Result<Vec<N::Model>> {
        query.columns(self.names().into_iter().map(|name| (N::TABLE, name)));
        let rows = reader.select(&query).await?;
        Ok(rows
            .iter()
            .map(|row| self.decode(row))
            .collect::<Result<_, _>>()?)
    }

    /// The row of a result that has these columns first, in this order.
    pub fn decode(self, result: &db::Row) -> Result<N::Model, DbErr> {
        N::decode(&Row {
            result,
            bits: self.bits,
            place: Cell::default(),
            read: Cell::default(),
        })
    }

    const fn has(self, at: usize) -> bool {
        self.bits >> at & 1 == 1
    }
}

/// A row on its way from the database: its values, one after the other, in the order of the entity's columns.
#[derive(Debug)]
pub struct Row<'a> {
    result: &'a db::Row,
    bits: u64,
    /// The next column of the entity, and the next value of the row.
    place: Cell<usize>,
    read: Cell<usize>,
}

impl Row<'_> {
    /// The value of the next column; nothing (empty, zero) for a column that was not asked for.
    pub fn next<T: Readable + Default>(&self) -> Result<T, DbErr> {
        let place = self.place.replace(self.place.get() + 1);
        if self.bits >> place & 1 == 0 {
            return Ok(T::default());
        }
        let at = self.read.replace(self.read.get() + 1);
        self.result.try_get_by_index(at)
    }
}
