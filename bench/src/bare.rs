//! sqlx without anything around it: a pool of either database, one way to run a statement, rows by the place of their columns.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, PgPool, Postgres, Sqlite, SqlitePool};
use uuid::Uuid;

use crate::Result;
use crate::store::Kind;

/// Connections to either database, with the settings that Parlour's readers have: the ratios are to be about code.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A value for a `$n`.
#[derive(Clone, Debug)]
pub(crate) enum Bind {
    Id(Uuid),
    Int(i64),
    Text(String),
    /// An array; a JSON text of hexadecimal digits where there are no arrays.
    Ids(Vec<Uuid>),
}

/// What both databases can decode.
pub(crate) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{}

/// Makes a struct decodable: its fields are the first columns, in this order.
macro_rules! row {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        $crate::bare::row!(@ sqlx::sqlite::SqliteRow, $name { $($field),+ });
        $crate::bare::row!(@ sqlx::postgres::PgRow, $name { $($field),+ });
    };
    (@ $row:ty, $name:ident { $($field:ident),+ }) => {
        impl sqlx::FromRow<'_, $row> for $name {
            fn from_row(row: &$row) -> sqlx::Result<Self> {
                let mut columns = 0_usize..;
                $(let $field = sqlx::Row::try_get(row, columns.next().unwrap_or_default())?;)+
                Ok(Self { $($field),+ })
            }
        }
    };
}
pub(crate) use row;

/// A row whose last column is what the list is ordered by.
#[derive(Debug)]
pub(crate) struct Keyed<T, K>(pub(crate) T, pub(crate) K);

macro_rules! keyed {
    ($database:ty, $row:ty) => {
        impl<'r, T, K> FromRow<'r, $row> for Keyed<T, K>
        where
            T: FromRow<'r, $row>,
            K: sqlx::Decode<'r, $database> + sqlx::Type<$database>,
        {
            fn from_row(row: &'r $row) -> sqlx::Result<Self> {
                let last = sqlx::Row::len(row).saturating_sub(1);
                Ok(Self(T::from_row(row)?, sqlx::Row::try_get(row, last)?))
            }
        }
    };
}
keyed!(Sqlite, SqliteRow);
keyed!(Postgres, PgRow);

/// How many connections either side has.
pub(crate) const CONNECTIONS: u32 = 8;

impl Pool {
    /// Connections that only read.
    pub(crate) async fn open(kind: Kind, url: &str) -> Result<Self> {
        Ok(match kind {
            Kind::Sqlite => {
                let options = SqliteConnectOptions::from_str(url)?
                    .pragma("journal_mode", "WAL")
                    .pragma("synchronous", "NORMAL")
                    .pragma("temp_store", "MEMORY")
                    .pragma("cache_size", "-65536")
                    .pragma("mmap_size", "268435456")
                    .pragma("query_only", "ON")
                    .statement_cache_capacity(256);
                let pool = SqlitePoolOptions::new()
                    .max_connections(CONNECTIONS)
                    .test_before_acquire(false);
                Self::Sqlite(pool.connect_with(options).await?)
            }
            Kind::Postgres => {
                let options = PgConnectOptions::from_str(url)?
                    .options([("jit", "off"), ("default_transaction_read_only", "on")])
                    .statement_cache_capacity(256);
                let pool = PgPoolOptions::new()
                    .max_connections(CONNECTIONS)
                    .test_before_acquire(false);
                Self::Postgres(pool.connect_with(options).await?)
            }
        })
    }

    /// The rows of a statement, which is prepared once per connection.
    pub(crate) async fn fetch<T: Row>(
        &self,
        sql: impl Into<String>,
        binds: impl IntoIterator<Item = Bind>,
    ) -> sqlx::Result<Vec<T>> {
        let sql = AssertSqlSafe(sql.into());
        match self {
            Self::Sqlite(pool) => {
                let mut query = sqlx::query_as::<Sqlite, T>(sql);
                for bind in binds {
                    query = match bind {
                        Bind::Id(id) => query.bind(id),
                        Bind::Int(int) => query.bind(int),
                        Bind::Text(text) => query.bind(text),
                        Bind::Ids(ids) => query.bind(json(&ids)),
                    };
                }
                query.fetch_all(pool).await
            }
            Self::Postgres(pool) => {
                let mut query = sqlx::query_as::<Postgres, T>(sql);
                for bind in binds {
                    query = match bind {
                        Bind::Id(id) => query.bind(id),
                        Bind::Int(int) => query.bind(int),
                        Bind::Text(text) => query.bind(text),
                        Bind::Ids(ids) => query.bind(ids),
                    };
                }
                query.fetch_all(pool).await
            }
        }
    }

    /// The first row of a statement.
    pub(crate) async fn one<T: Row>(
        &self,
        sql: &str,
        binds: impl IntoIterator<Item = Bind>,
    ) -> Result<T> {
        let row = self.fetch(sql, binds).await?.into_iter().next();
        Ok(row.ok_or_else(|| format!("nothing found by {sql}"))?)
    }

    /// Ends the connections.
    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// `["00…", …]`
fn json(ids: &[Uuid]) -> String {
    let mut text = String::with_capacity(2 + ids.len() * 35);
    for id in ids {
        text.push(if text.is_empty() { '[' } else { ',' });
        text.push('"');
        text.push_str(id.simple().encode_lower(&mut [0; 32]));
        text.push('"');
    }
    text.push_str(if ids.is_empty() { "[]" } else { "]" });
    text
}
