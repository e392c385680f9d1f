//! Tokens that somebody makes or revokes, and when they were last used.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::audit::{self, Difference, Entry};
use super::authorized::AuthorizedMutation;
use super::profile::Invalid;
use crate::caller::{Agents, Caller, Permission, Principal};
use crate::clock::Timestamp;
use crate::db::{Column, Key, Rows, Transaction, TransactionError, UnitOfWork, by_name};
use crate::entity::audit_entry::AuditAction;
use crate::entity::token::{Entity, Model};
use crate::error::{Result, permitted};
use crate::id::{ObjectKind, derive};
use crate::read::columns::listed;
use crate::roles::Roles;
use crate::secret::Fingerprint;

/// Longest name of a token, in characters.
const MAX_NAME: usize = 64;
/// Most roles of a token.
const MAX_ROLES: usize = 20;
/// Most agents that a token is limited to.
const MAX_AGENTS: usize = 100;
/// Names of the program itself in the log.
const RESERVED: [&str; 2] = ["anyone", "parlour"];

/// A token as it is wanted.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What its owner is called in the log.
    pub name: String,
    /// Names of roles.
    pub roles: Vec<String>,
    /// The agents it is limited to; `None` for all of them.
    pub agents: Option<Vec<Uuid>>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// Why a token was not made, or not revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// Another one has this name.
    NameTaken,
    /// No agent has this id, as far as whoever asks may know.
    NoAgent(Uuid),
    /// It would end before it begins.
    Over,
    /// No token has this id, as far as whoever asks may know.
    NotFound,
}

/// Makes a token. It may no more than whoever makes it.
#[derive(Debug)]
pub struct CreateToken<'a> {
    draft: Draft,
    hash: Fingerprint,
    now: Timestamp,
    by: &'a Caller,
}

/// A token that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Its id.
    pub id: Uuid,
    /// The hash of its secret: whoever has made up another secret meanwhile does not have this token's.
    pub hash: String,
}

impl<'a> CreateToken<'a> {
    /// Checks what can be checked without the database.
    pub fn new(
        draft: Draft,
        hash: Fingerprint,
        roles: &Roles,
        now: Timestamp,
        by: &'a Caller,
    ) -> Result<Result<Self, Vec<Invalid>>> {
        permitted(&by.principal, Permission::TokensWrite)?;
        let draft = Draft {
            name: draft.name.trim().to_owned(),
            roles: distinct(draft.roles),
            agents: draft.agents.map(distinct),
            expires_at: draft.expires_at,
        };
        let checks = [
            ("name", name(&draft.name)),
            ("roles", rights(&draft.roles, roles, by)),
            ("agents", audience(draft.agents.as_deref(), by)),
        ];
        let wrong: Vec<_> = checks
            .into_iter()
            .filter_map(|(field, checked)| checked.err().map(|reason| (field, reason)))
            .map(|(field, reason)| Invalid {
                field,
                reason: reason.into(),
            })
            .collect();
        Ok(if wrong.is_empty() {
            Ok(Self {
                draft,
                hash,
                now,
                by,
            })
        } else {
            Err(wrong)
        })
    }
}

fn distinct<T: Ord>(values: Vec<T>) -> Vec<T> {
    let values: BTreeSet<_> = values.into_iter().collect();
    values.into_iter().collect()
}

/// Names stand in log lines, in headers of proxies, and side by side: nothing in them looks like something else.
fn name(name: &str) -> Result<(), String> {
    let fits = (1..=MAX_NAME).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "-_. ".contains(char));
    if !fits {
        return Err(format!(
            "has 1 to {MAX_NAME} letters, digits, spaces, `-`, `_` and `.`, and begins with a letter or a digit"
        ));
    }
    if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("`{name}` is what the program calls itself"));
    }
    Ok(())
}

/// Roles that there are, and that let one do nothing that whoever gives them may not do.
fn rights(given: &[String], roles: &Roles, by: &Caller) -> Result<(), String> {
    if !(1..=MAX_ROLES).contains(&given.len()) {
        return Err(format!("lists 1 to {MAX_ROLES} roles"));
    }
    for role in given {
        let Some(permissions) = roles.permissions(role) else {
            let known = roles.names().join(", ");
            let role: String = role.escape_debug().take(MAX_NAME).collect();
            return Err(format!("there is no role `{role}`; there are {known}"));
        };
        let beyond: Vec<_> = permissions
            .beyond(by.principal.permissions)
            .iter()
            .map(Permission::name)
            .collect();
        if !beyond.is_empty() {
            let beyond = beyond.join(", ");
            return Err(format!("`{role}` lets one do what you may not: {beyond}"));
        }
    }
    Ok(())
}

