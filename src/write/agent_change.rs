//! Agents that someone makes, describes or puts away, outside of what events say.

use serde_json::Value;
use uuid::Uuid;

use super::agent;
use super::audit::{self, Difference, Entry};
use super::authorized::AuthorizedMutation;
use super::profile::{Invalid, Patch, Refused, normal};
use super::session_gap::Idle;
use crate::caller::{Agents, Caller, Permission, Principal};
use crate::clock::Timestamp;
use crate::db::{Transaction, TransactionError, UnitOfWork};
use crate::entity::agent::{Entity, Model};
use crate::entity::audit_entry::AuditAction;
use crate::error::{Client, Result, permitted};
use crate::read::columns::listed;

/// What is to become of an agent.
#[derive(Clone, Debug, Default)]
pub struct AgentPatch {
    /// Name.
    pub name: Patch,
    /// What it is for.
    pub description: Patch,
    /// Minutes of silence after which a message that names no session opens one.
    pub session_idle_minutes: Option<i64>,
}

impl AgentPatch {
    /// Checks the values. Spaces around them go; a value of nothing but spaces clears.
    pub fn normalise(self) -> Result<Self, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let mut kept = |field, patch| {
            normal(patch, |text| Ok(text.to_owned())).unwrap_or_else(|reason| {
                wrong.push(Invalid { field, reason });
                None
            })
        };
        let patch = Self {
            name: kept("name", self.name),
            description: kept("description", self.description),
            session_idle_minutes: self.session_idle_minutes,
        };
        if patch
            .session_idle_minutes
            .is_some_and(|minutes| !(1..=Idle::MAX_MINUTES).contains(&minutes))
        {
            wrong.push(Invalid {
                field: "sessionIdleMinutes",
                reason: format!("is from 1 to {}", Idle::MAX_MINUTES).into(),
            });
        }
        if wrong.is_empty() {
            Ok(patch)
        } else {
            Err(wrong)
        }
    }
}

/// Makes an agent. The id of the one that is there under this external id then, and whether it is new.
#[derive(Debug)]
pub struct CreateAgent<'a> {
    /// Its id where the data comes from.
    pub external_id: &'a str,
    /// Name and description, checked.
    pub patch: AgentPatch,
    /// When.
    pub now: Timestamp,
    /// Who asks.
    pub by: &'a Caller,
}

impl AuthorizedMutation for CreateAgent<'_> {
    const NEEDS: Permission = Permission::AgentsWrite;

    fn by(&self) -> &Principal {
        &self.by.principal
    }

    // A new agent is nobody's who is limited to some.
    fn permitted(&self) -> Result<()> {
        permitted(self.by(), Self::NEEDS)?;
        match self.by().agents {
            Agents::All => Ok(()),
            Agents::Only(_) => Err(Client::ForbiddenToLimited.into()),
        }
    }
}

impl UnitOfWork for CreateAgent<'_> {
    type Output = (Option<Uuid>, bool);

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let AgentPatch {
            name,
            description,
            session_idle_minutes,
        } = self.patch.clone();
        let draft = agent::Draft {
            name: name.flatten(),
            description: description.flatten(),
            created_at: self.now,
            session_idle_minutes: session_idle_minutes.unwrap_or(Idle::DEFAULT_MINUTES),
            first: self.now,
        };
        let new = agent::insert(transaction, [(self.external_id, &draft)]).await? > 0;
        let stored = agent::find(transaction, &Agents::All, [self.external_id].into_iter()).await?;
        let id = stored.get(self.external_id).map(|stored| stored.id);
        if new {
            let entry = Entry {
                action: AuditAction::AgentCreated,
                agent: id,
                chat_user: None,
                changes: differences([
                    ("description", Value::Null, draft.description.into()),
                    ("externalId", Value::Null, self.external_id.into()),
                    ("name", Value::Null, draft.name.into()),
                    (
                        "sessionIdleMinutes",
                        Value::Null,
                        draft.session_idle_minutes.into(),
                    ),
                ]),
            };
            audit::enter(transaction, self.by, &[entry]).await?;
        }
        Ok((id, new))
    }
}

/// Changes an agent.
#[derive(Debug)]
pub struct UpdateAgent<'a> {
    /// The agent.
    pub id: Uuid,
    /// What is to change, checked.
    pub patch: AgentPatch,
    /// Who asks.
    pub by: &'a Caller,
}

