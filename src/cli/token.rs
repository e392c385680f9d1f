//! `parlour token`: who may come in.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::open_migrated;
use crate::caller::{Caller, Principal};
use crate::clock::Timestamp;
use crate::config::{ConfigFile, DatabaseSettings, ServeSettings};
use crate::db::Database;
use crate::entity::token::Model;
use crate::error::{Error, Result};
use crate::id::ObjectKind;
use crate::read::{agent, token};
use crate::secret::Secret;
use crate::write::token::{CreateToken, Draft, Refused, RevokeToken};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: DatabaseSettings,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token and print it, once: it is kept nowhere
    Create(Create),
    /// List the tokens, the newest first
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token: within seconds no server lets anybody in by it
    Revoke {
        /// Its id, or its name
        token: String,
    },
}

#[derive(Args, Debug)]
struct Create {
    /// What its owner is called in the log
    #[arg(long)]
    name: String,
    /// A role: VIEWER, ANALYST, SUPPORT, EDITOR, INGEST, ADMIN, or one of the configuration; may be repeated
    #[arg(long = "role", required = true, value_name = "ROLE")]
    roles: Vec<String>,
    /// An agent that it is limited to, by its id or its external id; may be repeated [default: all agents]
    #[arg(long = "agent", value_name = "AGENT")]
    agents: Vec<String>,
    /// When it ends: a span, as in `30d` or `12h`, or a time of RFC 3339 [default: when it is revoked]
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
}

pub(super) async fn run(config: &ConfigFile, arguments: &Arguments) -> Result<ExitCode> {
    let database = open_migrated(config, &arguments.database).await?;
    match &arguments.action {
        Action::Create(wanted) => create(config, &database, wanted).await?,
        Action::List { json } => list(&database, *json).await?,
        Action::Revoke { token } => revoke(&database, token).await?,
    }
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// Whoever has the database may do everything with it.
fn somebody_here() -> Caller {
    Caller {
        principal: Principal::program().into(),
        request_id: "parlour-token".to_owned(),
        operation: None,
    }
}

async fn create(config: &ConfigFile, database: &Database, wanted: &Create) -> Result<()> {
    let roles = config.complete(&ServeSettings::default())?.roles()?;
    let now = Timestamp::now();
    let draft = Draft {
        name: wanted.name.clone(),
        roles: wanted.roles.clone(),
        agents: agents(database, &wanted.agents).await?,
        expires_at: wanted
            .expires
            .as_deref()
            .map(|text| end(text, now))
            .transpose()?,
    };
    let secret = Secret::random()?;
    let by = somebody_here();
    let work =
        CreateToken::new(draft, secret.fingerprint(), &roles, now, &by)?.map_err(|wrong| {
            let reasons: Vec<_> = wrong
                .into_iter()
                .map(|wrong| format!("{}: {}", wrong.field, wrong.reason))
                .collect();
            Error::bad_input("token", reasons.join("; "))
        })?;
    let created = database.writer.transaction(&work).await?;
    let created = created.map_err(|refused| refusal(&refused, &wanted.name))?;
    let row = token::by_name(&database.reader, wanted.name.trim()).await?;
    let told = row.as_ref().map(tell).unwrap_or_default();
    let id = ObjectKind::Token.encode(created.id);
    eprintln!("{id}\n{told}\nSend it as `Authorization: Bearer …`. It is not shown again:");
    println!("{}", secret.reveal());
    Ok(())
}

fn refusal(refused: &Refused, name: &str) -> Error {
    match refused {
        Refused::NameTaken => {
            let reason = format!("`{name}` is the name of a token: revoke that one first");
            Error::bad_input("name", reason)
        }
        Refused::NoAgent(id) => no_agent(&ObjectKind::Agent.encode(*id)),
        Refused::Over => Error::bad_input("expires", "is over already"),
        Refused::NotFound => Error::bad_input("token", format!("no token is `{name}`")),
    }
}

fn no_agent(text: &str) -> Error {
    Error::bad_input("agent", format!("no agent has the id `{text}`"))
}

/// The agents of these ids, or external ids.
async fn agents(database: &Database, given: &[String]) -> Result<Option<Vec<uuid::Uuid>>> {
    let mut agents = Vec::with_capacity(given.len());
    for text in given {
        let found = match ObjectKind::Agent.decode(text) {
            Some(id) => Some(id),
            None => agent::ids_by_external_ids(&database.reader, &[text])
                .await?
                .pop(),
        };
        agents.push(found.ok_or_else(|| no_agent(text))?);
    }
    Ok((!agents.is_empty()).then_some(agents))
}

/// A span from now, or a time.
fn end(text: &str, now: Timestamp) -> Result<Timestamp> {
    let after = |span: Duration| {
        let micros = i64::try_from(span.as_micros()).ok()?;
        // What no calendar has is no time.
        let end = Timestamp(now.0.checked_add(micros)?);
        Timestamp::parse(&end.to_rfc3339())
            .ok()
            .filter(|it| *it == end)
    };
    let span = humantime::parse_duration(text).ok().and_then(after);
    span.map_or_else(|| Timestamp::parse(text), Ok)
        .map_err(|_| {
            let reason = format!(
                "`{text}` is neither a span, as in 30d, nor a time, as in 2027-01-31T00:00:00Z"
            );
            Error::bad_input("expires", reason)
        })
}

async fn list(database: &Database, as_json: bool) -> Result<()> {
    let rows = token::all(&database.reader).await?;
    if as_json {
        let rows: Vec<_> = rows.iter().map(json).collect();
        println!("{}", Value::from(rows));
        return Ok(());
    }
    for row in &rows {
        println!("{}  {}", ObjectKind::Token.encode(row.id), tell(row));
    }
    if rows.is_empty() {
        eprintln!("there is no token");
    }
    Ok(())
}

/// A token on one line, without its id.
fn tell(row: &Model) -> String {
    let agents = row
        .agent_ids()
        .map_or_else(|| "all agents".to_owned(), |agents| agents.join(" "));
    let at = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), Timestamp::to_rfc3339);
    let mut line = format!(
        "{}: {}; {agents}; made {} by {}; last used: {}; ends: {}",
        row.name,
        row.role_names().join(" "),
        row.created_at.to_rfc3339(),
        row.created_by,
        at(row.last_used_at),
        at(row.expires_at),
    );
    if let Some(revoked) = row.revoked_at {
        line.push_str("; revoked ");
        line.push_str(&revoked.to_rfc3339());
    }
    line
}

fn json(row: &Model) -> Value {
    let at = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
    json!({
        "id": ObjectKind::Token.encode(row.id),
        "name": row.name,
        "roles": row.role_names(),
        "agents": row.agent_ids(),
        "createdAt": row.created_at.to_rfc3339(),
        "createdBy": row.created_by,
        "expiresAt": at(row.expires_at),
        "revokedAt": at(row.revoked_at),
        "lastUsedAt": at(row.last_used_at),
    })
}

async fn revoke(database: &Database, text: &str) -> Result<()> {
    let named = token::by_name(&database.reader, text).await?;
    let id = named
        .map(|row| row.id)
        .or_else(|| ObjectKind::Token.decode(text));
    let id = id.ok_or_else(|| refusal(&Refused::NotFound, text))?;
    let by = somebody_here();
    let work = RevokeToken::new(id, Timestamp::now(), &by)?;
    let revoked = database.writer.transaction(&work).await?;
    revoked.map_err(|refused| refusal(&refused, text))?;
    eprintln!("{} is revoked", ObjectKind::Token.encode(id));
    Ok(())
}
