//! Requests that are done once, however often they are sent: those that come with a key.
//!
//! What comes of each transaction of such a request is committed with it, under the key and the transaction's place in the
//! request: ids, counts and codes, never a value of a profile. When the request is sent again, whether the first one was answered, cut
//! off or is still under way, a transaction that has been committed is not run again: what came of it then comes of it now. So
//! nothing has to be reserved beforehand, and nothing has to be cleaned up after a crash. No answer is kept: the selection of a request
//! that is sent again shows what there is by then (docs/decisions/0034).

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{Statement, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tracing::Instrument;

use super::authorized::AuthorizedMutation;
use crate::clock::Timestamp;
use crate::db::query_stats::QUERY_STATS;
use crate::db::{self, Reader, Transaction, TransactionError, UnitOfWork, Writer, by_name};
use crate::error::{Client, Error, Internal, Result};

/// How long a key is kept, in microseconds: a day.
const KEPT: i64 = 24 * 60 * 60 * 1_000_000;
/// How many keys that are too old are removed whenever a key is stored.
const REMOVED: u64 = 20;
/// What comes of the transactions of a request that has made none yet.
const NONE: &str = "{}";

/// A request that came with a key.
#[derive(Debug)]
pub struct Once {
    /// Whose key it is.
    owner: String,
    /// The key, as a hash.
    key: String,
    /// What is asked for, as a hash.
    request: String,
    now: Timestamp,
    /// How many transactions each field of the root has begun.
    steps: Mutex<HashMap<String, usize>>,
    /// Whether what came of a transaction was known.
    has_found: AtomicBool,
    /// Whether a transaction was run.
    has_run: AtomicBool,
}

/// Where the changes of a field of the root go.
#[derive(Clone, Debug)]
pub struct Changes {
    writer: Writer,
    once: Option<Arc<Once>>,
    /// The field, as it is called in the answer.
    field: String,
}

/// The key came with another request before.
#[derive(Clone, Copy, Debug)]
struct UniqueViolation;

/// A key that is stored.
struct Row {
    request: String,
    outcomes: String,
}

impl Changes {
    /// Changes of a field of the root, by its name in the answer, that are made once when the request came with a key.
    pub const fn new(writer: Writer, once: Option<Arc<Once>>, field: String) -> Self {
        Self {
            writer,
            once,
            field,
        }
    }

    /// The writer, for what may be done any number of times.
    pub const fn any(&self) -> &Writer {
        &self.writer
    }

    /// Runs `work` in a transaction and commits what it did, unless this has been done for the same request. Whoever may not
    /// ask for it is refused before.
    pub async fn transaction<W>(&self, work: &W) -> Result<W::Output>
    where
        W: AuthorizedMutation + UnitOfWork<Output: Serialize + DeserializeOwned>,
    {
        Ok(self.transaction_returning(work, None).await?.0)
    }

    /// As [`Self::transaction`], with the rows of a question about what it leaves.
    pub async fn transaction_returning<W>(
        &self,
        work: &W,
        question: Option<&Statement>,
    ) -> Result<(W::Output, Vec<db::Row>)>
    where
        W: AuthorizedMutation + UnitOfWork<Output: Serialize + DeserializeOwned>,
    {
        work.permitted()?;
        let Some(once) = &self.once else {
            return self.writer.transaction_returning(work, question).await;
        };
        let place = once.next(&self.field);
        let step = Step { once, place, work };
        let (outcome, rows) = self.writer.transaction_returning(&step, question).await?;
        Ok((outcome.map_err(|UniqueViolation| Client::KeyTaken)?, rows))
    }
}

impl Changes {
    /// As [`Self::transaction`], but goes on to its end when the request has had its time and nobody waits for it any more.
    pub async fn to_the_end<W>(&self, work: W) -> Result<W::Output>
    where
        W: AuthorizedMutation + UnitOfWork<Output: Serialize + DeserializeOwned> + Send + 'static,
    {
        let changes = self.clone();
        let tally = QUERY_STATS.try_with(Arc::clone).unwrap_or_default();
        let running = async move { changes.transaction(&work).await };
        let running = QUERY_STATS.scope(tally, running).in_current_span();
        tokio::spawn(running)
            .await
            .map_err(|error| Internal::Io(error.to_string()))?
    }
}

impl Once {
    /// A request, by the hash of the key that its owner gave it and a hash of what it asks for.
    pub fn new(owner: String, key: String, request: String) -> Self {
        Self {
            owner,
            key,
            request,
            now: Timestamp::now(),
            steps: Mutex::default(),
            has_found: AtomicBool::new(false),
            has_run: AtomicBool::new(false),
        }
    }

    /// What tells the key from all others.
    pub fn name(&self) -> (&str, &str) {
        (&self.owner, &self.key)
    }

    /// Whether all that this request changes was changed before.
    pub fn is_replayed(&self) -> bool {
        self.has_found.load(Ordering::Relaxed) && !self.has_run.load(Ordering::Relaxed)
    }

    /// Refuses the request if its key came with another one.
    pub async fn check(&self, reader: &Reader) -> Result<()> {
        let sql = "SELECT request, outcomes FROM idempotency_keys \
                   WHERE owner = $1 AND idempotency_key = $2 AND created_at > $3";
        let [owner, key] = self.values();
        let values = [owner, key, self.oldest().into()];
        let rows: Vec<Row> = reader.fetch(reader.dialect().raw(sql, values)).await?;
        if rows.iter().any(|row| row.request != self.request) {
            return Err(Client::KeyTaken.into());
        }
        Ok(())
    }

    /// The place of the next transaction of a field: its name, and how many came before.
    fn next(&self, field: &str) -> String {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let step = steps.entry(field.to_owned()).or_default();
        let place = format!("{field}/{step}");
        *step += 1;
        place
    }

    fn values(&self) -> [Value; 2] {
        [self.owner.as_str().into(), self.key.as_str().into()]
    }

    /// Keys from before are as good as none.
    const fn oldest(&self) -> Timestamp {
        Timestamp(self.now.0.saturating_sub(KEPT))
    }

    /// Removes some keys that are too old. Others who do the same meanwhile are left to their rows.
    async fn forget_old(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        let dialect = transaction.dialect();
        let sql = format!(
            "DELETE FROM idempotency_keys WHERE (owner, idempotency_key) IN \
             (SELECT owner, idempotency_key FROM idempotency_keys WHERE created_at <= $1 ORDER BY created_at LIMIT {REMOVED}{})",
            dialect.locking_free("idempotency_keys")
        );
        let oldest = [self.oldest().into()];
        transaction.execute(dialect.raw(sql, oldest)).await?;
        Ok(())
    }

    /// The key's row, made when there is none. Until the transaction ends nobody else has it: whoever comes with the same key
    /// waits here, before anything is done.
    async fn hold(
        &self,
        transaction: &Transaction,
    ) -> Result<Result<Row, UniqueViolation>, TransactionError> {
        let dialect = transaction.dialect();
        let sql = "INSERT INTO idempotency_keys (owner, idempotency_key, request, created_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (owner, idempotency_key) DO UPDATE \
                   SET request = excluded.request, created_at = excluded.created_at, outcomes = '{}' \
                   WHERE idempotency_keys.created_at <= $5";
        let rest = [
            self.request.as_str().into(),
            self.now.into(),
            self.oldest().into(),
        ];
        let values = self.values().into_iter().chain(rest);
        transaction.enqueue(dialect.raw(sql, values)).await?;
        let sql = format!(
            "SELECT request, outcomes FROM idempotency_keys WHERE owner = $1 AND idempotency_key = $2{}",
            dialect.locking("idempotency_keys")
        );
        let rows: Vec<Row> = transaction.fetch(dialect.raw(sql, self.values())).await?;
        let row = rows
            .into_iter()
            .next()
            .ok_or(TransactionError::UniqueViolation)?;
        Ok(if row.request == self.request {
            Ok(row)
        } else {
            Err(UniqueViolation)
        })
    }
}

by_name!(Row { request, outcomes });

/// A transaction of a request, at its place among them.
struct Step<'a, W> {
    once: &'a Once,
    place: String,
    work: &'a W,
}

