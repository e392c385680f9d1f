//! Messages: inserted once, whatever arrives how often.

use std::collections::HashSet;

use serde::ser::{Serialize, SerializeSeq, Serializer};
use uuid::Uuid;

use super::event::MessagePart;
use crate::db::{Column, Key, Rows, Transaction, Undone};
use crate::entity::role::MessageRole;
use crate::id::derive;

/// A message that is to be stored.
pub(super) struct Draft<'a> {
    pub(super) id: Uuid,
    pub(super) user: Uuid,
    /// The id of the user as whom they sent it, where that one was merged into them.
    sent_as: Option<Uuid>,
    /// Its session; nil until it is known.
    pub(super) session: Uuid,
    /// Whether its session follows from the times around it.
    pub(super) by_rule: bool,
    pub(super) message: &'a MessagePart,
}

impl<'a> Draft<'a> {
    /// A message of a user.
    pub(super) fn new(
        message: &'a MessagePart,
        user: Uuid,
        sent_as: Option<Uuid>,
        by_rule: bool,
    ) -> Self {
        let sender = sent_as.unwrap_or(user);
        let seed: [&[u8]; 3] = [
            b"message",
            sender.as_bytes(),
            message.external_id.as_bytes(),
        ];
        Self {
            id: derive(message.sent_at, &seed),
            user,
            sent_as,
            session: Uuid::nil(),
            by_rule,
            message,
        }
    }

    /// What makes it the message it is: the same again is a duplicate.
    pub(super) fn key(&self) -> (Uuid, &'a str) {
        (self.sent_as.unwrap_or(self.user), &self.message.external_id)
    }

    /// Whether it has a value in one of the columns that most messages leave empty.
    fn has_more(&self) -> bool {
        let MessagePart {
            reply_to,
            tokens,
            response_time_ms,
            sentiment,
            ..
        } = self.message;
        self.by_rule
            || self.sent_as.is_some()
            || reply_to.is_some()
            || tokens.is_some()
            || response_time_ms.is_some()
            || sentiment.is_some()
    }
}

/// Which of these messages are stored.
pub(super) async fn find(
    transaction: &Transaction,
    drafts: &[&Draft<'_>],
) -> Result<HashSet<Uuid>, Undone> {
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

const COLUMNS: [(&str, Column); 15] = [
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
    ("by_rule", Column::Int),
    ("reply_to", Column::Text),
    ("tokens", Column::Int),
    ("response_time_ms", Column::Int),
    ("sentiment_thousandths", Column::Int),
];

/// How many of the columns every message fills. A batch that has nothing for the others does not carry them.
const USUAL: usize = 9;

/// Stores messages, none of which is stored yet.
pub(super) async fn insert(transaction: &Transaction, drafts: &[&Draft<'_>]) -> Result<(), Undone> {
    let more = drafts.iter().any(|draft| draft.has_more());
    let columns: &'static [_] = if more { &COLUMNS } else { &COLUMNS[..USUAL] };
    let rows: Vec<_> = drafts.iter().map(|draft| Row { draft, more }).collect();
    transaction.insert_all("messages", columns, &rows).await
}

/// A message as inserted: an array of its values.
struct Row<'a> {
    draft: &'a Draft<'a>,
    more: bool,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let MessagePart {
            external_id,
            role,
            text,
            attachments,
            sent_at,
            cost_micros,
            reply_to,
            tokens,
            response_time_ms,
            sentiment,
        } = self.draft.message;
        let attachments = serde_json::to_string(attachments).map_err(serde::ser::Error::custom)?;
        let mut row = serializer.serialize_seq(None)?;
        row.serialize_element(&Key(self.draft.id))?;
        row.serialize_element(&Key(self.draft.session))?;
        row.serialize_element(&Key(self.draft.user))?;
        row.serialize_element(external_id)?;
        row.serialize_element(&stored(*role))?;
        row.serialize_element(text)?;
        row.serialize_element(&attachments)?;
        row.serialize_element(sent_at)?;
        row.serialize_element(cost_micros)?;
        if self.more {
            row.serialize_element(&self.draft.sent_as.map(Key))?;
            row.serialize_element(&i32::from(self.draft.by_rule))?;
            row.serialize_element(reply_to)?;
            row.serialize_element(tokens)?;
            row.serialize_element(response_time_ms)?;
            row.serialize_element(sentiment)?;
        }
        row.end()
    }
}

/// The word of a role in the table.
fn stored(role: MessageRole) -> String {
    sea_orm::ActiveEnum::into_value(role)
}
