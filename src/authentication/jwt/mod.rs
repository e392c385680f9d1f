//! JWTs of an OpenID Connect issuer (RFC 7519, RFC 8725, RFC 9068): who holds one, and what they may see and do.
//!
//! What is wrong with a token is found in the order of its cost: its form, its algorithm, its key, its signature, its claims, and
//! last the agents that it names, which the database knows.

mod claims;
mod issuer;
mod json;
mod keys;
mod signature;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use super::Cause;
use crate::caller::{Agents, Permissions, Principal};
use crate::clock::Timestamp;
use crate::config::{JwtAlgorithm, JwtSettings};
use crate::db::Reader;
use crate::error::{Error, Result};
use crate::id::ObjectKind;
use crate::read::agent;
use issuer::Issuer;
use json::Object;

/// Bytes of a token at most.
const MAX_BEARER: usize = 16 << 10;
/// Tokens whose holders are remembered.
const REMEMBERED: usize = 4_096;
/// How long a holder is remembered, in microseconds: as long as an agent may be new without being seen.
const REMEMBER: i64 = 5_000_000;
/// Time until the next regular look after one that failed.
const SOON: Duration = Duration::from_secs(30);
/// Kinds of tokens, in small letters. Others are for something else (RFC 8725, 3.11).
const KINDS: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// What a role lets one do, by its name.
pub type Roles = dyn Fn(&str) -> Option<Permissions> + Send + Sync;

/// Takes the JWTs of an issuer.
pub struct Jwt {
    settings: JwtSettings,
    validations: HashMap<Algorithm, Validation>,
    issuer: Arc<Issuer>,
    roles: Box<Roles>,
    reader: Reader,
    remembered: Cache<[u8; 32], Remembered>,
    looking: JoinHandle<()>,
}

impl std::fmt::Debug for Jwt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Jwt").finish_non_exhaustive()
    }
}

impl Drop for Jwt {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

/// The holder of a token that was good.
#[derive(Clone)]
struct Remembered {
    principal: Arc<Principal>,
    until: Timestamp,
    /// The edition of the keys that it was verified with.
    edition: u64,
}

/// What a token says of how it is to be verified.
struct Header {
    algorithm: Algorithm,
    key: Option<String>,
}

impl Jwt {
    /// Begins to take the tokens of an issuer. An issuer that is away is asked again later; until then its tokens are refused.
    pub async fn start(settings: JwtSettings, roles: Box<Roles>, reader: Reader) -> Result<Self> {
        settings.check()?;
        for (value, role) in &settings.roles {
            if roles(role).is_none() {
                let reason = format!("there is no role `{role}`");
                return Err(Error::bad_input(format!("jwt.roles.{value}"), reason));
            }
        }
        signature::install();
        let issuer = Arc::new(Issuer::of(&settings)?);
        let looked = issuer.refresh().await;
        if let (Err(reason), true) = (&looked, issuer.is_file()) {
            return Err(Error::bad_input("jwt.jwks", reason.clone()));
        }
        let looking = tokio::spawn(keep_looking(
            issuer.clone(),
            Duration::from_secs(settings.refresh),
            looked.is_ok(),
        ));
        Ok(Self {
            validations: validations(&settings),
            settings,
            issuer,
            roles,
            reader,
            remembered: Cache::new(REMEMBERED),
            looking,
        })
    }

    /// Looks at the issuer's keys now, and not only when it is time.
    pub async fn refresh(&self) -> Result<(), String> {
        self.issuer.refresh().await
    }

    /// Who holds a token; or why nobody does.
    pub async fn principal(&self, bearer: &str) -> Result<Arc<Principal>, Cause> {
        if bearer.len() > MAX_BEARER {
            return Err(Cause::Malformed);
        }
        let now = Timestamp::now();
        let hash = Sha256::digest(bearer).into();
        let known = self.remembered.get(&hash);
        if let Some(known) = known.filter(|known| known.holds(now, self.issuer.edition())) {
            return Ok(known.principal);
        }
        let header = self.header(bearer)?;
        let found = self.issuer.key(header.key.as_deref(), header.algorithm);
        let (key, edition) = found.await?;
        let validation = self.validations.get(&header.algorithm);
        let token = decode(bearer, &key, validation.ok_or(Cause::WrongAlgorithm)?);
        let claims = token.map_err(|error| cause(error.kind()))?.claims;
        let principal = Arc::new(self.holder(&claims, now).await?);
        let remembered = Remembered {
            until: after(claims.ends()?, self.leeway()).min(after(now, REMEMBER)),
            principal: principal.clone(),
            edition,
        };
        self.remembered.insert(hash, remembered);
        Ok(principal)
    }