impl<W> UnitOfWork for Step<'_, W>
where
    W: UnitOfWork<Output: Serialize + DeserializeOwned>,
{
    type Output = Result<W::Output, UniqueViolation>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let row = match self.once.hold(transaction).await? {
            Ok(row) => row,
            Err(taken) => return Ok(Err(taken)),
        };
        let mut outcomes: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&row.outcomes).map_err(unreadable)?;
        if let Some(outcome) = outcomes.get(&self.place) {
            let outcome = serde_json::from_str(outcome.get()).map_err(unreadable)?;
            self.once.has_found.store(true, Ordering::Relaxed);
            return Ok(Ok(outcome));
        }
        if row.outcomes == NONE {
            self.once.forget_old(transaction).await?;
        }
        let outcome = self.work.run(transaction).await?;
        self.once.has_run.store(true, Ordering::Relaxed);
        let told = serde_json::value::to_raw_value(&outcome).map_err(unreadable)?;
        outcomes.insert(self.place.clone(), told);
        let outcomes = serde_json::to_string(&outcomes).map_err(unreadable)?;
        let sql =
            "UPDATE idempotency_keys SET outcomes = $3 WHERE owner = $1 AND idempotency_key = $2";
        let values = self.once.values().into_iter().chain([outcomes.into()]);
        let statement = transaction.dialect().raw(sql, values);
        transaction.enqueue(statement).await?;
        Ok(Ok(outcome))
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what becomes of an error"
)]
fn unreadable(error: serde_json::Error) -> TransactionError {
    Error::from(Internal::Corrupt(error.to_string())).into()
}
