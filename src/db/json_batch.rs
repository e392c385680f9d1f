//! Many rows in one bind: a batch travels as one JSON text, so that a statement has the same words for one row and for thousands.
//!
//! That keeps the prepared statement, needs no chunks (`SQLite` takes 32,766 binds, PostgreSQL 65,535), and is the same idea on both databases.

use sea_orm::Value;
use serde::Serialize;
use uuid::Uuid;

use super::dialect::Dialect;

/// Type of a column in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// 16 bytes.
    Uuid,
    /// 64 bits.
    Int,
    /// Text without U+0000.
    Text,
}

/// A batch of rows of named, typed columns; each row a JSON array of its values in the order of the columns.
#[derive(Debug)]
pub struct Rows {
    columns: &'static [(&'static str, Column)],
    count: usize,
    json: String,
}

impl Rows {
    /// A batch; the items of each row serialise in the order of `columns`, ids by [`Key`].
    pub fn new<T: Serialize>(columns: &'static [(&'static str, Column)], rows: &[T]) -> Self {
        Self {
            columns,
            count: rows.len(),
            json: serde_json::to_string(rows).unwrap_or_else(|_| "[]".to_owned()),
        }
    }

    /// One column of ids, named `id`.
    pub fn ids(ids: impl IntoIterator<Item = Uuid>) -> Self {
        let rows: Vec<_> = ids.into_iter().map(|id| (Key(id),)).collect();
        Self::new(&[("id", Column::Uuid)], &rows)
    }

    /// One column of texts, named `value`.
    pub fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let rows: Vec<_> = texts.into_iter().map(|text| (text,)).collect();
        Self::new(&[("value", Column::Text)], &rows)
    }

    /// The batch as a subquery whose only bind is `placeholder`, to stand in a FROM under an alias.
    pub fn subquery(&self, dialect: Dialect, placeholder: &str) -> String {
        dialect.rows(self.columns, self.count, placeholder)
    }

    /// The bind, of a batch that is not needed any more.
    pub fn into_value(self) -> Value {
        Value::String(Some(self.json))
    }

    /// The bind.
    pub fn value(&self) -> Value {
        Value::String(Some(self.json.clone()))
    }
}

/// An id inside a batch: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub struct Key(pub Uuid);

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = [0; uuid::fmt::Simple::LENGTH];
        serializer.serialize_str(self.0.simple().encode_lower(&mut buffer))
    }
}
