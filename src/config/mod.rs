//! Settings, each by one name: a flag, an environment variable, a key of the file. Flag beats environment, environment beats file.

pub mod jwt;
mod limits;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use clap::{Args, ValueEnum};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::db::DatabaseOptions;
use crate::entity::platform::Platforms;
use crate::error::{Error, Result};
use crate::graphql::{Currency, PageLimits};
use crate::roles::Roles;
pub use jwt::{JwtAlgorithm, JwtFlags, JwtSettings};
pub use limits::{CLOCK_AHEAD, LimitSettings, Limits, Rate};

/// Where settings come from besides flags and environment.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigFile {
    /// TOML file with settings: the names of the long flags, with `_` for `-`. Unknown names are refused.
    #[arg(long, env = "PARLOUR_CONFIG", value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

/// Settings of the database.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseSettings {
    /// Database: `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/NAME` [default: `sqlite://parlour.db`]
    #[arg(
        long,
        env = "PARLOUR_DATABASE_URL",
        value_name = "URL",
        global = true,
        hide_env_values = true
    )]
    pub database_url: Option<String>,
    /// Connections that read [default: 8]
    #[arg(long, env = "PARLOUR_READERS", value_name = "N", global = true)]
    pub readers: Option<u32>,
    /// Connections that write; SQLite has one [default: 4]
    #[arg(long, env = "PARLOUR_WRITERS", value_name = "N", global = true)]
    pub writers: Option<u32>,
    /// Time that a command, or the start of the server, waits for a database that is not available [default: 30000]
    #[arg(long, env = "PARLOUR_DATABASE_WAIT", value_name = "MS", global = true)]
    pub database_wait: Option<u64>,
}

/// Settings of the server.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServeSettings {
    /// Address to listen on; port 0 takes any free one [default: 127.0.0.1:4000]
    #[arg(long, env = "PARLOUR_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Whether requests need a token [default: open on a loopback address, required elsewhere]
    #[arg(long, env = "PARLOUR_AUTHENTICATION", value_name = "RULE")]
    pub authentication: Option<AuthenticationRule>,
    /// Answer `/metrics` without a token too
    #[arg(long, env = "PARLOUR_OPEN_METRICS", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub open_metrics: Option<bool>,
    /// Roles beside those that are always there: the names of their permissions. In the file alone.
    #[arg(skip)]
    pub roles: Option<BTreeMap<String, Vec<String>>>,
    /// Make up an audience when the database is empty
    #[arg(long, env = "PARLOUR_DEMO", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub demo: Option<bool>,
    /// Refuse to serve on an old schema instead of bringing it up to date
    #[arg(long, env = "PARLOUR_NO_MIGRATE", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub no_migrate: Option<bool>,
    /// What to log: a level, or levels per target, as in `info,parlour=debug` [default: `info`]
    #[arg(long, env = "PARLOUR_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Form of the log [default: text]
    #[arg(long, env = "PARLOUR_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Collector that traces are sent to by OTLP over HTTP, as in `http://127.0.0.1:4318` [default: none]
    #[arg(long, env = "PARLOUR_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Rows of a page when a request does not say [default: 20]
    #[arg(long, env = "PARLOUR_PAGE_DEFAULT", value_name = "ROWS")]
    pub page_default: Option<u64>,
    /// Rows of a page at most [default: 100]
    #[arg(long, env = "PARLOUR_PAGE_CAP", value_name = "ROWS")]
    pub page_cap: Option<u64>,
    /// Currency of all costs: three letters of ISO 4217 [default: USD]
    #[arg(long, env = "PARLOUR_CURRENCY", value_name = "CODE")]
    pub currency: Option<String>,
    /// Platforms whose user ids are personal, separated by commas; `all`, `none` [default: all]
    #[arg(long, env = "PARLOUR_PERSONAL_PLATFORMS", value_name = "PLATFORMS")]
    pub personal_platforms: Option<String>,
    /// Serve as in production: no GraphiQL, no introspection, no suggestions, unless switched on by their own flags
    #[arg(long, env = "PARLOUR_PRODUCTION", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub production: Option<bool>,
    /// Serve GraphiQL at `/` [default: true, false with --production]
    #[arg(long, env = "PARLOUR_GRAPHIQL", value_name = "BOOL")]
    pub graphiql: Option<bool>,
    /// Answer questions about the schema [default: true, false with --production]
    #[arg(long, env = "PARLOUR_INTROSPECTION", value_name = "BOOL")]
    pub introspection: Option<bool>,
    /// Suggest names where a document has unknown ones [default: true, false with --production]
    #[arg(long, env = "PARLOUR_SUGGESTIONS", value_name = "BOOL")]
    pub suggestions: Option<bool>,
    /// JSON file of documents by id; no other document runs then
    #[arg(long, env = "PARLOUR_TRUSTED_DOCUMENTS", value_name = "FILE")]
    pub trusted_documents: Option<PathBuf>,
    /// Origins whose pages may ask from a browser, separated by commas; `*` lets all in [default: none]
    #[arg(long, env = "PARLOUR_CORS_ORIGINS", value_name = "ORIGINS")]
    pub cors_origins: Option<String>,
    /// Status codes of GraphQL errors [default: stable]
    #[arg(long, env = "PARLOUR_STATUS_PROFILE", value_name = "PROFILE")]
    pub status_profile: Option<StatusProfile>,
    /// Enter in the audit log whose personal data was read, by whom and in which request [default: true with authentication, else false]
    #[arg(long, env = "PARLOUR_AUDIT_READS", value_name = "BOOL")]
    pub audit_reads: Option<bool>,
    /// Time that requests under way are given after SIGTERM [default: 10000]
    #[arg(long, env = "PARLOUR_DRAIN_TIMEOUT", value_name = "MS")]
    pub drain_timeout: Option<u64>,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether requests need a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthenticationRule {
    /// Everybody who reaches the server may do everything; on a loopback address only.
    Open,
    /// Nothing is answered without a token.
    Required,
}

