//! Tokens: looked up by the hash of their secret, and trusted for a moment without being looked up again.
//!
//! A token costs one statement every two seconds, however many requests come with it, and is revoked everywhere within that
//! time. When it was last used is gathered in memory and written now and then, for many tokens at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;
use uuid::Uuid;

use super::Cause;
use crate::caller::{Agents, Principal};
use crate::clock::Timestamp;
use crate::db::Database;
use crate::entity::token::Model;
use crate::error::Result;
use crate::id::ObjectKind;
use crate::read::token::by_hash;
use crate::roles::Roles;
use crate::secret::{Fingerprint, Secret};
use crate::write::token::NoteUses;

/// How long a token is trusted after it was looked up.
const TRUSTED: Duration = Duration::from_secs(2);
/// How many tokens are kept at most, those that nobody has among them.
const KEPT: usize = 10_000;
/// How long uses are gathered before they are written.
const GATHERED: Duration = Duration::from_secs(30);
/// Of how many tokens they are gathered at most; what is beyond is not told.
const MAX_USES: usize = 10_000;

/// The tokens of a database.
#[derive(Clone, Debug)]
pub struct Tokens(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    roles: Roles,
    seen: Cache<Fingerprint, Arc<Seen>>,
    uses: Mutex<BTreeMap<Uuid, Timestamp>>,
}

/// What a look brought.
#[derive(Debug)]
struct Seen {
    /// When it began: whatever happened since then may not be in it.
    at: Instant,
    token: Option<Known>,
}

/// A token that somebody has.
#[derive(Debug)]
struct Known {
    id: Uuid,
    principal: Arc<Principal>,
    is_revoked: bool,
}

impl Tokens {
    /// The tokens of a database, whose roles mean these.
    pub fn new(database: Database, roles: Roles) -> Self {
        Self(Arc::new(Inner {
            database,
            roles,
            seen: Cache::new(KEPT),
            uses: Mutex::default(),
        }))
    }

    /// Whose token this is. Past its checksum, all tokens that let nobody in take the same way.
    pub async fn principal(&self, text: &str) -> Result<Arc<Principal>, Cause> {
        let hash = Secret::parse(text).ok_or(Cause::Malformed)?.fingerprint();
        let seen = self.0.look(hash).await.map_err(|error| {
            tracing::error!(%error, "a token could not be looked up");
            Cause::Unavailable
        })?;
        let now = Timestamp::now();
        seen.token
            .as_ref()
            .ok_or(Cause::Unknown)?
            .principal_at(now)
            .cloned()
    }

    /// Writes down uses as they gather, until it is dropped.
    pub async fn keep_noting(&self) {
        loop {
            tokio::time::sleep(GATHERED).await;
            // In nobody's trace: no request asks for it.
            let noting = self.note().with_subscriber(NoSubscriber::default());
            if let Err(error) = noting.await {
                tracing::warn!(%error, "the use of tokens could not be written down yet");
            }
        }
    }

    /// Writes down the uses that have gathered.
    pub async fn note(&self) -> Result<()> {
        let uses: Vec<_> = std::mem::take(&mut *self.0.uses()).into_iter().collect();
        if uses.is_empty() {
            return Ok(());
        }
        let noted = self.0.database.writer.transaction(&NoteUses(&uses)).await;
        if noted.is_err() {
            for (id, at) in uses {
                self.0.used(id, at);
            }
        }
        noted
    }
}

impl Inner {
    /// What there is of a token, not older than it may be.
    async fn look(&self, hash: Fingerprint) -> Result<Arc<Seen>> {
        match self.seen.get(&hash).filter(|seen| seen.is_fresh()) {
            Some(seen) => Ok(seen),
            // Few requests have to: the others are not to carry the room for it.
            None => Box::pin(self.look_again(hash)).await,
        }
    }