    /// The header of a token whose algorithm is taken. Keys that it brings along, or tells the address of, are nothing to look at.
    fn header(&self, bearer: &str) -> Result<Header, Cause> {
        let mut parts = bearer.split('.');
        let (Some(first), Some(_), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Cause::Malformed);
        };
        let text = BASE64_URL_SAFE_NO_PAD
            .decode(first)
            .map_err(|_| Cause::Malformed)?;
        let Object(header) = serde_json::from_slice(&text).map_err(|_| Cause::Malformed)?;
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or(Cause::Malformed),
        };
        // Whoever does not know what is critical must not go on (RFC 7515, 4.1.11); there is nothing of the kind that is known here.
        if header.contains_key("crit") {
            return Err(Cause::Malformed);
        }
        let algorithm = text("alg")?.ok_or(Cause::Malformed)?;
        let algorithm = algorithm.parse().map_err(|_| Cause::WrongAlgorithm)?;
        if !self.validations.contains_key(&algorithm) {
            return Err(Cause::WrongAlgorithm);
        }
        let kind = text("typ")?.map(str::to_ascii_lowercase);
        if kind.is_some_and(|kind| !KINDS.contains(&kind.as_str())) {
            return Err(Cause::WrongClaims);
        }
        Ok(Header {
            algorithm,
            key: text("kid")?.map(str::to_owned),
        })
    }

    /// Whom the claims of a verified token describe.
    async fn holder(&self, claims: &Object, now: Timestamp) -> Result<Principal, Cause> {
        let settings = &self.settings;
        if claims.issuer() != Some(&settings.issuer) {
            return Err(Cause::WrongIssuer);
        }
        claims.check_made(after(now, self.leeway()))?;
        claims.check_kind(settings)?;
        let name = claims.name(settings)?;
        let mut roles = claims.roles(settings)?;
        let mut permissions = Permissions::default();
        roles.retain(|role| match (self.roles)(role) {
            Some(more) => {
                permissions = permissions.and(more);
                true
            }
            None => false,
        });
        if roles.is_empty() {
            return Err(Cause::WrongClaims);
        }
        Ok(Principal {
            name,
            roles,
            permissions,
            agents: self.agents(claims.agents(settings)?).await?,
            expires_at: Some(claims.ends()?),
        })
    }

    /// The agents that are named by their ids or external ids. What names none is left out.
    async fn agents(&self, named: Option<Vec<&str>>) -> Result<Agents, Cause> {
        let Some(named) = named else {
            return Ok(Agents::All);
        };
        let (mut ids, mut external) = (Vec::new(), Vec::new());
        for name in named {
            match ObjectKind::Agent.decode(name) {
                Some(id) => ids.push(id),
                None => external.push(name),
            }
        }
        let found = agent::ids_by_external_ids(&self.reader, &external).await;
        ids.extend(found.map_err(|error| {
            tracing::error!(%error, "the agents of a JWT could not be looked up");
            Cause::Unavailable
        })?);
        Ok(Agents::only(ids))
    }

    fn leeway(&self) -> i64 {
        i64::try_from(self.settings.leeway * 1_000_000).unwrap_or(0)
    }
}

impl Remembered {
    fn holds(&self, now: Timestamp, edition: u64) -> bool {
        now < self.until && self.edition == edition
    }
}

/// So many microseconds after a time.
const fn after(time: Timestamp, micros: i64) -> Timestamp {
    Timestamp(time.0.saturating_add(micros))
}

/// Looks at the keys for as long as anybody wants them.
async fn keep_looking(issuer: Arc<Issuer>, regularly: Duration, mut well: bool) {
    loop {
        tokio::time::sleep(if well { regularly } else { SOON.min(regularly) }).await;
        well = issuer.refresh().await.is_ok();
    }
}

/// What the library is to check, for each algorithm that is taken. One at a time: a key is for one family.
fn validations(settings: &JwtSettings) -> HashMap<Algorithm, Validation> {
    let algorithms = settings.algorithms.iter().copied().map(Algorithm::from);
    let validation = |algorithm| {
        let mut validation = Validation::new(algorithm);
        validation.leeway = settings.leeway;
        validation.validate_nbf = true;
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&settings.audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation
    };
    algorithms
        .map(|algorithm| (algorithm, validation(algorithm)))
        .collect()
}

impl From<JwtAlgorithm> for Algorithm {
    fn from(algorithm: JwtAlgorithm) -> Self {
        match algorithm {
            JwtAlgorithm::RS256 => Self::RS256,
            JwtAlgorithm::RS384 => Self::RS384,
            JwtAlgorithm::RS512 => Self::RS512,
            JwtAlgorithm::PS256 => Self::PS256,
            JwtAlgorithm::PS384 => Self::PS384,
            JwtAlgorithm::PS512 => Self::PS512,
            JwtAlgorithm::ES256 => Self::ES256,
            JwtAlgorithm::ES384 => Self::ES384,
            JwtAlgorithm::EdDSA => Self::EdDSA,
        }
    }
}

/// Why the library refuses a token.
fn cause(refusal: &ErrorKind) -> Cause {
    match refusal {
        ErrorKind::ExpiredSignature => Cause::Expired,
        ErrorKind::ImmatureSignature => Cause::NotYetValid,
        ErrorKind::InvalidIssuer => Cause::WrongIssuer,
        ErrorKind::InvalidAudience => Cause::WrongAudience,
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "iss" => Cause::WrongIssuer,
            "aud" => Cause::WrongAudience,
            _ => Cause::WrongClaims,
        },
        ErrorKind::InvalidClaimFormat(_) => Cause::WrongClaims,
        ErrorKind::InvalidSignature | ErrorKind::InvalidKeyFormat => Cause::WrongKey,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => Cause::WrongAlgorithm,
        _ => Cause::Malformed,
    }
}
