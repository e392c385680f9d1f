//! Connections, by what may be done with them: a [`Reader`] cannot write, in the database itself; a [`Writer`] starts the one transaction.

mod connect;
pub mod dialect;
mod disclosed;
mod grams;
mod learned;
mod postgres;
mod reader;
mod row;
mod rows;
mod schema;
mod share;
mod sqlite;
pub mod tally;
mod undone;
mod value;
mod wording;
mod writer;

pub use connect::{Database, DatabaseOptions};
pub use disclosed::Disclosed;
pub use learned::Learned;
pub use reader::Reader;
pub(crate) use row::by_name;
pub use row::{FromRow, Row, Values};
pub use rows::{Column, Key, Rows};
pub use undone::Undone;
pub use value::{Cell, Readable};
pub use writer::{Transaction, Work, Writer};