    /// Those who ask at the same time look once.
    async fn look_again(&self, hash: Fingerprint) -> Result<Arc<Seen>> {
        loop {
            match self.seen.get_value_or_guard_async(&hash).await {
                Ok(seen) if seen.is_fresh() => return Ok(seen),
                Ok(old) => {
                    self.seen.remove_if(&hash, |seen| Arc::ptr_eq(seen, &old));
                }
                Err(guard) => {
                    let at = Instant::now();
                    let token = by_hash(&self.database.reader, &hash).await?;
                    let token = token.map(|row| Known::new(&row, &self.roles));
                    // To the moment would need a place to write for each request; this is to two seconds.
                    let now = Timestamp::now();
                    if let Some(known) = token.as_ref().filter(|it| it.principal_at(now).is_ok()) {
                        self.used(known.id, now);
                    }
                    let seen = Arc::new(Seen { at, token });
                    // Whoever has put another one here meanwhile has looked as well.
                    guard.insert(seen.clone()).ok();
                    return Ok(seen);
                }
            }
        }
    }

    fn used(&self, id: Uuid, at: Timestamp) {
        let mut uses = self.uses();
        if uses.len() < MAX_USES || uses.contains_key(&id) {
            let latest = uses.entry(id).or_insert(at);
            *latest = at.max(*latest);
        }
    }

    fn uses(&self) -> MutexGuard<'_, BTreeMap<Uuid, Timestamp>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Whether it may be trusted without another look.
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < TRUSTED
    }
}

impl Known {
    fn new(row: &Model, roles: &Roles) -> Self {
        let names = row.role_names();
        let agents = row.agent_ids().map_or(Agents::All, |ids| {
            Agents::only(ids.iter().filter_map(|id| ObjectKind::Agent.decode(id)))
        });
        Self {
            id: row.id,
            principal: Arc::new(Principal {
                name: row.name.clone(),
                permissions: roles.of(names.iter().map(String::as_str)),
                roles: names,
                agents,
                expires_at: row.expires_at,
            }),
            is_revoked: row.revoked_at.is_some(),
        }
    }

    /// Its owner, as long as it is good. Whoever is trusted without a look has an end nevertheless.
    fn principal_at(&self, now: Timestamp) -> Result<&Arc<Principal>, Cause> {
        if self.is_revoked {
            Err(Cause::Revoked)
        } else if self.principal.expires_at.is_some_and(|end| end <= now) {
            Err(Cause::Expired)
        } else {
            Ok(&self.principal)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, Known};
    use crate::caller::{Agents, Permissions};
    use crate::clock::Timestamp;
    use crate::entity::token::Model;
    use crate::id::ObjectKind;
    use crate::roles::Roles;
    use uuid::Uuid;

    fn token() -> Model {
        Model {
            id: Uuid::from_u128(1),
            name: "name".to_owned(),
            roles: r#"["VIEWER", "gone"]"#.to_owned(),
            agents: None,
            hash: String::new(),
            created_at: Timestamp(0),
            created_by: "parlour".to_owned(),
            expires_at: Some(Timestamp(10)),
            revoked_at: None,
            last_used_at: None,
        }
    }

    #[test]
    fn the_end_holds_between_two_looks() {
        let known = Known::new(&token(), &Roles::default());
        assert!(known.principal_at(Timestamp(9)).is_ok());
        for late in [10, 11] {
            let refused = known.principal_at(Timestamp(late)).unwrap_err();
            assert_eq!(refused, Cause::Expired);
        }
        let revoked = Model {
            revoked_at: Some(Timestamp(5)),
            ..token()
        };
        let revoked = Known::new(&revoked, &Roles::default());
        assert_eq!(
            revoked.principal_at(Timestamp(0)).unwrap_err(),
            Cause::Revoked
        );
    }

    #[test]
    fn what_cannot_be_read_gives_nothing() {
        let row = Model {
            roles: "garbage".to_owned(),
            agents: Some("garbage".to_owned()),
            ..token()
        };
        let principal = Known::new(&row, &Roles::default()).principal;
        assert_eq!(principal.permissions, Permissions::default());
        assert_eq!(principal.agents, Agents::only([]));
        let agent = ObjectKind::Agent.encode(Uuid::from_u128(7));
        let row = Model {
            agents: Some(format!(r#"["{agent}", "agent_x"]"#)),
            ..token()
        };
        let principal = Known::new(&row, &Roles::default()).principal;
        assert_eq!(principal.agents, Agents::only([Uuid::from_u128(7)]));
    }
}
