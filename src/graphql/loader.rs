//! Batching: what the fields of one level ask for one by one becomes one statement. The type of a key says which batch runs.
//!
//! There is no delay: a request runs until all its resolvers wait, then the batches that have gathered start. All of it
//! happens on the request's own task, so a level is exactly one statement.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};
use async_graphql::runtime::Timer;
use derive_where::derive_where;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::task::{FutureObj, Spawn, SpawnError};
use uuid::Uuid;

use super::connection::{Listed, requested_columns};
use crate::db::Reader;
use crate::db::query_stats;
use crate::entity::chat_user::Model as ChatUser;
use crate::entity::message;
use crate::error::{Client, Error, Result};
use crate::id;
use crate::read::chat_user::{self, ChatUserFilter, Platforms};
use crate::read::columns::Columns;
use crate::read::deletion::restorable;
use crate::read::message::by_external_ids;
use crate::read::page::{Query, Slice};
use crate::read::{Noun, batch, search};

/// How many rows one request may read.
const MAX_ROWS: u64 = 250_000;

/// A row by its id.
#[derive_where(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ById<N>(Uuid, Columns<N>);

/// A page of the list of one parent.
#[derive_where(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PageOf<N: Noun>(id::ObjectKind, Uuid, Arc<Query<N>>, Columns<N>);

/// The length of the list of one parent.
#[derive_where(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CountOf<N: Noun>(id::ObjectKind, Uuid, N::Filter);

/// How the audience of one agent divides by platform.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PlatformsOf(Uuid, ChatUserFilter);

/// What is unique of a message where the data comes from (`read::message::ExternalKey`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ByExternalId(Uuid, Option<Uuid>, String);

/// A user who is hidden and can be restored, by their id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Restorable(Uuid);

/// Whether a text is the complete e-mail address of a user of one agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct EmailOf(Uuid, String);

/// The loaders of one request.
pub struct Loaders(DataLoader<Batch, HashMapCache>);

impl std::fmt::Debug for Loaders {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Loaders").finish_non_exhaustive()
    }
}

impl Loaders {
    /// Loaders whose batches run in `batches`.
    pub(super) fn new(reader: Reader, batches: &Batches) -> Self {
        let loader = DataLoader::with_cache(
            Batch { reader },
            batches.clone(),
            NoDelay,
            HashMapCache::default(),
        );
        Self(loader.max_batch_size(usize::MAX).delay(Duration::ZERO))
    }

    /// A row by its id, with all columns.
    pub(super) async fn by_id<N: Noun>(&self, id: Uuid) -> Result<Option<Arc<N::Model>>> {
        self.with_columns::<N>(id, Columns::all()).await
    }

    /// A row by its id, with some of its columns.
    pub(super) async fn with_columns<N: Noun>(
        &self,
        id: Uuid,
        columns: Columns<N>,
    ) -> Result<Option<Arc<N::Model>>> {
        self.0.load_one(ById::<N>(id, columns)).await
    }

    /// A row by its id, with what is asked of it where the field stands.
    pub(super) async fn load_selected<N: Listed>(
        &self,
        context: &Context<'_>,
        id: Uuid,
    ) -> Result<Option<Arc<N::Model>>> {
        self.with_columns::<N>(id, requested_columns(context)).await
    }

    /// A page of the list of one parent.
    pub(super) async fn page<N: Noun>(
        &self,
        parent: id::ObjectKind,
        id: Uuid,
        query: Arc<Query<N>>,
        columns: Columns<N>,
    ) -> Result<Arc<Slice<N>>> {
        let key = PageOf(parent, id, query, columns);
        let slice = self.0.load_one(key).await?;
        Ok(slice.unwrap_or_default())
    }

    /// The length of the list of one parent.
    pub(super) async fn count<N: Noun>(
        &self,
        parent: id::ObjectKind,
        id: Uuid,
        filter: N::Filter,
    ) -> Result<i64> {
        Ok(self
            .0
            .load_one(CountOf::<N>(parent, id, filter))
            .await?
            .unwrap_or(0))
    }
}

impl Loaders {
    /// Forgets what has been read: something has been changed.
    pub(super) fn forget(&self) {
        self.0.enable_all_cache(false);
    }

