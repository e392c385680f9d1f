//! PostgreSQL on connections of our own (docs/decisions/0024): short reads share a few of them, one behind the other without
//! waiting for answers; of those that may take long each has one to itself, and so has each transaction.

mod bind;
mod cell;
mod connection;
mod parameters;
mod pinned;
mod pipeline_slot;
mod target;
mod tls;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use sea_orm::{ConnAcquireErr, DbErr, Statement};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout, timeout_at};
pub(super) use tokio_postgres::Row;

pub(super) use cell::{cell, column};
pub(super) use connection::Failure;
pub(super) use pinned::PinnedConnection;
pub(super) use target::Target;

use super::dialect::Dialect;
use crate::error::Result;
use connection::Connection;
use pipeline_slot::{Outcome, PipelineSlot};

/// Statements under way on a connection that others share, at most.
const DEPTH: u64 = 64;
/// Statements under way on each of these before another is opened, as long as there are fewer than cores, and afterwards.
const FEW: u64 = 2;
const MANY: u64 = 8;
/// Statements under way on all connections, at most.
const MOST: u32 = 1 << 20;
/// How long a connection is kept that nobody uses, and how long any.
const UNUSED: Duration = Duration::from_mins(10);
const OLD: Duration = Duration::from_mins(30);
/// Between two looks at what may be closed.
const LOOK: Duration = Duration::from_mins(1);

/// Connections, and when what is asked there is planned.
#[derive(Clone, Debug)]
pub(super) struct Pool(Arc<Shared>, Plans);

/// When the server plans a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plans {
    /// Once, for all values.
    Once,
    /// Each time, with its values.
    EachTime,
}

#[derive(Debug)]
struct Shared {
    target: Target,
    limits: Limits,
    /// How many connections come first: those behind them are used when these have [`MANY`] statements each.
    first: usize,
    /// A place for each statement that may be under way.
    places: Arc<Semaphore>,
    open: Mutex<Open>,
    /// A connection was opened, or could not be.
    opened: Notify,
}

/// Connections that can be used, and how many are being opened.
#[derive(Debug, Default)]
struct Open {
    connections: Vec<Arc<Connection>>,
    coming: usize,
}

/// How much there may be of what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections.
    pub(super) connections: u32,
    /// How long a statement waits for its turn on one.
    pub(super) acquire: Duration,
    /// Whether statements are short, and share connections.
    pub(super) shared: bool,
}

/// Where a statement goes.
enum Route {
    To(PipelineSlot),
    /// To a connection that is to be opened for it.
    Open(PendingConnection),
    /// To one that somebody else opens.
    Wait,
}

impl Pool {
    /// A pool that opens connections when they are needed, and where they are shared, one before.
    pub(super) async fn open(target: Target, limits: Limits) -> Result<Self> {
        let pool = Arc::new(Shared {
            target,
            limits,
            first: available_parallelism().map_or(1, usize::from),
            places: Arc::new(Semaphore::new(limits.places() as usize)),
            open: Mutex::default(),
            opened: Notify::new(),
        });
        tokio::spawn(tidy(Arc::downgrade(&pool)));
        if limits.shared {
            let coming = PendingConnection::one(&pool, &mut pool.open());
            let first = pool.another(coming);
            timeout(limits.acquire, first).await.map_err(|_| late())??;
        }
        Ok(Self(pool, Plans::Once))
    }

    /// The same connections, for statements that are planned so. Only where each has one to itself.
    pub(super) fn planning(&self, plans: Plans) -> Self {
        Self(Arc::clone(&self.0), plans)
    }

