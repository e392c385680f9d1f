//! Whose personal data a request has read: what it owes the audit log.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// The users whose personal data a request has read so far.
#[derive(Debug, Default)]
pub struct DisclosureLog(Mutex<BTreeSet<Uuid>>);

impl DisclosureLog {
    /// These too.
    pub fn add(&self, users: impl IntoIterator<Item = Uuid>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(users);
    }

    /// All of them, once.
    pub fn take(&self) -> BTreeSet<Uuid> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
