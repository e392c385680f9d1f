//! The transaction that takes a deletion: the user is hidden, what may lead to them is gone, and what is left to do is kept.

use std::collections::BTreeMap;

use sea_orm::{ActiveEnum, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::audit::{self, Entry};
use super::super::authorized::AuthorizedMutation;
use super::super::profile::{self, Refused};
use super::step::{self, START};
use crate::caller::{Caller, Permission, Principal};
use crate::clock::Timestamp;
use crate::db::{Column, Key, Transaction, TransactionError, UnitOfWork};
use crate::entity::audit_entry::AuditAction;
use crate::entity::chat_user;
use crate::entity::deletion::{DeletionMode, Model};
use crate::entity::pii::{PROFILE, Personal, TABLES};
use crate::id::derive;
use crate::read::agent_scope;
use crate::read::erasure::spelled;

/// Deletes a user. What there is to do beyond a step is left to [`Step`](super::Step).
#[derive(Debug)]
pub struct DeleteUser<'a> {
    /// The user.
    pub id: Uuid,
    /// How.
    pub mode: DeletionMode,
    /// The version of the profile that is to be deleted, when only that may be.
    pub if_version: Option<i64>,
    /// Who asks.
    pub by: &'a Caller,
}

/// A deletion that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UniqueViolation {
    /// Its id.
    pub deletion: Uuid,
    /// The user's.
    pub user: Uuid,
}

impl AuthorizedMutation for DeleteUser<'_> {
    const NEEDS: Permission = Permission::UsersDelete;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for DeleteUser<'_> {
    /// The one that there is already, when the user has been deleted in this way before.
    type Output = Result<UniqueViolation, Refused>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let user = profile::find_also_hidden(transaction, self.by(), self.id).await?;
        // A former id of a user who was merged is as good as the id.
        let id = user.as_ref().map_or(self.id, |user| user.id);
        let latest = self.latest(transaction, id).await?;
        let Some(user) = user else {
            // Removed already, or never there.
            let removed = latest.filter(|_| self.mode == DeletionMode::Hard);
            let taken = removed.map(|deletion| UniqueViolation { deletion, user: id });
            return Ok(taken.ok_or(Refused::NotFound));
        };
        let running = running(transaction, id).await?;
        let is_again = match self.mode {
            mode if running.contains(&mode) => true,
            DeletionMode::Soft => running.is_empty() && is_hidden(transaction, id).await?,
            DeletionMode::Erase => running.is_empty() && user.erased_at.is_some(),
            DeletionMode::Hard => false,
        };
        match latest {
            Some(deletion) if is_again => return Ok(Ok(UniqueViolation { deletion, user: id })),
            _ => {}
        }
        // Someone who is being erased or removed is as good as gone. Whoever is being erased can still be removed.
        if !running.is_empty() && self.mode != DeletionMode::Hard {
            return Ok(Err(Refused::NotFound));
        }
        if self
            .if_version
            .is_some_and(|version| version != user.version)
        {
            return Ok(Err(Refused::Conflict));
        }
        self.begin(transaction, &user, running.is_empty())
            .await
            .map(|deletion| Ok(UniqueViolation { deletion, user: id }))
    }
}

impl DeleteUser<'_> {
    /// The newest deletion of the user in this mode, of a user of theirs who asks.
    async fn latest(
        &self,
        transaction: &Transaction,
        user: Uuid,
    ) -> Result<Option<Uuid>, TransactionError> {
        let dialect = transaction.dialect();
        let (own, agents) =
            agent_scope::written(&self.by().agents, dialect, "deletions.agent_id", "$3");
        let sql = format!(
            "SELECT id FROM deletions WHERE chat_user_id = $1 AND mode = $2 AND {own} ORDER BY requested_at DESC, id DESC LIMIT 1"
        );
        let values = [Value::from(user), self.mode.into_value().into()];
        let values = values.into_iter().chain(agents);
        let rows = transaction.rows(dialect.raw(sql, values)).await?;
        Ok(rows.first().map(|row| row.try_get("", "id")).transpose()?)
    }

    async fn begin(
        &self,
        transaction: &Transaction,
        user: &chat_user::Model,
        is_first: bool,
    ) -> Result<Uuid, TransactionError> {
        let now = Timestamp::now();
        hide(transaction, user.id, now).await?;
        let action = match self.mode {
            DeletionMode::Soft => AuditAction::ChatUserDeleted,
            DeletionMode::Erase => AuditAction::ChatUserErased,
            DeletionMode::Hard => AuditAction::ChatUserRemoved,
        };
        let entry = Entry {
            action,
            agent: Some(user.agent_id),
            chat_user: Some(user.id),
            changes: Vec::new(),
        };
        let counts = if self.mode == DeletionMode::Soft {
            hidden_rows(transaction, user).await?
        } else {
            erase_profile(transaction, user.id, now).await?
        };
        audit::enter(transaction, self.by, &[entry]).await?;
        let deletion = self.deletion(user, now, &counts, transaction.id_salt());
        insert(transaction, &deletion).await?;
        let id = deletion.id;
        if self.mode != DeletionMode::Soft && is_first {
            step::advance(transaction, deletion).await?;
        }
        Ok(id)
    }

    fn deletion(
        &self,
        user: &chat_user::Model,
        now: Timestamp,
        counts: &BTreeMap<&str, i64>,
        id_salt: u8,
    ) -> Model {
        let seed: [&[u8]; 4] = [
            b"deletion",
            user.id.as_bytes(),
            self.by.request_id.as_bytes(),
            &[id_salt],
        ];
        Model {
            id: derive(now, &seed),
            agent_id: user.agent_id,
            chat_user_id: user.id,
            mode: self.mode,
            actor: self.by.principal.name.clone(),
            request_id: self.by.request_id.clone(),
            requested_at: now,
            finished_at: (self.mode == DeletionMode::Soft).then_some(now),
            counts: step::told(counts),
            stage: TABLES[0].table.to_owned(),
            stage_at: START.0,
            stage_id: START.1,
        }
    }
}

