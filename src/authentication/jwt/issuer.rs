//! Where keys come from: an address, a file, or what the issuer says of itself. They are kept, looked at regularly, and looked at
//! once more when a token names one that is not there.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::{Client, StatusCode, redirect};
use serde::Deserialize;
use tokio::sync::{Semaphore, watch};
use url::Url;

use super::keys::{Keys, Missing};
use crate::authentication::Cause;
use crate::config::JwtSettings;
use crate::config::jwt::{address, is_address, is_loopback};
use crate::error::{Error, Result};

/// Time between two looks that tokens asked for. Whoever makes up ids of keys causes one request in this time.
const BETWEEN: Duration = Duration::from_secs(10);
/// Time that a look may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How many wait for a look that is under way; the others are refused.
const WAITING: usize = 16;
/// Bytes of a set of keys at most.
const MAX_BYTES: usize = 1 << 20;
/// How often an address may lead to another of the same server.
const REDIRECTS: usize = 3;

/// An issuer, and its keys as they were when they were last looked at.
#[derive(Debug)]
pub(super) struct Issuer {
    source: Source,
    kept: RwLock<Kept>,
    looking: Mutex<Looking>,
    /// Told when a look has ended.
    looked: watch::Sender<()>,
    waiting: Semaphore,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Address(Client, Url),
    /// The issuer's name, and the address of what it says of itself.
    Discovery(Client, String, Url),
}

#[derive(Clone, Debug, Default)]
struct Kept {
    keys: Arc<Keys>,
    /// Grows whenever they change. None were ever there as long as it is 0.
    edition: u64,
}

#[derive(Debug, Default)]
struct Looking {
    under_way: bool,
    failed: bool,
    /// When a token last asked for a look.
    asked: Option<Instant>,
}

/// A look that is under way until it is dropped.
struct Look<'a>(&'a Issuer);

impl Issuer {
    /// The issuer of the settings, whose keys are not known yet.
    pub(super) fn of(settings: &JwtSettings) -> Result<Self> {
        let wrong = |key: &str, reason: String| Error::bad_input(format!("jwt.{key}"), reason);
        let source = match settings.jwks.as_deref() {
            Some(place) if is_address(place) => {
                let url = address(place).map_err(|reason| wrong("jwks", reason))?;
                Source::Address(client(&url).map_err(|reason| wrong("jwks", reason))?, url)
            }
            Some(file) => Source::File(file.into()),
            None => {
                let known = format!(
                    "{}/.well-known/openid-configuration",
                    settings.issuer.trim_end_matches('/')
                );
                let url = address(&known).map_err(|reason| wrong("issuer", reason))?;
                let client = client(&url).map_err(|reason| wrong("issuer", reason))?;
                Source::Discovery(client, settings.issuer.clone(), url)
            }
        };
        Ok(Self {
            source,
            kept: RwLock::default(),
            looking: Mutex::default(),
            looked: watch::Sender::new(()),
            waiting: Semaphore::new(WAITING),
        })
    }

    /// Whether a look that fails is a mistake in the settings.
    pub(super) const fn is_file(&self) -> bool {
        matches!(self.source, Source::File(_))
    }

    /// The edition of the keys that are kept.
    pub(super) fn edition(&self) -> u64 {
        self.kept().edition
    }

    /// The key that a token is to be verified with, and the edition of the keys. The issuer is asked when none has its id.
    pub(super) async fn key(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<(DecodingKey, u64), Cause> {
        match self.find(id, algorithm) {
            Err(Missing::Unknown) => self.ask().await,
            Err(Missing::Because(cause)) => return Err(cause),
            Ok(found) => return Ok(found),
        }
        self.find(id, algorithm).map_err(|missing| match missing {
            Missing::Because(cause) => cause,
            Missing::Unknown if self.edition() == 0 => Cause::Unavailable,
            Missing::Unknown => Cause::WrongKey,
        })
    }

    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<(DecodingKey, u64), Missing> {
        let Kept { keys, edition } = self.kept();
        Ok((keys.find(id, algorithm)?.clone(), edition))
    }

    /// Looks at the keys because a token asks for it, if it is time, or waits for the look that is under way.
    async fn ask(self: &Arc<Self>) {
        let mut looked = self.looked.subscribe();
        let patient = {
            let mut looking = self.looking();
            let due = looking.asked.is_none_or(|asked| asked.elapsed() >= BETWEEN);
            if due && !looking.under_way {
                looking.asked = Some(Instant::now());
                looking.under_way = true;
                // On its own: whoever asked may hang up.
                let issuer = self.clone();
                tokio::spawn(async move { issuer.look(Look(&issuer)).await });
            }
            looking.under_way && !looking.failed
        };
        // An issuer that is away, and a crowd, are nothing to wait for: places of requests are for those who have a key.
        if let (true, Ok(_place)) = (patient, self.waiting.try_acquire()) {
            tokio::time::timeout(TIMEOUT, looked.changed()).await.ok();
        }
    }

    /// Looks at the keys now, unless that is under way. What could not be read leaves them as they are.
    pub(super) async fn refresh(&self) -> Result<(), String> {
        let look = {
            let mut looking = self.looking();
            if looking.under_way {
                return Ok(());
            }
            looking.under_way = true;
            Look(self)
        };
        self.look(look).await
    }

    async fn look(&self, look: Look<'_>) -> Result<(), String> {
        let read = tokio::time::timeout(TIMEOUT, self.source.read()).await;
        let read = read.unwrap_or_else(|_| Err("took too long".to_owned()));
        let read = read.and_then(|text| Keys::parse(&text));
        self.looking().failed = read.is_err();
        let told = match read {
            Ok(keys) => {
                self.keep(keys);
                Ok(())
            }
            Err(reason) => {
                tracing::warn!(source = %self.source.place(), reason, "the keys of the issuer of JWTs could not be read");
                Err(reason)
            }
        };
        drop(look);
        told
    }

    fn keep(&self, keys: Keys) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.edition > 0 && kept.keys.same(&keys) {
            return;
        }
        tracing::info!(source = %self.source.place(), keys = keys.len(), "the issuer of JWTs has these keys");
        *kept = Kept {
            keys: Arc::new(keys),
            edition: kept.edition + 1,
        };
    }

