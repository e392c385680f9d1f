//! Audit of reads of personal data: entries are gathered and written to the audit log in batches, in the background.
//!
//! An answer waits only when more has been read than there is room for. What has been gathered is written before the
//! server ends; what a crash can lose is the last quarter of a second.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;
use uuid::Uuid;

use crate::caller::Caller;
use crate::clock::Timestamp;
use crate::db::{Column, Key, Rows, Transaction, TransactionError, UnitOfWork, Writer};
use crate::entity::audit_entry::AuditAction;
use crate::error::{Internal, Result};
use crate::id::{ObjectKind, derive};

/// How many ids of users wait to be written at most: 16 MiB.
const ROOM: u32 = 1 << 20;
/// How many reads are written in one transaction at most.
const TOGETHER: usize = 1_000;
/// How many users one entry names at most; a request that reads of more has several.
const USERS: usize = 1_000;
/// How long reads are gathered.
const GATHER: Duration = Duration::from_millis(250);
/// How long a failed write waits before it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Somebody's personal data was read.
#[derive(Debug)]
struct Reading {
    by: Caller,
    at: Timestamp,
    users: BTreeSet<Uuid>,
    /// Its share of the room, given back when it is written.
    _room: OwnedSemaphorePermit,
}

/// Where reads are noted.
#[derive(Clone, Debug)]
pub struct ReadLog {
    noted: UnboundedSender<Reading>,
    room: Arc<Semaphore>,
}

/// What writes them down.
#[derive(Debug)]
pub struct ReadAuditWriter {
    keeping: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl ReadLog {
    /// A log, and what writes it.
    pub fn start(writer: Writer) -> (Self, ReadAuditWriter) {
        let (noted, waiting) = unbounded_channel();
        let room = Arc::new(Semaphore::new(usize::try_from(ROOM).unwrap_or(usize::MAX)));
        // In nobody's trace: many requests are written together.
        let (stop, stopped) = oneshot::channel();
        let keeping = keep(writer, waiting, stopped).with_subscriber(NoSubscriber::default());
        let keeping = tokio::spawn(keeping);
        (Self { noted, room }, ReadAuditWriter { keeping, stop })
    }

    /// Notes that a request has read personal data of these users; waits while there is no room.
    pub async fn note(&self, by: &Caller, at: Timestamp, users: BTreeSet<Uuid>) -> Result<()> {
        let gone = || Internal::Io("the audit log has ended".to_owned());
        let size = u32::try_from(users.len()).unwrap_or(ROOM).clamp(1, ROOM);
        let room = self.room.clone().acquire_many_owned(size).await;
        let reading = Reading {
            by: by.clone(),
            at,
            users,
            _room: room.map_err(|_| gone())?,
        };
        Ok(self.noted.send(reading).map_err(|_| gone())?)
    }
}

impl ReadAuditWriter {
    /// Writes what has been noted, and takes no more.
    pub async fn finish(self) {
        self.stop.send(()).ok();
        self.keeping.await.ok();
    }
}

/// Writes reads until it is told to stop and all are written.
async fn keep(
    writer: Writer,
    mut waiting: UnboundedReceiver<Reading>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut readings = Vec::with_capacity(TOGETHER);
    loop {
        let count = tokio::select! {
            _ = &mut stopped, if !waiting.is_closed() => {
                waiting.close();
                continue;
            }
            count = waiting.recv_many(&mut readings, TOGETHER) => count,
        };
        if count == 0 {
            break;
        }
        if !waiting.is_closed() {
            tokio::select! {
                _ = &mut stopped => waiting.close(),
                () = tokio::time::sleep(GATHER) => {}
            }
        }
        while readings.len() < TOGETHER
            && let Ok(reading) = waiting.try_recv()
        {
            readings.push(reading);
        }
        while let Err(error) = writer.transaction(&Enter(&readings)).await {
            tracing::warn!(%error, "reads of personal data could not be written to the audit log yet");
            tokio::time::sleep(AGAIN).await;
        }
        readings.clear();
    }
}

/// Enters reads in the log: an entry for each request and agent.
struct Enter<'a>(&'a [Reading]);

impl UnitOfWork for Enter<'_> {
    type Output = ();

    async fn run(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        const COLUMNS: [(&str, Column); 10] = [
            ("id", Column::Uuid),
            ("agent_id", Column::Uuid),
            ("chat_user_id", Column::Uuid),
            ("action", Column::Text),
            ("actor", Column::Text),
            ("request_id", Column::Text),
            ("at", Column::Int),
            ("changes", Column::Text),
            ("operation", Column::Text),
            ("chat_user_ids", Column::Text),
        ];
        let agents = self.agents(transaction).await?;
        let mut rows = Vec::new();
        for (place, reading) in self.0.iter().enumerate() {
            for (part, (agent, users)) in reading.parts(&agents).into_iter().enumerate() {
                let place = [place, part].map(usize::to_be_bytes).concat();
                let request = reading.by.request_id.as_bytes();
                let seed: [&[u8]; 4] = [b"read", request, &place, &[transaction.id_salt()]];
                // Who looked at one user stands in that user's own log.
                let only = if let [user] = users.as_slice() {
                    Some(*user)
                } else {
                    None
                };
                rows.push((
                    Key(derive(reading.at, &seed)),
                    agent.map(Key),
                    only.map(Key),
                    sea_orm::ActiveEnum::into_value(AuditAction::PersonalDataRead),
                    &reading.by.principal.name,
                    &reading.by.request_id,
                    reading.at,
                    "[]",
                    reading.by.operation.as_deref(),
                    texts(&users),
                ));
            }
        }
        transaction
            .insert_all("audit_entries", &COLUMNS, &rows)
            .await
    }
}

impl Enter<'_> {
    /// The agents of all users; somebody who has been removed since has none.
    async fn agents(
        &self,
        transaction: &Transaction,
    ) -> Result<HashMap<Uuid, Uuid>, TransactionError> {
        let users: BTreeSet<_> = self.0.iter().flat_map(|reading| &reading.users).collect();
        let dialect = transaction.dialect();
        let wanted = Rows::ids(users.into_iter().copied());
        let sql = format!(
            "SELECT chat_users.id, chat_users.agent_id FROM {} AS wanted JOIN chat_users ON chat_users.id = wanted.id",
            wanted.subquery(dialect, "$1")
        );
        let found = transaction
            .rows(dialect.raw(sql, [wanted.into_value()]))
            .await?;
        found
            .iter()
            .map(|row| Ok((row.try_get("", "id")?, row.try_get("", "agent_id")?)))
            .collect()
    }
}

impl Reading {
    /// Its users by agent, so many at a time as one entry names.
    fn parts(&self, agents: &HashMap<Uuid, Uuid>) -> Vec<(Option<Uuid>, Vec<Uuid>)> {
        let mut users: BTreeMap<Option<Uuid>, Vec<Uuid>> = BTreeMap::new();
        for user in &self.users {
            users
                .entry(agents.get(user).copied())
                .or_default()
                .push(*user);
        }
        let parts = users
            .iter()
            .flat_map(|(agent, users)| users.chunks(USERS).map(|users| (*agent, users.to_vec())));
        parts.collect()
    }
}

/// A JSON array of the ids' texts.
fn texts(users: &[Uuid]) -> String {
    let texts: Vec<_> = users
        .iter()
        .map(|id| ObjectKind::ChatUser.encode(*id))
        .collect();
    serde_json::to_string(&texts).unwrap_or_else(|_| "[]".to_owned())
}