/// How a user is being deleted at the moment.
pub(super) async fn running(
    transaction: &Transaction,
    user: Uuid,
) -> Result<Vec<DeletionMode>, TransactionError> {
    let sql = "SELECT mode FROM deletions WHERE chat_user_id = $1 AND finished_at IS NULL";
    let rows = transaction
        .rows(transaction.dialect().raw(sql, [user.into()]))
        .await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get("", "mode"))
        .collect::<Result<_, _>>()?)
}

/// Whether a user is hidden.
pub(super) async fn is_hidden(
    transaction: &Transaction,
    user: Uuid,
) -> Result<bool, TransactionError> {
    let sql = "SELECT hidden_at FROM hidden_chat_users WHERE chat_user_id = $1";
    let rows = transaction
        .rows(transaction.dialect().raw(sql, [user.into()]))
        .await?;
    Ok(!rows.is_empty())
}

async fn hide(
    transaction: &Transaction,
    user: Uuid,
    now: Timestamp,
) -> Result<(), TransactionError> {
    let sql = "INSERT INTO hidden_chat_users (chat_user_id, hidden_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    let values = [Value::from(user), now.into()];
    transaction
        .execute(transaction.dialect().raw(sql, values))
        .await?;
    Ok(())
}

/// How many rows a user has: those that are hidden with them.
async fn hidden_rows(
    transaction: &Transaction,
    user: &chat_user::Model,
) -> Result<BTreeMap<&'static str, i64>, TransactionError> {
    let counts = TABLES.iter().map(|Personal { table, user, .. }| {
        format!("(SELECT COUNT(*) FROM {table} WHERE {user} = $1) AS {table}")
    });
    let sql = format!("SELECT {}", counts.collect::<Vec<_>>().join(", "));
    let statement = transaction.dialect().raw(sql, [user.id.into()]);
    let rows = transaction.rows(statement).await?;
    let mut counts = BTreeMap::from([(PROFILE.table, 1)]);
    for (row, Personal { table, .. }) in rows
        .iter()
        .flat_map(|row| TABLES.iter().map(move |one| (row, one)))
    {
        counts.insert(*table, row.try_get("", table)?);
    }
    Ok(counts)
}

/// Tables with a few rows that lead to a profile: by what a user was called before, or by a tag.
const AT_ONCE: [&str; 2] = ["chat_user_aliases", "chat_user_tags"];

/// Takes everything personal out of a profile: what happens from now on under the same ids is somebody else's. How many rows
/// of other tables went with it.
async fn erase_profile(
    transaction: &Transaction,
    user: Uuid,
    now: Timestamp,
) -> Result<BTreeMap<&'static str, i64>, TransactionError> {
    let dialect = transaction.dialect();
    transaction.execute(dialect.unindex(user)).await?;
    let mut counts = BTreeMap::new();
    for table in AT_ONCE {
        let sql = format!("DELETE FROM {table} WHERE chat_user_id = $1");
        let rows = transaction.execute(dialect.raw(sql, [user.into()])).await?;
        counts.insert(table, i64::try_from(rows).unwrap_or(i64::MAX));
    }
    let sql = format!(
        "UPDATE chat_users SET {}, version = version + 1, erased_at = COALESCE(erased_at, $2) WHERE id = $1",
        spelled(dialect, &PROFILE, &PROFILE.erased())
    );
    transaction
        .execute(dialect.raw(sql, [Value::from(user), now.into()]))
        .await?;
    Ok(counts)
}

async fn insert(transaction: &Transaction, deletion: &Model) -> Result<(), TransactionError> {
    const COLUMNS: [(&str, Column); 12] = [
        ("id", Column::Uuid),
        ("agent_id", Column::Uuid),
        ("chat_user_id", Column::Uuid),
        ("mode", Column::Text),
        ("actor", Column::Text),
        ("request_id", Column::Text),
        ("requested_at", Column::Int),
        ("finished_at", Column::Int),
        ("counts", Column::Text),
        ("stage", Column::Text),
        ("stage_at", Column::Int),
        ("stage_id", Column::Uuid),
    ];
    let row = (
        Key(deletion.id),
        Key(deletion.agent_id),
        Key(deletion.chat_user_id),
        deletion.mode.into_value(),
        &deletion.actor,
        &deletion.request_id,
        deletion.requested_at,
        deletion.finished_at,
        &deletion.counts,
        &deletion.stage,
        deletion.stage_at,
        Key(deletion.stage_id),
    );
    transaction.insert_all("deletions", &COLUMNS, &[row]).await
}