    fn kept(&self) -> Kept {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }

    fn looking(&self) -> MutexGuard<'_, Looking> {
        self.looking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        self.0.looking().under_way = false;
        self.0.looked.send_replace(());
    }
}

impl Source {
    async fn read(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::File(path) => tokio::fs::read(path)
                .await
                .map_err(|error| error.to_string()),
            Self::Address(client, url) => fetch(client, url).await,
            Self::Discovery(client, issuer, url) => {
                let keys = discover(issuer, url, &fetch(client, url).await?)?;
                fetch(client, &keys).await
            }
        }
    }

    /// Where it is, for the log.
    fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Address(_, url) | Self::Discovery(_, _, url) => url.to_string(),
        }
    }
}

/// The address of an issuer's keys, in what it says of itself. An issuer that says it is another is none to trust (OpenID
/// Connect Discovery 4.3), nor is one elsewhere that sends us to this machine.
fn discover(issuer: &str, at: &Url, text: &[u8]) -> Result<Url, String> {
    #[derive(Deserialize)]
    struct Provider {
        issuer: String,
        jwks_uri: String,
    }
    let provider: Provider = serde_json::from_slice(text)
        .map_err(|error| format!("not the configuration of an issuer: {error}"))?;
    if provider.issuer != issuer {
        return Err(format!("the issuer calls itself `{}`", provider.issuer));
    }
    let keys = address(&provider.jwks_uri)?;
    if is_loopback(&keys) && !is_loopback(at) {
        return Err(format!(
            "`{keys}` is on this machine, and the issuer is not"
        ));
    }
    Ok(keys)
}

/// What an address answers, within its bounds.
async fn fetch(client: &Client, url: &Url) -> Result<Vec<u8>, String> {
    let told = |error: reqwest::Error| {
        let error = error.without_url();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
    };
    let mut answer = client.get(url.clone()).send().await.map_err(told)?;
    if answer.status() != StatusCode::OK {
        return Err(format!("answered with {}", answer.status()));
    }
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(told)? {
        if text.len() + chunk.len() > MAX_BYTES {
            return Err(format!("more than {MAX_BYTES} bytes"));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

/// A client that stays with whom it was sent to.
fn client(url: &Url) -> Result<Client, String> {
    // A second installation, as in tests, keeps the first.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let redirects = redirect::Policy::custom(|attempt| {
        let from = attempt.previous().first().map(Url::origin);
        if attempt.previous().len() > REDIRECTS {
            attempt.error("leads on and on")
        } else if from == Some(attempt.url().origin()) {
            attempt.follow()
        } else {
            attempt.error("leads to another server")
        }
    });
    let client = Client::builder()
        .timeout(TIMEOUT)
        .redirect(redirects)
        .referer(false)
        // The next look is a quarter of an hour away.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("parlour/", env!("CARGO_PKG_VERSION")));
    let client = if is_loopback(url) {
        client.no_proxy()
    } else {
        client
    };
    client.build().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::discover;

    #[test]
    fn an_issuer_is_who_it_says_it_is() {
        let at = "https://id.example/.well-known/openid-configuration"
            .parse()
            .unwrap();
        let says = |issuer: &str, keys: &str| {
            let text =
                serde_json::json!({ "issuer": issuer, "jwks_uri": keys, "scopes_supported": [] });
            discover("https://id.example", &at, text.to_string().as_bytes())
        };
        // Google's keys are on another server than Google as an issuer.
        assert!(says("https://id.example", "https://keys.example/v3/certs").is_ok());
        for (issuer, keys) in [
            ("https://id.example/", "https://id.example/keys"),
            ("https://other.example", "https://id.example/keys"),
            ("https://id.example", "http://id.example/keys"),
            ("https://id.example", "http://127.0.0.1/keys"),
            ("https://id.example", "https://localhost/keys"),
            ("https://id.example", "keys"),
        ] {
            assert!(says(issuer, keys).is_err(), "{issuer} {keys}");
        }
    }
}