    /// How the audience of one agent divides by platform.
    pub(super) async fn platforms(&self, agent: Uuid, filter: ChatUserFilter) -> Result<Platforms> {
        Ok(self
            .0
            .load_one(PlatformsOf(agent, filter))
            .await?
            .unwrap_or_default())
    }

    /// The message that has this external id where another one came from.
    pub(super) async fn message(
        &self,
        beside: &message::Model,
        external_id: &str,
    ) -> Result<Option<Arc<message::Model>>> {
        let (user, alias) = (beside.chat_user_id, beside.sent_as);
        let key = ByExternalId(user, alias, external_id.to_owned());
        self.0.load_one(key).await
    }

    /// A user who is hidden and can be restored.
    pub(super) async fn restorable(&self, user: Uuid) -> Result<Option<Arc<ChatUser>>> {
        self.0.load_one(Restorable(user)).await
    }

    /// Whether a text is the complete e-mail address of a user of one agent.
    pub(super) async fn is_email(&self, agent: Uuid, text: &str) -> Result<bool> {
        Ok(self
            .0
            .load_one(EmailOf(agent, text.to_owned()))
            .await?
            .is_some())
    }
}

/// What runs a batch.
#[derive(Debug)]
pub(super) struct Batch {
    reader: Reader,
}

impl<N: Noun> Loader<ById<N>> for Batch {
    type Value = Arc<N::Model>;
    type Error = Error;

    async fn load(&self, keys: &[ById<N>]) -> Result<HashMap<ById<N>, Self::Value>> {
        let ids: HashSet<_> = keys.iter().map(|key| key.0).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        within_budget(ids.len() as u64)?;
        // The same row may be asked for with several sets of columns: it is read once, with all of them.
        let columns = keys.iter().map(|key| key.1).reduce(Columns::and);
        let rows = batch::by_ids::<N>(&self.reader, &ids, columns.unwrap_or_else(Columns::all));
        let rows = rows.await?;
        let row = |key: &ById<N>| Some((key.clone(), rows.get(&key.0)?.clone()));
        Ok(keys.iter().filter_map(row).collect())
    }
}

impl<N: Noun> Loader<PageOf<N>> for Batch {
    type Value = Arc<Slice<N>>;
    type Error = Error;

    async fn load(&self, keys: &[PageOf<N>]) -> Result<HashMap<PageOf<N>, Self::Value>> {
        // The same page may be asked for with several sets of columns: it is read once, with all of them.
        let mut groups: HashMap<_, (HashSet<Uuid>, Columns<N>)> = HashMap::new();
        for PageOf(parent, id, query, columns) in keys {
            let (parents, wanted) = groups
                .entry((*parent, query))
                .or_insert_with(|| (HashSet::new(), *columns));
            parents.insert(*id);
            *wanted = wanted.and(*columns);
        }
        let mut pages = HashMap::with_capacity(keys.len());
        for ((parent, query), (parents, columns)) in groups {
            within_budget((query.page.size + 1).saturating_mul(parents.len() as u64))?;
            let parents: Vec<_> = parents.into_iter().collect();
            let slices = batch::pages(&self.reader, parent, &parents, query, columns).await?;
            let slices = parents.into_iter().zip(slices.into_iter().map(Arc::new));
            pages.insert((parent, query), slices.collect::<HashMap<_, _>>());
        }
        let page = |PageOf(parent, id, query, _): &PageOf<N>| {
            pages.get(&(*parent, query))?.get(id).cloned()
        };
        Ok(keys
            .iter()
            .filter_map(|key| Some((key.clone(), page(key)?)))
            .collect())
    }
}

impl<N: Noun> Loader<CountOf<N>> for Batch {
    type Value = i64;
    type Error = Error;

    async fn load(&self, keys: &[CountOf<N>]) -> Result<HashMap<CountOf<N>, i64>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for ((parent, filter), parents) in grouped(
            keys.iter()
                .map(|CountOf(parent, id, filter)| ((*parent, filter.clone()), *id)),
        ) {
            let counts = batch::counts::<N>(&self.reader, parent, &parents, &filter).await?;
            answers.extend(
                counts
                    .into_iter()
                    .map(|(id, count)| (CountOf(parent, id, filter.clone()), count)),
            );
        }
        Ok(answers)
    }
}

impl Loader<PlatformsOf> for Batch {
    type Value = Platforms;
    type Error = Error;

