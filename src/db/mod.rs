//! Connections, by what may be done with them: a [`Reader`] cannot write, in the database itself; a [`Writer`] starts the one transaction.

mod connect;
pub mod dialect;
mod disclosed;
mod grams;
mod json_batch;
mod learned;
mod postgres;
pub mod query_stats;
mod reader;
mod row;
mod schema;
mod share;
mod sql_text;
mod sqlite;
mod transaction_error;
mod value;
mod writer;

pub use connect::{Database, DatabaseOptions};
pub use disclosed::DisclosureLog;
pub use json_batch::{Column, Key, Rows};
pub use learned::Learned;
pub use reader::Reader;
pub(crate) use row::by_name;
pub use row::{FromRow, Row, Values};
pub use transaction_error::TransactionError;
pub use value::{Cell, Readable};
pub use writer::{Transaction, UnitOfWork, Writer};
