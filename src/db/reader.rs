//! SELECT and nothing else: the connections behind a [`Reader`] are read-only in the database itself.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::SelectStatement;
use sea_orm::{DbErr, Statement};
use uuid::Uuid;

use super::dialect::Dialect;
use super::disclosure_log::DisclosureLog;
use super::query_stats::{self, Watch};
use super::row::{FromRow, Row, Values};
use super::search_hints::Learned;
use super::share::{Share, Shares};
use super::{postgres, sqlite};
use crate::caller::{Permission, Principal};
use crate::entity::pii;
use crate::entity::platform::Platforms;
use crate::error::Result;

/// Reads, in somebody's name.
#[derive(Clone, Debug)]
pub struct Reader {
    connections: Connections,
    apart: Connections,
    dialect: Dialect,
    principal: Arc<Principal>,
    disclosed: Option<Arc<DisclosureLog>>,
    /// The platforms whose ids are personal.
    personal: Platforms,
    /// Of which searches an index had to be asked.
    rare: Arc<Learned>,
    shares: Arc<Shares>,
    share: Share,
}

/// Connections that only read.
#[derive(Clone, Debug)]
pub(super) enum Connections {
    Sqlite(sqlite::Pool),
    Postgres(postgres::Pool),
}

impl Reader {
    pub(super) fn new(
        connections: Connections,
        apart: Connections,
        dialect: Dialect,
        shares: Shares,
    ) -> Self {
        Self {
            connections,
            apart,
            dialect,
            principal: Arc::new(Principal::program()),
            disclosed: None,
            personal: Platforms::ALL,
            rare: Arc::default(),
            shares: Arc::new(shares),
            share: Share::program(),
        }
    }

    /// The same connections, in the name of somebody who asks: what they may not see is not there.
    #[must_use]
    pub fn seen_by(&self, principal: Arc<Principal>) -> Self {
        Self {
            share: self.shares.share(&principal),
            principal,
            ..self.clone()
        }
    }

    /// The same reads, of which `disclosure_log` is told whose personal data they brought.
    #[must_use]
    pub fn noting(&self, disclosed: Arc<DisclosureLog>) -> Self {
        Self {
            disclosed: Some(disclosed),
            ..self.clone()
        }
    }

    /// Where it is told whose personal data was read, when somebody wants to know.
    pub fn disclosed(&self) -> Option<&DisclosureLog> {
        self.disclosed.as_deref()
    }

    /// In whose name it reads.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The same, where only the ids on these platforms are personal.
    #[must_use]
    pub fn with_personal(self, personal: Platforms) -> Self {
        Self { personal, ..self }
    }

    /// The platforms whose ids are personal.
    pub const fn personal(&self) -> Platforms {
        self.personal
    }

    /// Of which searches it was learned that the first rows of the order do not make a page.
    pub fn rare(&self) -> &Learned {
        &self.rare
    }

    /// The permission that whoever reads needs to filter or to order by a column, and does not have.
    pub fn missing(&self, table: &str, column: &str) -> Option<Permission> {
        pii::missing(table, column, self.principal.permissions, self.personal)
    }

    /// How this database says things.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The rows of a query.
    pub async fn select(&self, query: &SelectStatement) -> Result<Vec<Row>> {
        self.rows(self.dialect.statement(query)).await
    }

    /// The same reads, on connections for queries that may take long: in PostgreSQL each has one to itself, and `SQLite` ends them
    /// at the statement timeout.
    #[must_use]
    pub fn dedicated(&self) -> Self {
        Self {
            connections: self.apart.clone(),
            ..self.clone()
        }
    }

    /// The same reads, on such connections, for queries whose best plan depends on their values: PostgreSQL plans them with these
    /// each time.
    #[must_use]
    pub fn custom_plan(&self) -> Self {
        Self {
            connections: self.apart.custom_plan(),
            ..self.clone()
        }
    }

    /// The rows of a statement written by hand in [`dialect`](super::dialect).
    pub async fn fetch<T: FromRow>(&self, statement: Statement) -> Result<Vec<T>> {
        let rows = self.rows(statement).await?;
        Ok(rows.iter().map(T::from_row).collect::<Result<_, _>>()?)
    }

    /// What is made of the rows of a statement, one after the other. `decode` may see a row twice.
    pub async fn each<T: Send>(
        &self,
        statement: Statement,
        decode: impl Fn(&dyn Values) -> Result<T, DbErr> + Send,
    ) -> Result<Vec<T>> {
        let _turn = self.share.turn().await;
        let watch = Watch::start(self.dialect, &statement);
        let all = self.connections.each(statement, decode);
        watch.over(all, Vec::len).await
    }