    /// The rows of a statement. It is tried once more when its connection breaks. One that has a connection to itself ends
    /// soon after its caller goes away.
    pub(super) async fn rows(&self, statement: &Statement) -> Result<Vec<super::Row>> {
        let deadline = Instant::now() + self.0.limits.acquire;
        // When a connection broke: then only one that is opened later will do.
        let mut broken = None;
        loop {
            let mut turn = match self.turn_at_once(broken) {
                Some(turn) => turn,
                None => Box::pin(self.turn(broken, deadline)).await?,
            };
            let start = Instant::now();
            match turn.rows(statement, self.1, deadline).await {
                Outcome::Answer(Err(failure)) if failure.is_lost() && broken.is_none() => {
                    broken = Some(start);
                }
                Outcome::Answer(answer) => return Ok(answer?),
                Outcome::Stalled => {}
                Outcome::Late => return Err(late().into()),
            }
        }
    }

    /// A connection for as long as somebody wants it, which is new when one is `broken`. Only where each statement has one to itself.
    pub(super) async fn hold(&self, broken: Option<Instant>) -> Result<PinnedConnection> {
        let turn = if let Some(turn) = self.turn_at_once(broken) {
            turn
        } else {
            let deadline = Instant::now() + self.0.limits.acquire;
            Box::pin(self.turn(broken, deadline)).await?
        };
        Ok(PinnedConnection::new(turn))
    }

    /// Whether the server answers.
    pub(super) async fn ping(&self) -> Result<()> {
        self.rows(&Dialect::Postgres.raw("SELECT 1", [])).await?;
        Ok(())
    }

    /// How many connections are open, and how many of these are idle.
    pub(super) fn connections(&self) -> (u32, usize) {
        let open = self.0.open();
        let idle = open.connections.iter().filter(|one| one.under_way() == 0);
        let count = u32::try_from(open.connections.len()).unwrap_or(u32::MAX);
        (count, idle.count())
    }

    /// Ends the connections, when what runs on them is through.
    pub(super) async fn close(&self) -> Result<()> {
        let all = self.0.places.acquire_many(self.0.limits.places()).await;
        self.0.places.close();
        drop(all);
        let connections = std::mem::take(&mut self.0.open().connections);
        for connection in connections.into_iter().filter_map(Arc::into_inner) {
            connection.end().await;
        }
        Ok(())
    }

    /// A turn on a connection, which is new when one is `broken`, when it can be had at once.
    fn turn_at_once(&self, broken: Option<Instant>) -> Option<PipelineSlot> {
        let place = Arc::clone(&self.0.places).try_acquire_owned().ok()?;
        match self.0.way(&mut Some(place), broken) {
            Route::To(turn) => Some(turn),
            // Whoever goes on from here has to open it.
            Route::Open(_) | Route::Wait => None,
        }
    }

    /// A turn on a connection, when there is one.
    async fn turn(&self, broken: Option<Instant>, deadline: Instant) -> Result<PipelineSlot> {
        let mut place = Some(self.place(deadline).await?);
        loop {
            let opened = self.0.opened.notified();
            match self.0.way(&mut place, broken) {
                Route::To(turn) => return Ok(turn),
                Route::Open(coming) => {
                    let opening = self.0.another(coming);
                    let opening = timeout_at(deadline.into(), opening).await;
                    opening.map_err(|_| late())??;
                }
                Route::Wait => {
                    let waiting = timeout_at(deadline.into(), opened).await;
                    waiting.map_err(|_| late())?;
                }
            }
        }
    }

    async fn place(&self, deadline: Instant) -> Result<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.0.places).acquire_owned();
        match timeout_at(deadline.into(), place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_closed)) => {
                let why = ConnAcquireErr::ConnectionClosed;
                Err(DbErr::ConnectionAcquire(why).into())
            }
            Err(_elapsed) => Err(late().into()),
        }
    }
}

