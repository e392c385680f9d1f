//! Messages: inserted once, whatever arrives how often.

use std::collections::{HashMap, HashSet};

use serde::ser::{Serialize, SerializeSeq, Serializer};
use uuid::Uuid;

use super::event::MessagePart;
use crate::clock::Timestamp;
use crate::db::{Column, Key, Rows, Transaction, TransactionError, by_name};
use crate::entity::role::MessageRole;
use crate::id::{derive_at_place, place};

/// A message that is to be stored.
pub(super) struct Draft<'a> {
    /// Its id; nil until it is known.
    pub(super) id: Uuid,
    pub(super) user: Uuid,
    /// Whether the user is stored: someone new has sent nothing yet.
    is_known: bool,
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
        is_known: bool,
        sent_as: Option<Uuid>,
        by_rule: bool,
    ) -> Self {
        Self {
            id: Uuid::nil(),
            user,
            is_known,
            sent_as,
            session: Uuid::nil(),
            by_rule,
            message,
        }
    }

    /// What makes it the message it is: the same again is a duplicate.
    fn key(&self) -> (Uuid, &'a str) {
        (self.sent_as.unwrap_or(self.user), &self.message.external_id)
    }

    /// The id of the message that is the `place`th of its user's with its time.
    fn id_at(&self, place: u32) -> Uuid {
        let (sender, external_id) = self.key();
        let seed: [&[u8]; 3] = [b"message", sender.as_bytes(), external_id.as_bytes()];
        derive_at_place(self.message.sent_at, place, &seed)
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

/// Of each message, whether it is to go in: it is not stored, and is the first of its kind here. Those that go in get their ids, which
/// keep the order of arrival among a user's messages with one time.
pub(super) async fn identify(
    transaction: &Transaction,
    drafts: &mut [&mut Draft<'_>],
) -> Result<Vec<bool>, TransactionError> {
    let stored = find(transaction, drafts).await?;
    let mut seen = HashSet::with_capacity(drafts.len());
    let mut places: HashMap<(Uuid, Timestamp), u32> = HashMap::new();
    let is_new = drafts.iter_mut().enumerate().map(|(at, draft)| {
        let stored = stored.get(&at);
        let is_new = seen.insert(draft.key()) && stored.is_none_or(|stored| !stored.has_message);
        if is_new {
            let latest = || stored.and_then(|stored| stored.latest);
            let next = places
                .entry((draft.user, draft.message.sent_at))
                .or_insert_with(|| latest().map_or(0, |id| place(id) + 1));
            draft.id = draft.id_at(*next);
            *next += 1;
        }
        is_new
    });
    Ok(is_new.collect())
}

/// What is stored of a message's user.
struct Stored {
    draft: i64,
    /// Whether the message is.
    has_message: bool,
    /// The id of the latest message with the same time. Left out where the message itself is stored.
    latest: Option<Uuid>,
}
by_name!(Stored {
    draft,
    has_message,
    latest
});

/// What is stored of the users of these messages, by the place of each message among them.
async fn find(
    transaction: &Transaction,
    drafts: &[&mut Draft<'_>],
) -> Result<HashMap<usize, Stored>, TransactionError> {
    const COLUMNS: [(&str, Column); 5] = [
        ("draft", Column::Int),
        ("user", Column::Uuid),
        ("id_there", Column::Text),
        ("alias", Column::Uuid),
        ("at", Column::Int),
    ];
    let known = drafts.iter().enumerate();
    let known = known.filter(|(_, draft)| draft.is_known);
    let (own, others): (Vec<_>, Vec<_>) = known.partition(|(_, draft)| draft.sent_as.is_none());
    let mut stored = HashMap::new();
    for (drafts, sent_as) in [(own, "IS NULL"), (others, "= wanted.alias")] {
        if drafts.is_empty() {
            continue;
        }
        let rows: Vec<_> = drafts
            .iter()
            .map(|(at, draft)| {
                (
                    at,
                    Key(draft.user),
                    &draft.message.external_id,
                    draft.sent_as.map(Key),
                    draft.message.sent_at,
                )
            })
            .collect();
        let rows = Rows::new(&COLUMNS, &rows);
        let wanted = rows.subquery(transaction.dialect(), "$1");
        let sql = format!(
            "SELECT found.draft, found.id IS NOT NULL AS has_message, CASE WHEN found.id IS NULL THEN \
                 (SELECT messages.id FROM messages WHERE messages.chat_user_id = found.user AND messages.sent_at = found.at \
                  ORDER BY messages.id DESC LIMIT 1) END AS latest \
             FROM (SELECT wanted.draft, wanted.user, wanted.at, \
                 (SELECT messages.id FROM messages WHERE messages.chat_user_id = wanted.user \
                  AND messages.external_id = wanted.id_there AND messages.sent_as {sent_as}) AS id FROM {wanted} AS wanted) AS found"
        );
        let statement = transaction.dialect().raw(sql, [rows.value()]);
        let found: Vec<Stored> = transaction.fetch(statement).await?;
        let by_place = found.into_iter();
        stored.extend(by_place.filter_map(|one| Some((usize::try_from(one.draft).ok()?, one))));
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
pub(super) async fn insert(
    transaction: &Transaction,
    drafts: &[&Draft<'_>],
) -> Result<(), TransactionError> {
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