    async fn load(&self, keys: &[PlatformsOf]) -> Result<HashMap<PlatformsOf, Platforms>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for (filter, agents) in grouped(
            keys.iter()
                .map(|PlatformsOf(agent, filter)| (filter.clone(), *agent)),
        ) {
            let counts = chat_user::platforms_of(&self.reader, &agents, &filter).await?;
            answers.extend(
                counts
                    .into_iter()
                    .map(|(agent, counts)| (PlatformsOf(agent, filter.clone()), counts)),
            );
        }
        Ok(answers)
    }
}

impl Loader<ByExternalId> for Batch {
    type Value = Arc<message::Model>;
    type Error = Error;

    async fn load(&self, keys: &[ByExternalId]) -> Result<HashMap<ByExternalId, Self::Value>> {
        within_budget(keys.len() as u64)?;
        let wanted: Vec<_> = keys
            .iter()
            .map(|key| (key.0, key.1, key.2.as_str()))
            .collect();
        let rows = by_external_ids(&self.reader, &wanted).await?;
        let named = |row: message::Model| {
            let key = ByExternalId(row.chat_user_id, row.sent_as, row.external_id.clone());
            (key, Arc::new(row))
        };
        Ok(rows.into_iter().map(named).collect())
    }
}

impl Loader<Restorable> for Batch {
    type Value = Arc<ChatUser>;
    type Error = Error;

    async fn load(&self, keys: &[Restorable]) -> Result<HashMap<Restorable, Self::Value>> {
        let users: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = restorable(&self.reader, &users).await?.into_iter();
        Ok(rows.map(|(user, row)| (Restorable(user), row)).collect())
    }
}

impl Loader<EmailOf> for Batch {
    type Value = ();
    type Error = Error;

    async fn load(&self, keys: &[EmailOf]) -> Result<HashMap<EmailOf, ()>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for (text, agents) in grouped(
            keys.iter()
                .map(|EmailOf(agent, text)| (text.clone(), *agent)),
        ) {
            let found = search::agents_with_email(&self.reader, &agents, &text).await?;
            answers.extend(
                found
                    .into_iter()
                    .map(|agent| (EmailOf(agent, text.clone()), ())),
            );
        }
        Ok(answers)
    }
}

/// Keys that ask for the same thing, together.
fn grouped<G: std::hash::Hash + Eq>(
    keys: impl Iterator<Item = (G, Uuid)>,
) -> HashMap<G, Vec<Uuid>> {
    let mut groups: HashMap<G, Vec<Uuid>> = HashMap::new();
    for (group, id) in keys {
        groups.entry(group).or_default().push(id);
    }
    groups
}

/// Refuses a batch that would take the request beyond the rows it may read.
pub(super) fn within_budget(rows: u64) -> Result<()> {
    let read = query_stats::QUERY_STATS
        .try_with(|tally| tally.figures().rows)
        .unwrap_or(0);
    if read.saturating_add(rows) > MAX_ROWS {
        return Err(Client::TooManyRows { limit: MAX_ROWS }.into());
    }
    Ok(())
}

/// Batches that have gathered and not started yet.
#[derive(Clone, Default)]
pub(super) struct Batches(Arc<Mutex<Vec<FutureObj<'static, ()>>>>);

impl Batches {
    /// Runs `request` to its end, and whenever it waits, the batches that it waits for.
    pub(super) async fn drive<T>(&self, request: impl Future<Output = T>) -> T {
        let mut request = std::pin::pin!(request);
        let mut running = FuturesUnordered::new();
        std::future::poll_fn(move |context| {
            loop {
                if let Poll::Ready(answer) = request.as_mut().poll(context) {
                    return Poll::Ready(answer);
                }
                running.extend(std::mem::take(
                    &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner),
                ));
                // A batch that has ended wakes resolvers: they are looked at again before anything else starts.
                match running.poll_next_unpin(context) {
                    Poll::Ready(Some(())) => {}
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }
}

impl Spawn for Batches {
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(future);
        Ok(())
    }
}

/// A timer that has always run out.
struct NoDelay;

impl Timer for NoDelay {
    fn delay(&self, _: Duration) -> BoxFuture<'static, ()> {
        Pin::from(Box::new(std::future::ready(())))
    }
}
