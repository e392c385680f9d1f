//! What stands in a row: a value of a database where it lies, and what it can be read as. Each type is told once, for all
//! databases.

use std::sync::LazyLock;

use sea_orm::{ActiveEnum, Iterable};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::entity::audit_entry::AuditAction;
use crate::entity::deletion::DeletionMode;
use crate::entity::platform::Platform;
use crate::entity::role::MessageRole;

/// A value of a row, where it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A truth value; `SQLite` has numbers instead.
    Bool(bool),
    /// A whole number of any size up to 64 bits.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Bytes. `SQLite` has ids as 16 of them.
    Blob(&'a [u8]),
    /// An id.
    Uuid(Uuid),
}

/// What a value of a row can be read as.
pub trait Readable: Sized {
    /// The value, or what is wrong with it.
    fn read(cell: Cell<'_>) -> Result<Self, &'static str>;
}

const OTHER: &str = "is of another type";

/// What is wrong with a value that is not of the type that was asked for.
const fn unfit(cell: Cell<'_>) -> &'static str {
    match cell {
        Cell::Null => "is NULL",
        _ => OTHER,
    }
}

impl<T: Readable> Readable for Option<T> {
    fn read(cell: Cell<'_>) -> Result<Self, &'static str> {
        match cell {
            Cell::Null => Ok(None),
            cell => T::read(cell).map(Some),
        }
    }
}

impl Readable for bool {
    fn read(cell: Cell<'_>) -> Result<Self, &'static str> {
        match cell {
            Cell::Bool(value) => Ok(value),
            Cell::Integer(value) => Ok(value != 0),
            cell => Err(unfit(cell)),
        }
    }
}

impl Readable for i32 {
    fn read(cell: Cell<'_>) -> Result<Self, &'static str> {
        Self::try_from(i64::read(cell)?).map_err(|_| "has more than 32 bits")
    }
}

impl Readable for i64 {
    fn read(cell: Cell<'_>) -> Result<Self, &'static str> {
        match cell {
            Cell::Integer(value) => Ok(value),
            cell => Err(unfit(cell)),
        }
    }
}

impl Readable for f64 {
    fn read(cell: Cell<'_>) -> Result<Self, &'static str> {
        match cell {
            Cell::Real(value) => Ok(value),
            cell => Err(unfit(cell)),
        }
    }
}

impl Readable for String {
    fn read(cell: Cell<'_>) -> Result<Self, &'static str> {
        match cell {
            Cell::Text(text) => Ok(text.to_owned()),
            cell => Err(unfit(cell)),
        }
    }
}

impl Readable for Vec<u8> {
    fn read(cell: Cell<'_>) -> Result<Self, &'static str> {
        match cell {
            Cell::Blob(bytes) => Ok(bytes.to_vec()),
            cell => Err(unfit(cell)),
        }
    }
}

impl Readable for Uuid {
    fn read(cell: Cell<'_>) -> Result<Self, &'static str> {
        match cell {
            Cell::Uuid(id) => Ok(id),
            Cell::Blob(bytes) => {
                Self::from_slice(bytes).map_err(|_| "does not have the 16 bytes of an id")
            }
            cell => Err(unfit(cell)),
        }
    }
}

impl Readable for Timestamp {
    fn read(cell: Cell<'_>) -> Result<Self, &'static str> {
        i64::read(cell).map(Self)
    }
}

/// Words of which there are few, as texts. They are looked for where the text lies: a page has one or two in each row.
macro_rules! words {
    ($($word:ty),+) => {
        $(impl Readable for $word {
            fn read(cell: Cell<'_>) -> Result<Self, &'static str> {
                static WORDS: LazyLock<Vec<(String, $word)>> =
                    LazyLock::new(|| <$word>::iter().map(|one| (one.to_value(), one)).collect());
                let Cell::Text(text) = cell else {
                    return Err(unfit(cell));
                };
                let found = WORDS.iter().find(|(word, _)| word == text);
                found.map(|(_, one)| *one).ok_or("is none of the values that there are")
            }
        })+
    };
}

words!(AuditAction, DeletionMode, MessageRole, Platform);
