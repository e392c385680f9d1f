//! Messages: inserted once, whatever arrives how often.

use std::collections::HashSet;

use sea_orm::DbErr;
use uuid::Uuid;

use super::event::{Event, MessagePart};
use crate::db::{Column, Key, Transaction};
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
}

/// Stores the messages that are not stored yet; the ids of those that went in.
pub(super) async fn insert(
    transaction: &Transaction,
    drafts: &[Draft<'_>],
) -> Result<HashSet<Uuid>, DbErr> {
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
    let mut seen = HashSet::with_capacity(drafts.len());
    let mut rows = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let MessagePart {
            external_id,
            role,
            text,
            attachments,
            sent_at,
            cost_micros,
        } = draft.message;
        if seen.insert((draft.user, external_id)) {
            let attachments =
                serde_json::to_string(attachments).unwrap_or_else(|_| "[]".to_owned());
            let (id, session, user) = (Key(draft.id), Key(draft.session), Key(draft.user));
            rows.push((
                id,
                session,
                user,
                external_id,
                stored(*role),
                text,
                attachments,
                sent_at,
                cost_micros,
            ));
        }
    }
    Ok(transaction
        .insert("messages", &COLUMNS, &rows)
        .await?
        .into_iter()
        .collect())
}

/// The word of a role in the table.
fn stored(role: MessageRole) -> String {
    sea_orm::ActiveEnum::into_value(role)
}