    /// For each parent what is made of the rows of its list, by a statement of [`Dialect::lists_of`]. `parent` is the place of the
    /// column with the parent's id. `decode` may see a row twice.
    pub async fn lists<T: Send>(
        &self,
        statement: Statement,
        parents: &[Uuid],
        parent: usize,
        decode: impl Fn(&dyn Values) -> Result<T, DbErr> + Send,
    ) -> Result<Vec<Vec<T>>> {
        let _turn = self.share.turn().await;
        let watch = Watch::start(self.dialect, &statement);
        let lists = self.connections.lists(statement, parents, parent, decode);
        let rows = |lists: &Vec<Vec<T>>| lists.iter().map(Vec::len).sum();
        watch.over(lists, rows).await
    }

    /// The rows of a statement, undecoded.
    pub async fn rows(&self, statement: Statement) -> Result<Vec<Row>> {
        let _turn = self.share.turn().await;
        let watch = Watch::start(self.dialect, &statement);
        watch.over(self.connections.rows(statement), Vec::len).await
    }

    /// The pools: name, open connections, idle ones among them.
    pub(super) fn connections(&self) -> Vec<(&'static str, u32, usize)> {
        let pools = [("readers", &self.connections), ("searchers", &self.apart)];
        pools
            .into_iter()
            .map(|(name, pool)| {
                let (open, idle) = match pool {
                    Connections::Sqlite(pool) => pool.connections(),
                    Connections::Postgres(pool) => pool.connections(),
                };
                (name, open, idle)
            })
            .collect()
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        match &self.connections {
            Connections::Sqlite(pool) => pool.ping().await,
            Connections::Postgres(pool) => pool.ping().await,
        }
    }

    /// Ends the connections.
    pub async fn close(self) -> Result<()> {
        self.apart.close().await?;
        self.connections.close().await
    }
}

impl Connections {
    /// The same, where each statement is planned with its values. `SQLite` does so everywhere but for short ones.
    fn custom_plan(&self) -> Self {
        match self {
            Self::Sqlite(pool) => Self::Sqlite(pool.clone()),
            Self::Postgres(pool) => Self::Postgres(pool.planning(postgres::Plans::EachTime)),
        }
    }

    async fn each<T: Send>(
        &self,
        statement: Statement,
        decode: impl Fn(&dyn Values) -> Result<T, DbErr> + Send,
    ) -> Result<Vec<T>> {
        let rows: Vec<Row> = match self {
            // Where they are never kept.
            Self::Sqlite(pool) => {
                match query_stats::attempt(|| pool.each_inline(&statement, &decode)) {
                    Some(all) => return all,
                    None => pool.rows_on_blocking_pool(statement).await?.into(),
                }
            }
            Self::Postgres(_) => self.rows(statement).await?,
        };
        let all = rows.iter().map(|row| decode(row));
        Ok(all.collect::<Result<_, _>>()?)
    }

    async fn lists<T: Send>(
        &self,
        statement: Statement,
        parents: &[Uuid],
        parent: usize,
        decode: impl Fn(&dyn Values) -> Result<T, DbErr> + Send,
    ) -> Result<Vec<Vec<T>>> {
        match self {
            Self::Sqlite(pool) => {
                if let Some(lists) =
                    query_stats::attempt(|| pool.lists_inline(&statement, parents, &decode))
                {
                    return lists;
                }
                let tables = pool
                    .lists_on_blocking_pool(statement, parents)
                    .await?
                    .into_iter();
                let decoded = |rows: Vec<Row>| rows.iter().map(|row| decode(row)).collect();
                let lists = tables.map(|table| decoded(table.into()));
                Ok(lists.collect::<Result<_, _>>()?)
            }
            Self::Postgres(_) => {
                let rows = self.rows(statement).await?;
                Ok(by_parent(&rows, parents, parent, decode)?)
            }
        }
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(pool) => Ok(pool.rows(statement).await?.into()),
            // On the heap, so that what waits for an answer carries no room for how it comes.
            Self::Postgres(pool) => Box::pin(pool.rows(&statement)).await,
        }
    }

    async fn close(self) -> Result<()> {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// What is made of rows, by their parents, whose ids are in a column of theirs.
fn by_parent<T>(
    rows: &[Row],
    parents: &[Uuid],
    parent: usize,
    decode: impl Fn(&dyn Values) -> Result<T, DbErr>,
) -> Result<Vec<Vec<T>>, DbErr> {
    let places = parents.iter().enumerate().map(|(place, id)| (*id, place));
    let places: HashMap<Uuid, usize> = places.collect();
    let mut lists: Vec<_> = parents.iter().map(|_| Vec::new()).collect();
    // Those of one parent come one behind the other.
    let mut last = None;
    for row in rows {
        let id: Uuid = row.try_get_by_index(parent)?;
        let place = match last {
            Some((known, place)) if known == id => place,
            _ => places.get(&id).copied(),
        };
        last = Some((id, place));
        if let Some(place) = place {
            lists[place].push(decode(row)?);
        }
    }
    Ok(lists)
}
