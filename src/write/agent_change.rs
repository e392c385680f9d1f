//! Agents that someone makes or describes, outside of what events say.

use sea_orm::DbErr;
use serde_json::Value;
use uuid::Uuid;

use super::agent;
use super::audit::{self, Caller, Difference, Entry};
use super::profile::{Invalid, Patch, Refused, normal};
use crate::clock::Timestamp;
use crate::db::{Rows, Transaction, Work};
use crate::entity::agent::Model;
use crate::entity::audit_entry::AuditAction;

/// What is to become of an agent's name and description.
#[derive(Clone, Debug, Default)]
pub struct AgentPatch {
    /// Name.
    pub name: Patch,
    /// What it is for.
    pub description: Patch,
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
        };
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

impl Work for CreateAgent<'_> {
    type Output = (Option<Uuid>, bool);

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, DbErr> {
        let AgentPatch { name, description } = self.patch.clone();
        let draft = agent::Draft {
            name: name.flatten(),
            description: description.flatten(),
            created_at: self.now,
            first: self.now,
        };
        let new = agent::insert(transaction, [(self.external_id, &draft)]).await? > 0;
        let stored = agent::find(transaction, [self.external_id].into_iter()).await?;
        let id = stored.get(self.external_id).map(|stored| stored.id);
        if new {
            let entry = Entry {
                action: AuditAction::AgentCreated,
                agent: id,
                chat_user: None,
                changes: differences([
                    ("description", None, draft.description),
                    ("externalId", None, Some(self.external_id.to_owned())),
                    ("name", None, draft.name),
                ]),
            };
            audit::enter(transaction, self.by, &[entry]).await?;
        }
        Ok((id, new))
    }
}

/// Changes an agent's name and description.
#[derive(Debug)]
pub struct UpdateAgent<'a> {
    /// The agent.
    pub id: Uuid,
    /// What is to change, checked.
    pub patch: AgentPatch,
    /// Who asks.
    pub by: &'a Caller,
}

impl Work for UpdateAgent<'_> {
    type Output = Result<(), Refused>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, DbErr> {
        let dialect = transaction.dialect();
        let id = Rows::ids([self.id]);
        let sql = format!(
            "SELECT agents.* FROM agents JOIN {} AS wanted ON agents.id = wanted.id{}",
            id.subquery(dialect, "$1"),
            dialect.locking("agents")
        );
        let found: Vec<Model> = transaction.fetch(dialect.raw(sql, [id.value()])).await?;
        let Some(row) = found.into_iter().next() else {
            return Ok(Err(Refused::NotFound));
        };
        let name = self.patch.name.clone().unwrap_or_else(|| row.name.clone());
        let description = self.patch.description.clone();
        let description = description.unwrap_or_else(|| row.description.clone());
        if name == row.name && description == row.description {
            return Ok(Ok(()));
        }
        let (name, description) = (name.as_deref(), description.as_deref());
        agent::describe(
            transaction,
            &[(row.id, &row.external_id, name, description)],
        )
        .await?;
        let entry = Entry {
            action: AuditAction::AgentUpdated,
            agent: Some(row.id),
            chat_user: None,
            changes: differences([
                (
                    "description",
                    row.description,
                    description.map(str::to_owned),
                ),
                ("name", row.name, name.map(str::to_owned)),
            ]),
        };
        audit::enter(transaction, self.by, &[entry]).await?;
        Ok(Ok(()))
    }
}

fn differences<const N: usize>(
    values: [(&'static str, Option<String>, Option<String>); N],
) -> Vec<Difference> {
    let changed = values
        .into_iter()
        .filter(|(_, before, after)| before != after);
    changed
        .map(|(field, before, after)| Difference {
            field,
            before: Value::from(before),
            after: Value::from(after),
        })
        .collect()
}
