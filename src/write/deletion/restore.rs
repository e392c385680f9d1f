//! Users who were hidden, shown again.

use uuid::Uuid;

use super::super::audit::{self, Entry};
use super::super::authorized::AuthorizedMutation;
use super::super::profile::{self, Refused};
use super::request::{is_hidden, running};
use crate::caller::{Caller, Permission, Principal};
use crate::db::{Transaction, TransactionError, UnitOfWork};
use crate::entity::audit_entry::AuditAction;

/// Shows a user again who was deleted softly. Who is not hidden stays as they are.
#[derive(Debug)]
pub struct RestoreUser<'a> {
    /// The user.
    pub id: Uuid,
    /// Who asks.
    pub by: &'a Caller,
}

impl AuthorizedMutation for RestoreUser<'_> {
    const NEEDS: Permission = Permission::UsersDelete;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for RestoreUser<'_> {
    type Output = Result<(), Refused>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let Some(user) = profile::find_also_hidden(transaction, self.by(), self.id).await? else {
            return Ok(Err(Refused::NotFound));
        };
        if !running(transaction, user.id).await?.is_empty() {
            return Ok(Err(Refused::NotFound));
        }
        if !is_hidden(transaction, user.id).await? {
            return Ok(Ok(()));
        }
        let sql = "DELETE FROM hidden_chat_users WHERE chat_user_id = $1";
        let statement = transaction.dialect().raw(sql, [user.id.into()]);
        transaction.execute(statement).await?;
        let entry = Entry {
            action: AuditAction::ChatUserRestored,
            agent: Some(user.agent_id),
            chat_user: Some(user.id),
            changes: Vec::new(),
        };
        audit::enter(transaction, self.by, &[entry]).await?;
        Ok(Ok(()))
    }
}
