//! Users who are deleted: hidden, erased, or removed (docs/decisions/0017).
//!
//! The transaction that takes a deletion hides the user and writes down what is to be done. The work itself is done in steps,
//! a transaction each, by whoever finds it: the request that asked, or the server in its own time, also after a crash.

mod removal;
mod request;
mod restore;
mod step;

use std::time::{Duration, Instant};

use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;
use uuid::Uuid;

use crate::db::{Database, Writer};
use crate::error::Result;
use crate::read::deletion::unfinished;
pub use request::{DeleteUser, UniqueViolation};
pub use restore::RestoreUser;
pub use step::{Progress, Step};

/// How long a request that deletes somebody works on it itself.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long the server waits before it looks again for work that nobody does.
const PAUSE: Duration = Duration::from_secs(5);

/// Works on the deletions of a user, for a while. They are taken already: what fails now is tried again later.
pub async fn work_on(writer: &Writer, user: Uuid) {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if !matches!(writer.transaction(&Step { user }).await, Ok(Progress::More)) {
            break;
        }
    }
}

/// Does whatever is left to do. What fails does not keep the rest from being done; the first failure is told.
pub async fn finish_all(database: &Database) -> Result<()> {
    let mut outcome = Ok(());
    for user in unfinished(&database.reader).await? {
        outcome = outcome.and(finish(&database.writer, user).await);
    }
    outcome
}

async fn finish(writer: &Writer, user: Uuid) -> Result<()> {
    while writer.transaction(&Step { user }).await? == Progress::More {}
    Ok(())
}

/// Does whatever is left to do, now and whenever there is something again. Several servers may do so at once.
pub async fn keep_finishing(database: &Database) {
    loop {
        // In nobody's trace: no request asks for it.
        let finishing = finish_all(database).with_subscriber(NoSubscriber::default());
        if let Err(error) = finishing.await {
            tracing::warn!(%error, "users could not be deleted yet");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
