//! A row of `SQLite` while its statement runs.

use std::borrow::Cow;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::db::{Cell, Values};

/// The row that a statement has come to.
pub(super) struct Live<'a>(pub(super) &'a Row<'a>);

impl Values for Live<'_> {
    fn found(&self, index: usize) -> Result<Cell<'_>, &'static str> {
        Ok(match self.0.get_ref(index).map_err(|_| "is not there")? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(value) => Cell::Integer(value),
            ValueRef::Real(value) => Cell::Real(value),
            ValueRef::Text(text) => {
                Cell::Text(std::str::from_utf8(text).map_err(|_| "is not UTF-8")?)
            }
            ValueRef::Blob(bytes) => Cell::Blob(bytes),
        })
    }

    fn place(&self, prefix: &str, name: &str) -> Option<usize> {
        let names = self.0.as_ref();
        (0..names.column_count()).find(|&at| {
            let column = names.column_name(at).ok();
            let rest = column.and_then(|column| column.strip_prefix(prefix));
            rest == Some(name)
        })
    }

    fn name(&self, index: usize) -> Option<Cow<'_, str>> {
        self.0.as_ref().column_name(index).ok().map(Cow::from)
    }
}
