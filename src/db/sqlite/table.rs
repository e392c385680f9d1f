//! What a statement of `SQLite` answered, in two buffers: its values, and the bytes of those that have any.

use std::borrow::Cow;

use rusqlite::types::ValueRef;

use crate::db::value::Cell;

/// The rows of an answer, below the names of its columns.
#[derive(Debug, Default)]
pub(crate) struct Table {
    width: usize,
    /// The names, then row after row.
    cells: Vec<Stored>,
    bytes: Vec<u8>,
}

/// A value as `SQLite` has it; of one with bytes, where they start and end.
#[derive(Clone, Copy, Debug)]
enum Stored {
    Null,
    Integer(i64),
    Real(f64),
    Text(u32, u32),
    Blob(u32, u32),
}

impl Table {
    /// A table without rows.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, TooLarge> {
        let mut table = Self::default();
        for name in names {
            table.push(ValueRef::Text(name.as_bytes()))?;
        }
        table.width = table.cells.len();
        Ok(table)
    }

    /// Puts a value behind the last one.
    pub(super) fn push(&mut self, value: ValueRef<'_>) -> Result<(), TooLarge> {
        let cell = match value {
            ValueRef::Null => Stored::Null,
            ValueRef::Integer(value) => Stored::Integer(value),
            ValueRef::Real(value) => Stored::Real(value),
            ValueRef::Text(text) => {
                let (start, end) = self.keep(text)?;
                Stored::Text(start, end)
            }
            ValueRef::Blob(blob) => {
                let (start, end) = self.keep(blob)?;
                Stored::Blob(start, end)
            }
        };
        self.cells.push(cell);
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(u32, u32), TooLarge> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        match (start.try_into(), self.bytes.len().try_into()) {
            (Ok(start), Ok(end)) => Ok((start, end)),
            _ => Err(TooLarge),
        }
    }

    /// Bytes of its values that have any.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// How many values a row has.
    pub(super) const fn width(&self) -> usize {
        self.width
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        match self.width {
            0 => 0,
            width => self.cells.len() / width - 1,
        }
    }

    /// The place of the column with this name, behind a prefix.
    pub(crate) fn column(&self, prefix: &str, name: &str) -> Option<usize> {
        self.cells[..self.width].iter().position(|cell| {
            self.bytes_of(*cell)
                .strip_prefix(prefix.as_bytes())
                .is_some_and(|rest| rest == name.as_bytes())
        })
    }

    /// The name of a column.
    pub(crate) fn name(&self, column: usize) -> Option<Cow<'_, str>> {
        let cell = *self.cells[..self.width].get(column)?;
        Some(String::from_utf8_lossy(self.bytes_of(cell)))
    }

    /// A value, or why there is none.
    pub(crate) fn cell(&self, row: usize, column: usize) -> Result<Cell<'_>, &'static str> {
        if column >= self.width {
            return Err("is not there");
        }
        let stored = self.cells.get((row + 1) * self.width + column);
        let stored = *stored.ok_or("ends before this row")?;
        Ok(match stored {
            Stored::Null => Cell::Null,
            Stored::Integer(value) => Cell::Integer(value),
            Stored::Real(value) => Cell::Real(value),
            Stored::Text(..) => {
                let text = std::str::from_utf8(self.bytes_of(stored));
                Cell::Text(text.map_err(|_| "is not UTF-8")?)
            }
            Stored::Blob(..) => Cell::Blob(self.bytes_of(stored)),
        })
    }

    fn bytes_of(&self, cell: Stored) -> &[u8] {
        match cell {
            Stored::Text(start, end) | Stored::Blob(start, end) => {
                &self.bytes[start as usize..end as usize]
            }
            Stored::Null | Stored::Integer(_) | Stored::Real(_) => &[],
        }
    }
}

/// An answer of more than 4 GiB.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("an answer of more than 4 GiB")]
pub(super) struct TooLarge;
