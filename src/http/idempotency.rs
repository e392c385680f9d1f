//! `Idempotency-Key`: a mutation that is sent again has no second effect (the IETF's draft of that name). Around step four: what is
//! refused before it runs is not kept.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};

use super::negotiate::Variables;
use super::respond::{Answer, Refusal};
use super::{AppState, execute};
use crate::caller::Principal;
use crate::graphql::Once;

/// The header of a request.
pub(super) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of an answer to a request all of whose changes had been made before.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Longest key, in characters.
const MAX_KEY: usize = 255;
/// How many keys may be under way here at once without waiting for each other by chance.
const TURNS: usize = 1 << 10;

/// The keys that a request came with.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    values: Vec<HeaderValue>,
    pub(super) batched: bool,
}

impl Given {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            values: headers.get_all(KEY).iter().cloned().collect(),
            batched: false,
        }
    }

    /// A mutation that is to be done once. Key and request are known by hashes: variables hold values of profiles, and clients put
    /// anything into keys. Nobody can guess what was hashed who does not know the key.
    pub(super) fn once(
        &self,
        owner: &Principal,
        text: &str,
        name: Option<&str>,
        variables: &Variables,
    ) -> Result<Option<Arc<Once>>, Refusal> {
        let Some(key) = self.key()? else {
            return Ok(None);
        };
        let (owner, key) = (owner.name.clone(), key.as_bytes());
        let variables = serde_json::to_vec(variables).unwrap_or_default();
        let name = name.unwrap_or_default().as_bytes();
        let request = hash([key, text.as_bytes(), name, &variables]);
        let key = hash([b"key", owner.as_bytes(), key, b""]);
        Ok(Some(Arc::new(Once::new(owner, key, request))))
    }

    fn key(&self) -> Result<Option<String>, Refusal> {
        let value = match self.values.as_slice() {
            [] => return Ok(None),
            [value] => value.as_bytes(),
            _ => {
                return Err(Refusal::bad_request(
                    "give one Idempotency-Key, not several",
                ));
            }
        };
        if self.batched {
            let message =
                "an Idempotency-Key is for a request by itself: send this one without a batch";
            return Err(Refusal::bad_request(message));
        }
        let is_key = (1..=MAX_KEY).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
        match std::str::from_utf8(value) {
            Ok(key) if is_key => Ok(Some(key.to_owned())),
            _ => {
                let message =
                    format!("an Idempotency-Key has 1 to {MAX_KEY} visible ASCII characters");
                Err(Refusal::bad_request(message))
            }
        }
    }
}

/// The hash of what is asked for: parts that do not run together.
fn hash(parts: [&[u8]; 4]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    BASE64_URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// Who has come with the same key waits for their turn here, before they take anything that others could use.
pub(super) struct Locks {
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Default for Locks {
    fn default() -> Self {
        Self {
            locks: (0..TURNS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Locks {
    async fn take(&self, once: &Once) -> MutexGuard<'_, ()> {
        let hash = self.hasher.hash_one(once.name());
        let at = usize::try_from(hash).unwrap_or_default() % self.locks.len();
        self.locks[at].lock().await
    }
}

/// The answer that `running` comes to, which is told when all of its changes had been made before. All of it within the time of
/// a request.
pub(super) async fn once(
    shared: &AppState,
    once: &Once,
    running: impl Future<Output = Result<Answer, Refusal>>,
) -> Result<Answer, Refusal> {
    let answering = async {
        let _turn = shared.idempotency_locks.take(once).await;
        once.check(&shared.services.database.reader).await?;
        let answer = running.await?;
        Ok(if once.is_replayed() {
            answer.header(REPLAYED, "true")
        } else {
            answer
        })
    };
    let timeout = shared.limits.request_timeout;
    tokio::time::timeout(timeout, answering)
        .await
        .unwrap_or_else(|_| Err(execute::too_slow(timeout)))
}
