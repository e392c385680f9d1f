//! Values of a row of PostgreSQL, where they lie: the bytes in which the server sent them.

use std::error::Error;

use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use crate::db::value::Cell;

/// The place of the column with this name, behind a prefix.
pub(crate) fn column(row: &Row, prefix: &str, name: &str) -> Option<usize> {
    row.columns().iter().position(|column| {
        let rest = column.name().strip_prefix(prefix);
        rest.is_some_and(|rest| rest == name)
    })
}

/// A value, or why there is none.
pub(crate) fn cell(row: &Row, column: usize) -> Result<Cell<'_>, &'static str> {
    if column >= row.len() {
        return Err("is not there");
    }
    match row.try_get::<_, Sent<'_>>(column) {
        Ok(Sent(cell)) => Ok(cell),
        Err(_) => Err("is not what its type says"),
    }
}

/// A value as it was sent.
struct Sent<'a>(Cell<'a>);

impl<'a> FromSql<'a> for Sent<'a> {
    fn from_sql(is: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(match *is {
            Type::INT8 => Cell::Integer(i64::from_sql(is, bytes)?),
            Type::INT4 => Cell::Integer(i32::from_sql(is, bytes)?.into()),
            Type::INT2 => Cell::Integer(i16::from_sql(is, bytes)?.into()),
            Type::TEXT | Type::VARCHAR | Type::NAME => Cell::Text(<&str>::from_sql(is, bytes)?),
            Type::UUID => Cell::Uuid(Uuid::from_sql(is, bytes)?),
            Type::BOOL => Cell::Bool(bool::from_sql(is, bytes)?),
            Type::FLOAT8 => Cell::Real(f64::from_sql(is, bytes)?),
            Type::FLOAT4 => Cell::Real(f32::from_sql(is, bytes)?.into()),
            Type::BYTEA => Cell::Blob(bytes),
            _ => return Err("a type that is not read".into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Cell::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
