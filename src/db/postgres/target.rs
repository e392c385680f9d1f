//! Where PostgreSQL is, and how a connection to it is made: a connection string as SeaORM reads it.

use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::ConnectOptions;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use sea_orm::{DbErr, RuntimeErr};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{CancelToken, Client, Config};

use super::tls::{Believes, Tls};
use crate::error::{Error, Result, said};

/// How long what is sent may go unheard before the network counts as cut.
const UNHEARD: Duration = Duration::from_secs(10);
/// How long a silent connection goes without being asked whether it is still there, and then between two questions.
const SILENT: Duration = Duration::from_secs(10);
const ASKED_AGAIN: Duration = Duration::from_secs(5);
const QUESTIONS: u32 = 3;

/// What SeaORM tells each connection, so that times and numbers are said the same on both.
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
        let wrong = |reason: String| Error::bad_input("database-url", reason);
        let options = PgConnectOptions::from_str(url).map_err(|error| wrong(error.to_string()))?;
        let options = options.options(SAID_THE_SAME).options(settings);
        let files = Files::of(url).map_err(wrong)?;
        let (mode, believes) = match options.get_ssl_mode() {
            PgSslMode::Disable | PgSslMode::Allow => (SslMode::Disable, Believes::Anybody),
            PgSslMode::Prefer => (SslMode::Prefer, Believes::Anybody),
            PgSslMode::Require => (SslMode::Require, Believes::Anybody),
            PgSslMode::VerifyCa => (SslMode::Require, Believes::Certified),
            PgSslMode::VerifyFull => (SslMode::Require, Believes::Named),
        };
        let mut config = Config::new();
        config
            .application_name("parlour")
            .user(options.get_username())
            .port(options.get_port())
            .ssl_mode(mode)
            .tcp_user_timeout(UNHEARD)
            .keepalives_idle(SILENT)
            .keepalives_interval(ASKED_AGAIN)
            .keepalives_retries(QUESTIONS);
        match options.get_socket() {
            Some(folder) => config.host_path(folder),
            // An IPv6 address stands in brackets.
            None => config.host(options.get_host().trim_matches(['[', ']'])),
        };
        if let Some(name) = options.get_database() {
            config.dbname(name);
        }
        if let Some(settings) = options.get_options() {
            config.options(settings);
        }
        if let Some(password) = password(options) {
            config.password(password);
        }
        let target = Self {
            config,
            tls: files.tls(believes).map_err(wrong)?,
        };
        target.tls.connector().map_err(wrong)?;
        Ok(target)
    }

    /// A new connection, and the task that is its way to the server; the task ends when the client is gone.
    pub(super) async fn connect(&self) -> Result<(Client, JoinHandle<()>)> {
        let unreachable = |why: String| DbErr::Conn(RuntimeErr::Internal(why));
        let tls = self.tls.connector().map_err(unreachable)?;
        let (client, way) = self
            .config
            .connect(tls)
            .await
            .map_err(|error| unreachable(said(&error)))?;
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

/// The password, from the connection string, the environment or the file for it. SeaORM tells it in a
/// connection string alone, where nothing in it stands for itself but letters and digits.
fn password(options: PgConnectOptions) -> Option<String> {
    let url = options.username("anybody").to_url_lossy();
    let text = url.password()?.as_bytes();
    let (password, _) = url::form_urlencoded::parse(text).next()?;
    Some(password.into_owned())
}

/// The files that a connection string or the environment names.
#[derive(Debug, Default)]
struct Files {
    roots: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Files {
    /// Those of a connection string, in which there is nothing that would not be heeded.
    fn of(url: &str) -> Result<Self, String> {
        let set = |name| std::env::var(name).ok();
        let mut files = Self {
            roots: set("PGSSLROOTCERT"),
            certificate: set("PGSSLCERT"),
            key: set("PGSSLKEY"),
        };
        let query = url.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = Some(value.into_owned());
            match &*name {
                "sslrootcert" | "ssl-root-cert" | "ssl-ca" => files.roots = value,
                "sslcert" | "ssl-cert" => files.certificate = value,
                "sslkey" | "ssl-key" => files.key = value,
                "sslmode"
                | "ssl-mode"
                | "statement-cache-capacity"
                | "host"
                | "hostaddr"
                | "port"
                | "dbname"
                | "user"
                | "password"
                | "application_name"
                | "options" => {}
                name if name.starts_with("options[") && name.ends_with(']') => {}
                name => return Err(format!("the parameter `{name}` is not known")),
            }
        }
        Ok(files)
    }

    fn tls(self, believes: Believes) -> Result<Tls, String> {
        let own = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("`sslcert` and `sslkey` are given together".to_owned()),
        };
        Ok(Tls {
            believes,
            roots: self.roots,
            own,
        })
    }
}
