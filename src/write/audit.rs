//! The audit log: one entry for each thing that a person, or a program in a person's name, changed.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::caller::Caller;
use crate::clock::Timestamp;
use crate::db::{Column, Key, Transaction, TransactionError};
use crate::entity::audit_entry::AuditAction;
use crate::id::derive;

/// Something that was changed.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) action: AuditAction,
    pub(super) agent: Option<Uuid>,
    pub(super) chat_user: Option<Uuid>,
    pub(super) changes: Vec<Difference>,
}

/// A value before and after, under the name that the graph has for it.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    pub(super) field: &'static str,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(super) before: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(super) after: Value,
}

/// Adds entries to the log. Their time is that of the transaction, which holds the agents concerned: the log is in the order
/// in which things were done.
pub(super) async fn enter(
    transaction: &Transaction,
    by: &Caller,
    entries: &[Entry],
) -> Result<(), TransactionError> {
    const COLUMNS: [(&str, Column); 9] = [
        ("id", Column::Uuid),
        ("agent_id", Column::Uuid),
        ("chat_user_id", Column::Uuid),
        ("action", Column::Text),
        ("actor", Column::Text),
        ("request_id", Column::Text),
        ("at", Column::Int),
        ("changes", Column::Text),
        ("operation", Column::Text),
    ];
    let at = Timestamp::now();
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let bytes = |id: Option<Uuid>| id.unwrap_or_default().into_bytes();
            let seed: [&[u8]; 5] = [
                b"audit",
                by.request_id.as_bytes(),
                &bytes(entry.agent),
                &bytes(entry.chat_user),
                &[transaction.id_salt()],
            ];
            (
                Key(derive(at, &seed)),
                entry.agent.map(Key),
                entry.chat_user.map(Key),
                sea_orm::ActiveEnum::into_value(entry.action),
                &by.principal.name,
                &by.request_id,
                at,
                serde_json::to_string(&entry.changes).unwrap_or_else(|_| "[]".to_owned()),
                by.operation.as_deref(),
            )
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let statement = transaction.insertion("audit_entries", &COLUMNS, &rows);
    transaction
        .enqueue_mergeable("audit_entries", statement)
        .await
}