impl AuthorizedMutation for UpdateAgent<'_> {
    const NEEDS: Permission = Permission::AgentsWrite;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for UpdateAgent<'_> {
    type Output = Result<(), Refused>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let Some(row) = hold(transaction, self.by.principal.agents.own(self.id)).await? else {
            return Ok(Err(Refused::NotFound));
        };
        let name = self.patch.name.clone().unwrap_or_else(|| row.name.clone());
        let description = self.patch.description.clone();
        let description = description.unwrap_or_else(|| row.description.clone());
        let minutes = self.patch.session_idle_minutes;
        let minutes = minutes.unwrap_or(row.session_idle_minutes);
        if name != row.name || description != row.description {
            let (name, description) = (name.as_deref(), description.as_deref());
            let described = (row.id, row.external_id.as_str(), name, description);
            agent::describe(transaction, &[described]).await?;
        }
        if minutes != row.session_idle_minutes {
            let values = [row.id.into(), minutes.into()];
            set(transaction, "session_idle_minutes", values).await?;
        }
        let changes = differences([
            ("description", row.description.into(), description.into()),
            ("name", row.name.into(), name.into()),
            (
                "sessionIdleMinutes",
                row.session_idle_minutes.into(),
                minutes.into(),
            ),
        ]);
        enter(
            transaction,
            self.by,
            AuditAction::AgentUpdated,
            row.id,
            changes,
        )
        .await?;
        Ok(Ok(()))
    }
}

/// Puts an agent away, so that it takes nothing new; or lets it take new events again.
#[derive(Debug)]
pub struct ArchiveAgent<'a> {
    /// The agent.
    pub id: Uuid,
    /// Since when it is put away; `None` when it is not to be.
    pub archived_at: Option<Timestamp>,
    /// Who asks.
    pub by: &'a Caller,
}

impl AuthorizedMutation for ArchiveAgent<'_> {
    const NEEDS: Permission = Permission::AgentsWrite;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for ArchiveAgent<'_> {
    type Output = Result<(), Refused>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let Some(row) = hold(transaction, self.by.principal.agents.own(self.id)).await? else {
            return Ok(Err(Refused::NotFound));
        };
        // Who is put away already stays so since when it was.
        if row.archived_at.is_some() == self.archived_at.is_some() {
            return Ok(Ok(()));
        }
        let values = [row.id.into(), self.archived_at.into()];
        set(transaction, "archived_at", values).await?;
        let told = |at: Option<Timestamp>| Value::from(at.map(Timestamp::to_rfc3339));
        let changes = differences([("archivedAt", told(row.archived_at), told(self.archived_at))]);
        let action = match self.archived_at {
            Some(_) => AuditAction::AgentArchived,
            None => AuditAction::AgentUnarchived,
        };
        enter(transaction, self.by, action, row.id, changes).await?;
        Ok(Ok(()))
    }
}

/// An agent by its id. Until the transaction ends nobody else writes to it.
async fn hold(transaction: &Transaction, id: Uuid) -> Result<Option<Model>, TransactionError> {
    let dialect = transaction.dialect();
    let sql = format!(
        "SELECT {} FROM agents WHERE agents.id = $1{}",
        listed::<Entity>(),
        dialect.locking("agents")
    );
    let found: Vec<Model> = transaction.fetch(dialect.raw(sql, [id.into()])).await?;
    Ok(found.into_iter().next())
}

/// Sets a column of an agent: its id and the value.
async fn set(
    transaction: &Transaction,
    column: &'static str,
    values: [sea_orm::Value; 2],
) -> Result<(), TransactionError> {
    let sql = format!("UPDATE agents SET {column} = $2 WHERE id = $1");
    let statement = transaction.dialect().raw(sql, values);
    transaction.execute(statement).await.map(drop)
}

/// Tells what was changed about an agent, if anything was.
async fn enter(
    transaction: &Transaction,
    by: &Caller,
    action: AuditAction,
    agent: Uuid,
    changes: Vec<Difference>,
) -> Result<(), TransactionError> {
    if changes.is_empty() {
        return Ok(());
    }
    let entry = Entry {
        action,
        agent: Some(agent),
        chat_user: None,
        changes,
    };
    audit::enter(transaction, by, &[entry]).await
}

fn differences<const N: usize>(values: [(&'static str, Value, Value); N]) -> Vec<Difference> {
    let changed = values
        .into_iter()
        .filter(|(_, before, after)| before != after);
    changed
        .map(|(field, before, after)| Difference {
            field,
            before,
            after,
        })
        .collect()
}
