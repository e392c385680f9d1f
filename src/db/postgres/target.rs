//! Where PostgreSQL is, and how a connection to it is made: a connection string, and the environment for what it leaves out.

use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{CancelToken, Client, Config};

use super::parameters::Parameters;
use super::tls::{Believes, Tls};
use crate::error::{Error, Result, said, unconnected};

/// How long what is sent may go unheard before the network counts as cut.
const UNHEARD: Duration = Duration::from_secs(10);
/// How long a silent connection goes without being asked whether it is still there, and then between two questions.
const SILENT: Duration = Duration::from_secs(10);
const ASKED_AGAIN: Duration = Duration::from_secs(5);
const QUESTIONS: u32 = 3;

/// What each connection is told, so that times and numbers are said the same on both databases.
const SAID_THE_SAME: [(&str, &str); 2] = [("DateStyle", "ISO, MDY"), ("TimeZone", "UTC")];

/// A server and a database on it, and how connections to it are made.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    config: Config,
    tls: Tls,
}

impl Target {
    /// What a connection string names, with these settings for each connection.
    pub(crate) fn new<'a>(
        url: &str,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self> {
        let parameters = Parameters::of(url, |name| std::env::var(name).ok());
        parameters
            .and_then(|parameters| Self::of(parameters, settings))
            .map_err(|reason| Error::bad_input("database-url", reason))
    }

    fn of<'a>(
        parameters: Parameters,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, String> {
        let (mode, believes) = match parameters.ssl_mode.as_deref() {
            None | Some("prefer") => (SslMode::Prefer, Believes::Anybody),
            Some("disable" | "allow") => (SslMode::Disable, Believes::Anybody),
            Some("require") => (SslMode::Require, Believes::Anybody),
            Some("verify-ca") => (SslMode::Require, Believes::Certified),
            Some("verify-full") => (SslMode::Require, Believes::Named),
            Some(_) => {
                return Err(
                    "sslmode is `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`"
                        .to_owned(),
                );
            }
        };
        let mut options = parameters.options.clone();
        for (name, value) in SAID_THE_SAME.into_iter().chain(settings) {
            options.push_str(&setting(name, value));
        }
        let mut config = Config::new();
        config
            .application_name("parlour")
            .port(parameters.port)
            .options(options.trim_start())
            .ssl_mode(mode)
            .tcp_user_timeout(UNHEARD)
            .keepalives_idle(SILENT)
            .keepalives_interval(ASKED_AGAIN)
            .keepalives_retries(QUESTIONS);
        if parameters.host.starts_with('/') {
            config.host_path(&parameters.host);
        } else {
            config.host(&parameters.host);
        }
        if let Some(user) = &parameters.user {
            config.user(user);
        }
        if let Some(name) = &parameters.name {
            config.dbname(name);
        }
        if let Some(password) = parameters.password() {
            config.password(password);
        }
        let own = match (parameters.certificate, parameters.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("`sslcert` and `sslkey` are given together".to_owned()),
        };
        let tls = Tls {
            believes,
            roots: parameters.roots,
            own,
        };
        tls.connector()?;
        Ok(Self { config, tls })
    }

    /// A new connection, and the task that is its way to the server; the task ends when the client is gone.
    pub(super) async fn connect(&self) -> Result<(Client, JoinHandle<()>)> {
        let unreachable = |why: String| DbErr::Conn(RuntimeErr::Internal(why));
        let tls = self.tls.connector().map_err(unreachable)?;
        let (client, way) = self
            .config
            .connect(tls)
            .await
            .map_err(|error| unconnected(&error))?;
        let task = tokio::spawn(async move {
            if let Err(error) = way.await {
                tracing::debug!(error = said(&error), "a connection to the database ended");
            }
        });
        Ok((client, task))
    }

    /// Has the server end what runs on a connection. Whether it did is not told.
    pub(super) async fn cancel(&self, token: &CancelToken) {
        if let Ok(tls) = self.tls.connector()
            && let Err(error) = token.cancel_query(tls).await
        {
            tracing::debug!(error = said(&error), "a statement could not be cancelled");
        }
    }
}

/// A setting as a start-up option: blanks and backslashes stand behind a backslash.
pub(super) fn setting(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
    format!(" -c {name}={value}")
}
