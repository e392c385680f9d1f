//! How many statements of one caller run at once: a part of the connections, so that whoever asks for much does not hold up others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::available_parallelism;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::caller::Principal;

/// Callers who are remembered before those are forgotten who ask for nothing.
const REMEMBERED: usize = 1_000;

/// The shares of all callers.
#[derive(Debug)]
pub(super) struct Shares {
    /// Statements of one caller at once.
    each: usize,
    callers: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A caller's share.
#[derive(Clone, Debug)]
pub(super) struct Share(Option<Arc<Semaphore>>);

impl Shares {
    /// Half of the connections, and no more than keep the cores of a machine busy.
    pub(super) fn of(connections: u32) -> Self {
        let cores = available_parallelism().map_or(1, usize::from).max(2);
        let half = usize::try_from(connections / 2).unwrap_or(1);
        Self {
            each: half.clamp(1, cores),
            callers: Mutex::default(),
        }
    }

    /// The share of whoever asks. Where nobody has to say who they are, each request has one.
    pub(super) fn share(&self, principal: &Principal) -> Share {
        let new = || Arc::new(Semaphore::new(self.each));
        if principal.name == Principal::ANYONE {
            return Share(Some(new()));
        }
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= REMEMBERED {
            callers.retain(|_, share| share.strong_count() > 0);
        }
        if let Some(share) = callers.get(&principal.name).and_then(Weak::upgrade) {
            return Share(Some(share));
        }
        let share = new();
        callers.insert(principal.name.clone(), Arc::downgrade(&share));
        Share(Some(share))
    }
}

impl Share {
    /// That of the program itself, which has no bound.
    pub(super) const fn program() -> Self {
        Self(None)
    }

    /// Waits until one more statement may run; it may until the permit is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.as_ref()?.acquire().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Share, Shares};
    use crate::caller::{Agents, Principal, Role};

    async fn has_turn(share: &Share) -> bool {
        tokio::time::timeout(std::time::Duration::from_millis(20), share.turn())
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn a_caller_has_one_share_for_all_requests_and_others_have_theirs() {
        let shares = Shares::of(4);
        let caller = |name: &str| Arc::new(Principal::with_role(name, Role::Viewer, Agents::All));
        let (first, again) = (
            shares.share(&caller("heavy")),
            shares.share(&caller("heavy")),
        );
        let held = [first.turn().await, again.turn().await];
        assert!(!has_turn(&first).await && !has_turn(&again).await);
        assert!(has_turn(&shares.share(&caller("light"))).await);
        assert!(has_turn(&shares.share(&Principal::anyone())).await);
        drop(held);
        assert!(has_turn(&again).await);
    }

    #[tokio::test]
    async fn one_connection_is_shared_and_the_program_waits_for_nobody() {
        let shares = Shares::of(1);
        let share = shares.share(&Principal::anyone());
        let held = share.turn().await;
        assert!(held.is_some() && !has_turn(&share).await);
        assert!(has_turn(&Share::program()).await);
    }
}
