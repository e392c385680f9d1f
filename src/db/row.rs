//! Rows that were read, whichever way they came: from our own connections to `SQLite`, or from the driver of `SeaORM`.

use std::sync::Arc;

use sea_orm::sea_query::ValueType;
use sea_orm::{DbErr, QueryResult, TryGetable};

use super::sqlite::Table;

/// What a value of a row can be read as: what `SeaORM` reads, and what its own values can be turned into.
pub trait Readable: TryGetable + ValueType {}

impl<T: TryGetable + ValueType> Readable for T {}

/// A row that was read.
#[derive(Debug)]
pub struct Row(Origin);

#[derive(Debug)]
enum Origin {
    /// A row of the table, by its number.
    Sqlite(Arc<Table>, usize),
    Driver(QueryResult),
}

/// What can be made of a row.
pub trait FromRow: Sized {
    /// Takes the values that it consists of.
    fn from_row(row: &Row) -> Result<Self, DbErr>;
}

impl Row {
    /// The value of the column with this name, behind a prefix that is empty but for columns that are named by their table.
    pub fn try_get<T: Readable>(&self, prefix: &str, name: &str) -> Result<T, DbErr> {
        match &self.0 {
            Origin::Sqlite(table, row) => {
                let column = table.column(prefix, name).ok_or_else(|| missing(name))?;
                table.value(*row, column)
            }
            Origin::Driver(result) => result.try_get(prefix, name),
        }
    }

    /// The value at this place in the list of columns.
    pub fn try_get_by_index<T: Readable>(&self, index: usize) -> Result<T, DbErr> {
        match &self.0 {
            Origin::Sqlite(table, row) => table.value(*row, index),
            Origin::Driver(result) => result.try_get_by_index(index),
        }
    }
}

impl From<QueryResult> for Row {
    fn from(result: QueryResult) -> Self {
        Self(Origin::Driver(result))
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

fn missing(name: &str) -> DbErr {
    DbErr::Type(format!("no column `{name}`"))
}
