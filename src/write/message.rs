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
    /// The id of the user as whom they sent it, where that one was merged into them.
    sent_as: Option<Uuid>,
    message: &'a MessagePart,
}

impl<'a> Draft<'a> {
    /// The message of an event in its session.
    pub(super) fn new(event: &'a Event, session: Uuid, user: Uuid, sent_as: Option<Uuid>) -> Self {
        let message = &event.message;
        let sender = sent_as.unwrap_or(user);
        let seed: [&[u8]; 3] = [
            b"message",
            sender.as_bytes(),
            message.external_id.as_bytes(),
        ];
        Self {
            id: derive(message.sent_at, &seed),
            session,
            user,
            sent_as,
            message,
        }
    }

    /// What makes it the message it is: the same again is a duplicate.
    pub(super) fn key(&self) -> (Uuid, &'a str) {
        (self.sent_as.unwrap_or(self.user), &self.message.external_id)
    }
}

/// Which of these messages are stored.
pub(super) async fn find(
    transaction: &Transaction,
    drafts: &[&Draft<'_>],
) -> Result<HashSet<Uuid>, DbErr> {
    const COLUMNS: [(&str, Column); 4] = [
        ("draft", Column::Uuid),
        ("user", Column::Uuid),
        ("id_there", Column::Text),
        ("alias", Column::Uuid),
    ];
    let (own, others): (Vec<&Draft<'_>>, Vec<&Draft<'_>>) =
        drafts.iter().partition(|draft| draft.sent_as.is_none());
    let mut stored = HashSet::new();
    for (drafts, sent_as) in [(own, "IS NULL"), (others, "= wanted.alias")] {
        if drafts.is_empty() {
            continue;
        }
        let rows: Vec<_> = drafts
            .iter()
            .map(|draft| {
                (
                    Key(draft.id),
                    Key(draft.user),
                    &draft.message.external_id,
                    draft.sent_as.map(Key),
                )
            })
            .collect();
        let rows = Rows::new(&COLUMNS, &rows);
        let wanted = rows.subquery(transaction.dialect(), "$1");
        let sql = format!(
            "SELECT wanted.draft FROM {wanted} AS wanted JOIN messages ON messages.chat_user_id = wanted.user \
             AND messages.external_id = wanted.id_there AND messages.sent_as {sent_as}"
        );
        let found = transaction
            .rows(transaction.dialect().raw(sql, [rows.value()]))
            .await?;
        for row in found {
            stored.insert(row.try_get("", "draft")?);
        }
    }
    Ok(stored)
}

/// Stores messages, none of which is stored yet.
pub(super) async fn insert(transaction: &Transaction, drafts: &[&Draft<'_>]) -> Result<(), DbErr> {
    const COLUMNS: [(&str, Column); 10] = [
        ("id", Column::Uuid),
        ("session_id", Column::Uuid),
        ("chat_user_id", Column::Uuid),
        ("external_id", Column::Text),
        ("role", Column::Text),
        ("text", Column::Text),
        ("attachments", Column::Text),
        ("sent_at", Column::Int),
        ("cost_micros", Column::Int),
        ("sent_as", Column::Uuid),
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
                draft.sent_as.map(Key),
            )
        })
        .collect();
    transaction.insert_all("messages", &COLUMNS, &rows).await
}

/// The word of a role in the table.
fn stored(role: MessageRole) -> String {
    sea_orm::ActiveEnum::into_value(role)
}
