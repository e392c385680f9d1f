//! Rows that were read, whichever database they came from.

use std::borrow::Cow;
use std::sync::Arc;

use sea_orm::DbErr;

use super::postgres;
use super::sqlite::Table;
use super::value::{Cell, Readable};

/// A row that was read.
#[derive(Debug)]
pub struct Row(Origin);

#[derive(Debug)]
enum Origin {
    /// A row of the table, by its number.
    Sqlite(Arc<Table>, usize),
    Postgres(postgres::Row),
}

/// The values of a row, wherever they lie.
pub trait Values {
    /// The value at this place in the list of columns, or what is wrong with it.
    fn found(&self, index: usize) -> Result<Cell<'_>, &'static str>;

    /// The place of the column with this name, behind a prefix that is empty but for columns that are named by their table.
    fn place(&self, prefix: &str, name: &str) -> Option<usize>;

    /// The name of the column at this place.
    fn name(&self, index: usize) -> Option<Cow<'_, str>>;
}

impl dyn Values + '_ {
    /// The value of the column with this name, behind a prefix that is empty but for columns that are named by their table.
    pub fn try_get<T: Readable>(&self, prefix: &str, name: &str) -> Result<T, DbErr> {
        let place = self.place(prefix, name);
        let place = place.ok_or_else(|| DbErr::Type(format!("no column `{name}`")))?;
        self.try_get_by_index(place)
    }

    /// The value at this place in the list of columns.
    #[inline]
    pub fn try_get_by_index<T: Readable>(&self, index: usize) -> Result<T, DbErr> {
        self.try_get_if(index, |_| Ok(()))
    }

    /// The same, unless something is to be said against it.
    #[inline]
    pub fn try_get_if<T: Readable>(
        &self,
        index: usize,
        check: impl FnOnce(&Cell<'_>) -> Result<(), DbErr>,
    ) -> Result<T, DbErr> {
        let cell = self.found(index).map_err(|why| self.wrong(index, why))?;
        check(&cell)?;
        T::read(cell).map_err(|why| self.wrong(index, why))
    }

    /// What is wrong with a value.
    #[cold]
    fn wrong(&self, index: usize, why: &str) -> DbErr {
        let name = self.name(index).unwrap_or_default();
        DbErr::Type(format!("column {index} `{name}`: {why}"))
    }
}

impl Values for Row {
    fn found(&self, index: usize) -> Result<Cell<'_>, &'static str> {
        match &self.0 {
            Origin::Sqlite(table, row) => table.cell(*row, index),
            Origin::Postgres(row) => postgres::cell(row, index),
        }
    }

    fn place(&self, prefix: &str, name: &str) -> Option<usize> {
        match &self.0 {
            Origin::Sqlite(table, _) => table.column(prefix, name),
            Origin::Postgres(row) => postgres::column(row, prefix, name),
        }
    }

    fn name(&self, index: usize) -> Option<Cow<'_, str>> {
        match &self.0 {
            Origin::Sqlite(table, _) => table.name(index),
            Origin::Postgres(row) => row.columns().get(index).map(|column| column.name().into()),
        }
    }
}

/// What can be made of a row.
pub trait FromRow: Sized {
    /// Takes the values that it consists of.
    fn from_row(row: &Row) -> Result<Self, DbErr>;
}

/// A struct that a row becomes: its fields have the names of the columns.
macro_rules! by_name {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::db::FromRow for $name {
            fn from_row(row: &$crate::db::Row) -> Result<Self, sea_orm::DbErr> {
                Ok(Self { $($field: row.try_get("", stringify!($field))?),+ })
            }
        }
    };
}
pub(crate) use by_name;

impl Row {
    /// The value of the column with this name, behind a prefix that is empty but for columns that are named by their table.
    pub fn try_get<T: Readable>(&self, prefix: &str, name: &str) -> Result<T, DbErr> {
        let values: &dyn Values = self;
        values.try_get(prefix, name)
    }

    /// The value at this place in the list of columns.
    pub fn try_get_by_index<T: Readable>(&self, index: usize) -> Result<T, DbErr> {
        let values: &dyn Values = self;
        values.try_get_by_index(index)
    }

    /// The value at this place in the list of columns, where it lies.
    pub fn cell(&self, index: usize) -> Result<Cell<'_>, DbErr> {
        let values: &dyn Values = self;
        self.found(index).map_err(|why| values.wrong(index, why))
    }
}

impl From<postgres::Row> for Row {
    fn from(row: postgres::Row) -> Self {
        Self(Origin::Postgres(row))
    }
}

impl From<Table> for Vec<Row> {
    fn from(table: Table) -> Self {
        let table = Arc::new(table);
        (0..table.rows())
            .map(|row| Row(Origin::Sqlite(Arc::clone(&table), row)))
            .collect()
    }
}