/// Agents of which there can be so many. Whether they are there, and one's own, is found in the transaction.
fn audience(agents: Option<&[Uuid]>, by: &Caller) -> Result<(), String> {
    match (agents, &by.principal.agents) {
        (None, Agents::Only(_)) => {
            Err("name those that it is for: you may not give all of them".to_owned())
        }
        (Some(agents), _) if !(1..=MAX_AGENTS).contains(&agents.len()) => Err(format!(
            "lists 1 to {MAX_AGENTS} agents, or is absent for all"
        )),
        _ => Ok(()),
    }
}

impl AuthorizedMutation for CreateToken<'_> {
    const NEEDS: Permission = Permission::TokensWrite;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for CreateToken<'_> {
    type Output = Result<Created, Refused>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        // Not before: a request that is sent again is told what came of it, also when the token has ended since.
        if self.draft.expires_at.is_some_and(|end| end <= self.now) {
            return Ok(Err(Refused::Over));
        }
        if let Some(agent) = self.unknown_agent(transaction).await? {
            return Ok(Err(Refused::NoAgent(agent)));
        }
        let Draft {
            name,
            roles,
            agents,
            expires_at,
        } = &self.draft;
        let hash = self.hash.to_string();
        let id = derive(
            self.now,
            &[b"token", hash.as_bytes(), &[transaction.id_salt()]],
        );
        let agents = agents.as_ref().map(|agents| {
            let ids = agents.iter().map(|&agent| ObjectKind::Agent.encode(agent));
            ids.collect::<Vec<_>>()
        });
        if !self.insert(transaction, id, agents.as_deref()).await? {
            // Its name, or one day its id.
            return match named(transaction, name).await? {
                Some(_) => Ok(Err(Refused::NameTaken)),
                None => Err(TransactionError::UniqueViolation),
            };
        }
        let new = [
            ("agents", agents.into()),
            ("expiresAt", expires_at.map(Timestamp::to_rfc3339).into()),
            ("id", ObjectKind::Token.encode(id).into()),
            ("name", name.as_str().into()),
            ("roles", roles.clone().into()),
        ];
        let changes = new.into_iter().map(|(field, after)| Difference {
            field,
            before: Value::Null,
            after,
        });
        enter(
            transaction,
            self.by,
            AuditAction::TokenCreated,
            changes.collect(),
        )
        .await?;
        Ok(Ok(Created { id, hash }))
    }
}

impl CreateToken<'_> {
    /// An agent of the draft that is not there, or that whoever asks does not see.
    async fn unknown_agent(
        &self,
        transaction: &Transaction,
    ) -> Result<Option<Uuid>, TransactionError> {
        struct Found {
            id: Uuid,
        }
        by_name!(Found { id });
        let Some(agents) = &self.draft.agents else {
            return Ok(None);
        };
        let rows = Rows::ids(agents.iter().copied());
        let batch = rows.subquery(transaction.dialect(), "$1");
        let sql =
            format!("SELECT agents.id FROM {batch} AS batch JOIN agents ON agents.id = batch.id");
        let statement = transaction.dialect().raw(sql, [rows.into_value()]);
        let found: Vec<Found> = transaction.fetch(statement).await?;
        let found: HashSet<_> = found.into_iter().map(|found| found.id).collect();
        let own = &self.by.principal.agents;
        let unknown = |agent: &&Uuid| !(found.contains(agent) && own.has(**agent));
        Ok(agents.iter().find(unknown).copied())
    }

    /// Whether it is in now.
    async fn insert(
        &self,
        transaction: &Transaction,
        id: Uuid,
        agents: Option<&[String]>,
    ) -> Result<bool, TransactionError> {
        const COLUMNS: [(&str, Column); 8] = [
            ("id", Column::Uuid),
            ("name", Column::Text),
            ("roles", Column::Text),
            ("agents", Column::Text),
            ("hash", Column::Text),
            ("created_at", Column::Int),
            ("created_by", Column::Text),
            ("expires_at", Column::Int),
        ];
        let row = (
            Key(id),
            &self.draft.name,
            Value::from(self.draft.roles.clone()).to_string(),
            agents.map(|agents| Value::from(agents).to_string()),
            self.hash.to_string(),
            self.now,
            &self.by.principal.name,
            self.draft.expires_at,
        );
        Ok(transaction.insert("tokens", &COLUMNS, &[row]).await? == 1)
    }
}