/// Status codes of GraphQL errors in `application/graphql-response+json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusProfile {
    /// 400 for a request that is refused, 200 for one that was executed.
    #[default]
    Stable,
    /// As the newest draft has it: 422 for a document that is not valid, 294 for an answer with errors.
    Draft,
}

impl DatabaseSettings {
    /// How to open the database.
    pub fn options(&self) -> DatabaseOptions {
        let url = self
            .database_url
            .clone()
            .unwrap_or_else(|| "sqlite://parlour.db".to_owned());
        let defaults = DatabaseOptions::new(url);
        DatabaseOptions {
            readers: self.readers.unwrap_or(defaults.readers),
            writers: self.writers.unwrap_or(defaults.writers),
            ..defaults
        }
    }

    /// How long a database is waited for that is not available.
    pub fn wait(&self) -> Duration {
        Duration::from_millis(self.database_wait.unwrap_or(30_000))
    }
}

impl ServeSettings {
    /// Where to listen.
    pub fn listen(&self) -> SocketAddr {
        self.listen
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 4000)))
    }

    /// What to log.
    pub fn log(&self) -> (&str, LogFormat) {
        (
            self.log.as_deref().unwrap_or("info"),
            self.log_format.unwrap_or(LogFormat::Text),
        )
    }

    /// Whether requests need a token; an error where they have to and would not.
    pub fn authentication(&self) -> Result<AuthenticationRule> {
        let address = self.listen().ip();
        match (self.authentication, address.is_loopback()) {
            (Some(AuthenticationRule::Open), false) => Err(Error::bad_input(
                "authentication",
                format!(
                    "{address} can be reached from other machines, and `open` would let everybody there do everything: \
                     listen on 127.0.0.1 or [::1], or let it be `required`"
                ),
            )),
            (Some(rule), _) => Ok(rule),
            (None, true) => Ok(AuthenticationRule::Open),
            (None, false) => Ok(AuthenticationRule::Required),
        }
    }

    /// What roles there are.
    pub fn roles(&self) -> Result<Roles> {
        self.roles.as_ref().map_or_else(
            || Ok(Roles::default()),
            |roles| Roles::with(roles).map_err(|reason| Error::bad_input("roles", reason)),
        )
    }

    /// Page sizes.
    pub fn pages(&self) -> PageLimits {
        let defaults = PageLimits::default();
        let cap = self.page_cap.unwrap_or(defaults.cap);
        PageLimits {
            default: self.page_default.unwrap_or(defaults.default).min(cap),
            cap,
        }
    }

    /// Currency of all costs.
    pub fn currency(&self) -> Result<Currency> {
        let parse = |code: &str| {
            code.parse().map_err(|reason: String| {
                Error::bad_input("currency", format!("`{code}` {reason}"))
            })
        };
        self.currency
            .as_deref()
            .map_or_else(|| Ok(Currency::default()), parse)
    }

    /// The platforms whose user ids are personal.
    pub fn personal_platforms(&self) -> Result<Platforms> {
        let parse = |words: &str| {
            words.parse().map_err(|word: String| {
                Error::bad_input("personal-platforms", format!("`{word}` is not a platform"))
            })
        };
        self.personal_platforms
            .as_deref()
            .map_or(Ok(Platforms::ALL), parse)
    }

    /// Whether GraphiQL is served.
    pub fn graphiql(&self) -> bool {
        self.graphiql.unwrap_or(self.production != Some(true))
    }

    /// Whether questions about the schema are answered.
    pub fn introspection(&self) -> bool {
        self.introspection.unwrap_or(self.production != Some(true))
    }

    /// Whether messages suggest names.
    pub fn suggestions(&self) -> bool {
        self.suggestions.unwrap_or(self.production != Some(true))
    }

    /// Status codes of GraphQL errors.
    pub fn status_profile(&self) -> StatusProfile {
        self.status_profile.unwrap_or_default()
    }

    /// Origins whose pages may ask.
    pub fn cors_origins(&self) -> Result<Vec<HeaderValue>> {
        let origins = self.cors_origins.as_deref().unwrap_or_default().split(',');
        origins
            .map(str::trim)
            .filter(|origin| !origin.is_empty())
            .map(|origin| {
                origin.parse().map_err(|_| {
                    Error::bad_input("cors-origins", format!("`{origin}` is not an origin"))
                })
            })
            .collect()
    }

    /// Time that requests under way are given after SIGTERM.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout.unwrap_or(10_000))
    }
}

