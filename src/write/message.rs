//! Messages: inserted once, whatever arrives how often.

use std::collections::HashSet;

use sea_orm::DbErr;
use uuid::Uuid;

use super::event::{Event, MessagePart};
use crate::db::{Column, Key, Rows, Transaction};
use crate::entity::role::MessageRole;
use crate::id::derive;

/// A message that is to be stored.
pub(super) struct Draft<'a> {
    pub(super) id: Uuid,
    session: Uuid,
    user: Uuid,
    message: &'a MessagePart,
}

impl<'a> Draft<'a> {
    /// The message of an event in its session.
    pub(super) fn new(event: &'a Event, session: Uuid, user: Uuid) -> Self {
        let message = &event.message;
        Self {
            id: derive(
                message.sent_at,
                &[b"message", user.as_bytes(), message.external_id.as_bytes()],
            ),
            session,
            user,
            message,
        }
    }

    /// What makes it the message it is: the same again is a duplicate.
    pub(super) fn key(&self) -> (Uuid, &'a str) {
        (self.user, &self.message.external_id)
    }
}

/// Which of these messages are stored.
pub(super) async fn find(
    transaction: &Transaction,
    drafts: &[&Draft<'_>],
) -> Result<HashSet<Uuid>, DbErr> {
    const COLUMNS: [(&str, Column); 3] = [
        ("draft", Column::Uuid),
        ("user", Column::Uuid),
        ("id_there", Column::Text),
    ];
    if drafts.is_empty() {
        return Ok(HashSet::new());
    }
    let rows: Vec<_> = drafts
        .iter()
        .map(|draft| (Key(draft.id), Key(draft.user), &draft.message.external_id))
        .collect();
    let rows = Rows::new(&COLUMNS, &rows);
    let wanted = rows.subquery(transaction.dialect(), "$1");
    let sql = format!(
        "SELECT wanted.draft FROM {wanted} AS wanted \
         JOIN messages ON messages.chat_user_id = wanted.user AND messages.external_id = wanted.id_there"
    );
    let found = transaction
        .rows(transaction.dialect().raw(sql, [rows.value()]))
        .await?;
    found.iter().map(|row| row.try_get("", "draft")).collect()
}

/// Stores messages, none of which is stored yet.
pub(super) async fn insert(transaction: &Transaction, drafts: &[&Draft<'_>]) -> Result<(), DbErr> {
    const COLUMNS: [(&str, Column); 9] = [
        ("id", Column::Uuid),
        ("session_id", Column::Uuid),
        ("chat_user_id", Column::Uuid),
        ("external_id", Column::Text),
        ("role", Column::Text),
        ("text", Column::Text),
        ("attachments", Column::Text),
        ("sent_at", Column::Int),
        ("cost_micros", Column::Int),
    ];
    let rows: Vec<_> = drafts
        .iter()
        .map(|draft| {
            let MessagePart {
                external_id,
                role,
                text,
                attachments,
                sent_at,
                cost_micros,
            } = draft.message;
            (
                Key(draft.id),
                Key(draft.session),
                Key(draft.user),
                external_id,
                stored(*role),
                text,
                serde_json::to_string(attachments).unwrap_or_else(|_| "[]".to_owned()),
                sent_at,
                cost_micros,
            )
        })
        .collect();
    transaction.insert_all("messages", &COLUMNS, &rows).await
}

/// The word of a role in the table.
fn stored(role: MessageRole) -> String {
    sea_orm::ActiveEnum::into_value(role)
}
