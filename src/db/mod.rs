//! Connections, by what may be done with them: a [`Reader`] cannot write, in the database itself; a [`Writer`] starts the one transaction.

mod connect;
pub mod dialect;
mod disclosure_log;
mod grams;
mod json_batch;
mod postgres;
pub mod query_stats;
mod reader;
mod row;
mod schema;
mod search_hints;
mod share;
mod sql_text;
mod sqlite;
mod transaction_error;
mod value;
mod writer;

pub use connect::{Database, DatabaseOptions};
pub use disclosure_log::DisclosureLog;
pub use json_batch::{Column, Key, Rows};
pub use reader::Reader;
pub(crate) use row::by_name;
pub use row::{FromRow, Row, Values};
pub use search_hints::Learned;
pub use transaction_error::TransactionError;
pub use value::{Cell, Readable};
pub use writer::{Transaction, UnitOfWork, Writer};