impl Shared {
    /// Where a statement that has a place goes: to the connection with the fewest statements, none of which takes long. A server
    /// process that finds several of them waiting is woken once, so there are no more connections than it takes to keep all cores busy.
    fn way(
        self: &Arc<Self>,
        place: &mut Option<OwnedSemaphorePermit>,
        broken: Option<Instant>,
    ) -> Route {
        let mut open = self.open();
        open.connections.retain(|one| !one.is_closed());
        let room = open.has_room(self.limits);
        let best = open
            .connections
            .iter()
            .enumerate()
            .map(|(at, one)| (one.is_held_up(), at >= self.first, one.under_way(), one))
            .filter(|&(.., under_way, _)| under_way < self.limits.depth())
            .filter(|(.., one)| broken.is_none_or(|broken| one.opened() > broken))
            .min_by_key(|&(held_up, later, under_way, _)| {
                (held_up, later || under_way >= MANY, under_way)
            });
        match best {
            Some((held_up, _, under_way, connection)) if !held_up || !room => {
                let connection = Arc::clone(connection);
                let enough = open.connections.len() >= self.first;
                let few = if enough { MANY } else { FEW };
                let is_few = !room || open.coming > 0 || under_way < few;
                let coming = (!is_few).then(|| PendingConnection::one(self, &mut open));
                let way = match place.take() {
                    Some(place) => {
                        Route::To(PipelineSlot::begin(Arc::clone(self), connection, place))
                    }
                    None => Route::Wait,
                };
                drop(open);
                if let Some(coming) = coming {
                    let pool = Arc::clone(self);
                    // When it cannot be opened, whoever needs it next is told.
                    tokio::spawn(async move { pool.another(coming).await.ok() });
                }
                way
            }
            _ if room && (open.coming == 0 || !self.limits.shared) => {
                Route::Open(PendingConnection::one(self, &mut open))
            }
            _ => Route::Wait,
        }
    }

    /// Opens another connection.
    async fn another(&self, coming: PendingConnection) -> Result<()> {
        let connection = Connection::open(&self.target).await?;
        if let Some(unwanted) = self.add(connection) {
            unwanted.end().await;
        }
        drop(coming);
        Ok(())
    }

    /// Takes a connection in, unless the pool is closed: then it is handed back.
    fn add(&self, connection: Connection) -> Option<Connection> {
        let mut open = self.open();
        if self.places.is_closed() {
            return Some(connection);
        }
        open.connections.push(Arc::new(connection));
        None
    }

    /// Whether there is a connection without statements, or room for one. Behind others nobody is better off, and what is sent
    /// twice runs twice.
    fn has_better(&self) -> bool {
        let open = self.open();
        let mut connections = open.connections.iter();
        open.has_room(self.limits)
            || connections.any(|one| !one.is_closed() && one.under_way() == 0)
    }

    /// Takes a connection out.
    fn forget(&self, connection: &Arc<Connection>) {
        let mut open = self.open();
        open.connections.retain(|one| !Arc::ptr_eq(one, connection));
    }

    /// Lets go of connections that nobody uses, and of old ones: these end when what runs on them is through.
    fn tidy(&self) {
        self.open().connections.retain(|one| {
            let unused = one.under_way() == 0 && one.unchanged() > UNUSED;
            !one.is_closed() && !unused && one.opened().elapsed() < OLD
        });
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn has_room(&self, limits: Limits) -> bool {
        self.connections.len() + self.coming < limits.connections as usize
    }
}

impl Limits {
    /// Statements that may be under way on a connection.
    const fn depth(self) -> u64 {
        if self.shared { DEPTH } else { 1 }
    }

    /// Statements that may be under way.
    fn places(self) -> u32 {
        let depth = u32::try_from(self.depth()).unwrap_or(u32::MAX);
        self.connections.saturating_mul(depth).min(MOST)
    }
}

/// A connection that is being opened.
struct PendingConnection(Arc<Shared>);

impl PendingConnection {
    fn one(pool: &Arc<Shared>, open: &mut Open) -> Self {
        open.coming += 1;
        Self(Arc::clone(pool))
    }
}

impl Drop for PendingConnection {
    fn drop(&mut self) {
        self.0.open().coming -= 1;
        self.0.opened.notify_waiters();
    }
}

async fn tidy(pool: Weak<Shared>) {
    loop {
        sleep(LOOK).await;
        match pool.upgrade() {
            Some(pool) => pool.tidy(),
            None => return,
        }
    }
}

fn late() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
}
