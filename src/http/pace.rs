//! How fast refusals go out. A client that repeats what was refused at once would have the server spend its time on refusals; it waits
//! for each of them instead, and holds nothing meanwhile but its connection.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two refusals, when there are many.
const STEP: Duration = Duration::from_millis(1);
/// How long a refusal waits at most.
const MOST: Duration = Duration::from_millis(250);

/// The pace of all refusals that may be repeated.
pub(super) struct Pace {
    start: Instant,
    /// When the next one may go, since the start.
    next: Mutex<Duration>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            next: Mutex::default(),
        }
    }

    /// Waits until a refusal may go.
    pub(super) async fn wait(&self) {
        let wait = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            wait(&mut next, self.start.elapsed())
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

/// How long the next one waits.
fn wait(next: &mut Duration, now: Duration) -> Duration {
    let at = (*next).clamp(now, now + MOST);
    *next = at + STEP;
    at.saturating_sub(now)
}

#[cfg(test)]
mod tests {
    use super::{Duration, MOST, STEP, wait};

    #[test]
    fn few_refusals_go_at_once_and_many_wait() {
        let (mut next, now) = (Duration::ZERO, Duration::from_secs(5));
        assert_eq!(wait(&mut next, now), Duration::ZERO);
        assert_eq!(wait(&mut next, now), STEP);
        let longest = (0..10_000).map(|_| wait(&mut next, now)).max();
        assert_eq!(longest, Some(MOST));
        // After half of that time half of the queue has gone.
        let later = now + MOST / 2;
        assert_eq!(wait(&mut next, later), MOST / 2 + STEP);
        // After a pause the next one goes at once.
        assert_eq!(wait(&mut next, now + 2 * MOST), Duration::ZERO);
    }
}