/// The token of this name that is not revoked.
async fn named(transaction: &Transaction, name: &str) -> Result<Option<Model>, TransactionError> {
    let listed = listed::<Entity>();
    let sql = format!("SELECT {listed} FROM tokens WHERE name = $1 AND revoked_at IS NULL");
    let statement = transaction.dialect().raw(sql, [name.into()]);
    Ok(transaction.fetch(statement).await?.into_iter().next())
}

/// Revokes a token. Again: nothing is done.
#[derive(Debug)]
pub struct RevokeToken<'a> {
    id: Uuid,
    now: Timestamp,
    by: &'a Caller,
}

impl<'a> RevokeToken<'a> {
    /// For whoever may.
    pub fn new(id: Uuid, now: Timestamp, by: &'a Caller) -> Result<Self> {
        permitted(&by.principal, Permission::TokensWrite)?;
        Ok(Self { id, now, by })
    }

    /// Whether the token is for none but agents that whoever asks sees.
    fn sees(&self, row: &Model) -> bool {
        match (&self.by.principal.agents, row.agent_ids()) {
            (Agents::All, _) => true,
            (Agents::Only(_), None) => false,
            (own, Some(agents)) => agents
                .iter()
                .all(|id| ObjectKind::Agent.decode(id).is_some_and(|id| own.has(id))),
        }
    }
}

impl AuthorizedMutation for RevokeToken<'_> {
    const NEEDS: Permission = Permission::TokensWrite;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for RevokeToken<'_> {
    type Output = Result<(), Refused>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let dialect = transaction.dialect();
        let sql = format!(
            "SELECT {} FROM tokens WHERE tokens.id = $1{}",
            listed::<Entity>(),
            dialect.locking("tokens")
        );
        let found: Vec<Model> = transaction
            .fetch(dialect.raw(sql, [self.id.into()]))
            .await?;
        let row = match found.into_iter().next() {
            Some(row) if self.sees(&row) => row,
            _ => return Ok(Err(Refused::NotFound)),
        };
        if row.revoked_at.is_some() {
            return Ok(Ok(()));
        }
        let sql = "UPDATE tokens SET revoked_at = $2 WHERE id = $1";
        let values = [self.id.into(), self.now.into()];
        transaction.execute(dialect.raw(sql, values)).await?;
        let changes = vec![
            Difference {
                field: "id",
                before: ObjectKind::Token.encode(row.id).into(),
                after: Value::Null,
            },
            Difference {
                field: "name",
                before: row.name.into(),
                after: Value::Null,
            },
            Difference {
                field: "revokedAt",
                before: Value::Null,
                after: self.now.to_rfc3339().into(),
            },
        ];
        enter(transaction, self.by, AuditAction::TokenRevoked, changes).await?;
        Ok(Ok(()))
    }
}

async fn enter(
    transaction: &Transaction,
    by: &Caller,
    action: AuditAction,
    changes: Vec<Difference>,
) -> Result<(), TransactionError> {
    let entry = Entry {
        action,
        agent: None,
        chat_user: None,
        changes,
    };
    audit::enter(transaction, by, &[entry]).await
}

/// Writes down when tokens were used, each by its id, unless a later time stands there.
#[derive(Debug)]
pub struct NoteUses<'a>(pub &'a [(Uuid, Timestamp)]);

impl UnitOfWork for NoteUses<'_> {
    type Output = ();

    async fn run(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        const COLUMNS: [(&str, Column); 2] = [("id", Column::Uuid), ("at", Column::Int)];
        let rows: Vec<_> = self.0.iter().map(|(id, at)| (Key(*id), *at)).collect();
        let set = "last_used_at = CASE WHEN tokens.last_used_at > batch.at THEN tokens.last_used_at ELSE batch.at END";
        transaction.update("tokens", &COLUMNS, &rows, set).await
    }
}
