//! What a statement of `SQLite` answered, in two buffers: its values, and the bytes of those that have any.

use rusqlite::types::ValueRef;
use sea_orm::sea_query::{ArrayType, ValueType};
use sea_orm::{DbErr, Value};
use uuid::Uuid;

/// The rows of an answer, below the names of its columns.
#[derive(Debug, Default)]
pub(crate) struct Table {
    width: usize,
    /// The names, then row after row.
    cells: Vec<Cell>,
    bytes: Vec<u8>,
}

/// A value as `SQLite` has it; of one with bytes, where they start and end.
#[derive(Clone, Copy, Debug)]
enum Cell {
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
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(value) => Cell::Integer(value),
            ValueRef::Real(value) => Cell::Real(value),
            ValueRef::Text(text) => {
                let (start, end) = self.keep(text)?;
                Cell::Text(start, end)
            }
            ValueRef::Blob(blob) => {
                let (start, end) = self.keep(blob)?;
                Cell::Blob(start, end)
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

    /// A value, as the type that is asked for.
    pub(crate) fn value<T: ValueType>(&self, row: usize, column: usize) -> Result<T, DbErr> {
        let wrong = |why: &str| {
            let name = self
                .cells
                .get(column)
                .map_or(&[][..], |&cell| self.bytes_of(cell));
            let name = String::from_utf8_lossy(name);
            DbErr::Type(format!("column {column} `{name}`: {why}"))
        };
        if column >= self.width {
            return Err(wrong("is not there"));
        }
        let Some(&cell) = self.cells.get((row + 1) * self.width + column) else {
            return Err(wrong("ends before this row"));
        };
        let value = self.typed(cell, &T::array_type()).map_err(wrong)?;
        T::try_from(value).map_err(|_| match cell {
            Cell::Null => wrong("is NULL"),
            _ => wrong("is none of the values that there are"),
        })
    }

    fn typed(&self, cell: Cell, wanted: &ArrayType) -> Result<Value, &'static str> {
        let null = matches!(cell, Cell::Null);
        Ok(match (wanted, cell) {
            (ArrayType::BigInt, Cell::Integer(value)) => Value::BigInt(Some(value)),
            (ArrayType::BigInt, _) if null => Value::BigInt(None),
            (ArrayType::Int, Cell::Integer(value)) => {
                Value::Int(Some(value.try_into().map_err(|_| "has more than 32 bits")?))
            }
            (ArrayType::Int, _) if null => Value::Int(None),
            (ArrayType::Bool, Cell::Integer(value)) => Value::Bool(Some(value != 0)),
            (ArrayType::Bool, _) if null => Value::Bool(None),
            (ArrayType::Double, Cell::Real(value)) => Value::Double(Some(value)),
            (ArrayType::Double, _) if null => Value::Double(None),
            (ArrayType::String, Cell::Text(..)) => {
                let text = std::str::from_utf8(self.bytes_of(cell));
                Value::String(Some(text.map_err(|_| "is not UTF-8")?.to_owned()))
            }
            (ArrayType::String, _) if null => Value::String(None),
            (ArrayType::Bytes, Cell::Blob(..)) => Value::Bytes(Some(self.bytes_of(cell).to_vec())),
            (ArrayType::Bytes, _) if null => Value::Bytes(None),
            (ArrayType::Uuid, Cell::Blob(..)) => {
                let id = Uuid::from_slice(self.bytes_of(cell));
                Value::Uuid(Some(id.map_err(|_| "does not have the 16 bytes of an id")?))
            }
            (ArrayType::Uuid, _) if null => Value::Uuid(None),
            _ => return Err("is of another type"),
        })
    }

    fn bytes_of(&self, cell: Cell) -> &[u8] {
        match cell {
            Cell::Text(start, end) | Cell::Blob(start, end) => {
                &self.bytes[start as usize..end as usize]
            }
            Cell::Null | Cell::Integer(_) | Cell::Real(_) => &[],
        }
    }
}

/// An answer of more than 4 GiB.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("an answer of more than 4 GiB")]
pub(super) struct TooLarge;