impl ConfigFile {
    /// Fills in from the file what flags and environment left open.
    pub fn complete<T: Serialize + DeserializeOwned>(&self, given: &T) -> Result<T> {
        let mut settings = self.read()?;
        settings.extend(
            names(given)
                .into_iter()
                .filter(|(_, value)| !value.is_null()),
        );
        serde_path_to_error::deserialize(Value::Object(settings)).map_err(|error| {
            let (key, reason) = (error.path().to_string(), error.inner().to_string());
            // What was found may be a password in the wrong place.
            let expected = reason.rsplit_once(", expected ");
            let reason = expected.map_or(reason.clone(), |(_, what)| format!("is not {what}"));
            Error::bad_input(key, reason)
        })
    }

    fn read(&self) -> Result<Map<String, Value>> {
        let Some(path) = &self.config else {
            return Ok(Map::new());
        };
        let wrong = |reason: String| Error::bad_input(path.display().to_string(), reason);
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        // The error's own text shows the line, which may have a password in it.
        let settings: Map<String, Value> = toml::from_str(&text).map_err(|error| {
            let before = text.get(..error.span().map_or(0, |span| span.start));
            let line = before.unwrap_or_default().matches('\n').count() + 1;
            wrong(format!("line {line}: {}", error.message()))
        })?;
        let mut known = names(&DatabaseSettings::default());
        known.extend(names(&ServeSettings::default()));
        known.extend(names(&LimitSettings::default()));
        known.insert(jwt::TABLE.to_owned(), Value::Null);
        match settings.keys().find(|name| !known.contains_key(*name)) {
            Some(unknown) => {
                let known: Vec<_> = known.keys().map(String::as_str).collect();
                Err(wrong(format!(
                    "`{unknown}` is not a setting; there are {}",
                    known.join(", ")
                )))
            }
            None => Ok(settings),
        }
    }
}

fn names<T: Serialize>(settings: &T) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(names)) => names,
        _ => Map::new(),
    }
}
