//! Sessions: made when an event first names them, described by what events say, counted.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::event::{BY_RULE, Event, SessionPart, said};
use crate::clock::Timestamp;
use crate::db::{Column, Key, Rows, Transaction, TransactionError};
use crate::entity::pii::ERASED;
use crate::entity::platform::Platform;
use crate::entity::session::{Entity, Model};
use crate::id::derive;
use crate::read::columns::listed;

/// How far the counters of a session move.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Movement {
    pub(super) messages: i64,
    pub(super) own_messages: i64,
    pub(super) cost: i64,
    pub(super) last_message_at: Option<Timestamp>,
}

/// The sessions of a batch.
#[derive(Default)]
pub(super) struct Drafts<'a> {
    drafts: Vec<Draft<'a>>,
    places: HashMap<(Uuid, &'a str), usize>,
}

/// A session of the batch: as stored, and as it is to be.
struct Draft<'a> {
    agent: Uuid,
    external_id: Cow<'a, str>,
    platform: Platform,
    /// The start that the first event reports that is taken: what its id is made of.
    first: Timestamp,
    id: Option<Uuid>,
    stored_owner: Option<Uuid>,
    owner: Option<usize>,
    stored: Option<Fields>,
    fields: Fields,
}

impl Draft<'_> {
    /// Start and end.
    const fn times(&self) -> [Option<Timestamp>; 2] {
        [self.fields.started_at, self.fields.ended_at]
    }

    /// Start and end as they are stored.
    fn times_before(&self) -> [Option<Timestamp>; 2] {
        let stored = self.stored.as_ref();
        stored.map_or([None; 2], |stored| [stored.started_at, stored.ended_at])
    }
}

/// What a session holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fields {
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    subject: Option<String>,
    summary: Option<String>,
    language: Option<String>,
    tags: Option<String>,
}

impl From<Model> for Fields {
    fn from(row: Model) -> Self {
        Self {
            started_at: Some(row.started_at),
            ended_at: row.ended_at,
            subject: row.subject,
            summary: row.summary,
            language: row.language,
            tags: Some(row.tags),
        }
    }
}

impl Fields {
    /// Tells whether anything is otherwise than before.
    fn overwrite(&mut self, started_at: Timestamp, part: &SessionPart) -> bool {
        let before = self.clone();
        self.started_at = Some(
            self.started_at
                .map_or(started_at, |known| known.min(started_at)),
        );
        self.ended_at = self.ended_at.max(part.ended_at);
        let line = |field: &mut Option<String>, said_now: Option<&String>| {
            if let Some(line) = said(said_now) {
                *field = Some(line.to_owned());
            }
        };
        line(&mut self.subject, part.subject.as_ref());
        line(&mut self.summary, part.summary.as_ref());
        line(&mut self.language, part.language.as_ref());
        if let Some(tags) = &part.tags {
            self.tags = Some(super::tags(tags));
        }
        *self != before
    }
}

impl<'a> Drafts<'a> {
    /// The session that an event names, if it names one; each is kept once.
    pub(super) fn add(&mut self, agent: Uuid, event: &'a Event) -> Option<usize> {
        let external_id = event.session.external_id.as_deref()?;
        let place = self.places.entry((agent, external_id)).or_insert_with(|| {
            self.drafts.push(Draft {
                agent,
                external_id: Cow::Borrowed(external_id),
                platform: event.user.platform,
                first: event.started_at(),
                id: None,
                stored_owner: None,
                owner: None,
                stored: None,
                fields: Fields::default(),
            });
            self.drafts.len() - 1
        });
        Some(*place)
    }

    /// A session of a user that no event names, and that is not stored.
    pub(super) fn open(
        &mut self,
        owner: usize,
        agent: Uuid,
        platform: Platform,
        external_id: String,
        started_at: Timestamp,
    ) -> usize {
        self.drafts.push(Draft {
            agent,
            external_id: Cow::Owned(external_id),
            platform,
            first: started_at,
            id: None,
            stored_owner: None,
            owner: Some(owner),
            stored: None,
            fields: Fields {
                started_at: Some(started_at),
                ..Fields::default()
            },
        });
        self.drafts.len() - 1
    }

    /// Fills in what is stored.
    pub(super) async fn find(&mut self, transaction: &Transaction) -> Result<(), TransactionError> {
        const COLUMNS: [(&str, Column); 2] = [("agent", Column::Uuid), ("id_there", Column::Text)];
        let rows: Vec<_> = self
            .drafts
            .iter()
            .map(|draft| (Key(draft.agent), &draft.external_id))
            .collect();
        let rows = Rows::new(&COLUMNS, &rows);
        let wanted = rows.subquery(transaction.dialect(), "$1");
        let listed = listed::<Entity>();
        let sql = format!(
            "SELECT {listed} FROM {wanted} AS wanted \
             JOIN sessions ON sessions.agent_id = wanted.agent AND sessions.external_id = wanted.id_there"
        );
        let found: Vec<Model> = transaction
            .fetch(transaction.dialect().raw(sql, [rows.value()]))
            .await?;
        for row in found {
            if let Some(&place) = self.places.get(&(row.agent_id, row.external_id.as_str())) {
                let draft = &mut self.drafts[place];
                draft.id = Some(row.id);
                draft.stored_owner = Some(row.chat_user_id);
                let stored = Fields::from(row);
                draft.fields = stored.clone();
                draft.stored = Some(stored);
            }
        }
        Ok(())
    }

    /// Whether a session is stored as somebody else's.
    pub(super) fn is_foreign(&self, session: usize, stored_user: Option<Uuid>) -> bool {
        let owner = self.drafts[session].stored_owner;
        owner.is_some() && owner != stored_user
    }

    /// Takes their ids off stored sessions whose users are being erased or removed at the moment: what happens under these ids
    /// from now on is another session.
    pub(super) async fn release(
        &mut self,
        transaction: &Transaction,
        sessions: &[usize],
    ) -> Result<(), TransactionError> {
        if sessions.is_empty() {
            return Ok(());
        }
        let dialect = transaction.dialect();
        let ids = Rows::ids(sessions.iter().map(|&session| self.id(session)));
        let sql = format!(
            "UPDATE sessions SET external_id = '{ERASED}' || {} FROM {} AS batch WHERE sessions.id = batch.id \
             AND chat_user_id IN (SELECT chat_user_id FROM deletions WHERE finished_at IS NULL) RETURNING sessions.id",
            dialect.digits("sessions.id"),
            ids.subquery(dialect, "$1")
        );
        for row in transaction.rows(dialect.raw(sql, [ids.value()])).await? {
            let id: Uuid = row.try_get("", "id")?;
            for draft in self.drafts.iter_mut().filter(|one| one.id == Some(id)) {
                draft.id = None;
                draft.stored_owner = None;
                draft.stored = None;
                draft.fields = Fields::default();
            }
        }
        Ok(())
    }

    /// Claims a session for a user of whom an event speaks; tells whether it is theirs.
    pub(super) fn claim(
        &mut self,
        session: usize,
        user: usize,
        stored_user: Option<Uuid>,
        event: &Event,
    ) -> bool {
        let draft = &mut self.drafts[session];
        if draft.stored_owner.is_some() && draft.stored_owner != stored_user {
            return false;
        }
        if draft.owner.is_none() {
            draft.owner = Some(user);
            draft.first = event.started_at();
        }
        draft.owner == Some(user)
    }

    /// Whose session it is, among the users of the batch.
    pub(super) fn owner(&self, session: usize) -> usize {
        self.drafts[session].owner.unwrap_or_default()
    }

    /// The id of a session.
    pub(super) fn id(&self, session: usize) -> Uuid {
        self.drafts[session].id.unwrap_or_default()
    }

    /// Overwrites what an event says. Tells whether that was news.
    pub(super) fn merge(&mut self, session: usize, event: &Event) -> bool {
        self.drafts[session]
            .fields
            .overwrite(event.started_at(), &event.session)
    }

    /// Times from or to which the start or the end of a session moved, each with whose session it is.
    pub(super) fn moved_times(&self) -> Vec<(usize, Timestamp)> {
        let mut moved = Vec::new();
        for draft in &self.drafts {
            let Some(owner) = draft.owner else { continue };
            let (before, after) = (draft.times_before(), draft.times());
            if before != after {
                let times = before.into_iter().chain(after).flatten();
                moved.extend(times.map(|at| (owner, at)));
            }
        }
        moved
    }

    /// The stored sessions that went on until now and have an end now, each with whose session it is.
    pub(super) fn closed(&self) -> Vec<(usize, Uuid)> {
        let closed = self.drafts.iter().filter_map(|draft| {
            let was_open = draft.stored.as_ref()?.ended_at.is_none();
            draft.fields.ended_at.filter(|_| was_open)?;
            Some((draft.owner?, draft.id?))
        });
        closed.collect()
    }

    /// Gives the sessions that are not stored their ids. Tells which these are.
    pub(super) fn identify(&mut self, id_salt: u8) -> Vec<usize> {
        let missing = self
            .drafts
            .iter_mut()
            .enumerate()
            .filter(|(_, draft)| draft.stored.is_none() && draft.owner.is_some());
        missing
            .map(|(at, draft)| {
                let seed: [&[u8]; 4] = [
                    b"session",
                    draft.agent.as_bytes(),
                    draft.external_id.as_bytes(),
                    &[id_salt],
                ];
                draft.id = Some(derive(draft.first, &seed));
                at
            })
            .collect()
    }

    /// When a session starts.
    pub(super) fn started_at(&self, session: usize) -> Option<Timestamp> {
        self.drafts[session].fields.started_at
    }

    /// Makes the sessions that are new, with their counters.
    pub(super) async fn insert(
        &self,
        transaction: &Transaction,
        new: &[usize],
        movements: &BTreeMap<Uuid, Movement>,
        user: impl Fn(usize) -> Uuid,
    ) -> Result<(), TransactionError> {
        const COLUMNS: [(&str, Column); 15] = [
            ("id", Column::Uuid),
            ("agent_id", Column::Uuid),
            ("chat_user_id", Column::Uuid),
            ("external_id", Column::Text),
            ("platform", Column::Text),
            ("started_at", Column::Int),
            ("ended_at", Column::Int),
            ("subject", Column::Text),
            ("summary", Column::Text),
            ("language", Column::Text),
            ("tags", Column::Text),
            ("total_messages", Column::Int),
            ("total_messages_from_user", Column::Int),
            ("total_cost_micros", Column::Int),
            ("last_message_at", Column::Int),
        ];
        let mut rows = Vec::with_capacity(new.len());
        for &session in new {
            let draft = &self.drafts[session];
            let id = self.id(session);
            let by = movements.get(&id).copied().unwrap_or_default();
            let Fields {
                started_at,
                ended_at,
                subject,
                summary,
                language,
                tags,
            } = &draft.fields;
            rows.push((
                Key(id),
                Key(draft.agent),
                Key(user(self.owner(session))),
                &draft.external_id,
                draft.platform,
                started_at,
                ended_at,
                subject,
                summary,
                language,
                tags.as_deref().unwrap_or("[]"),
                by.messages,
                by.own_messages,
                by.cost,
                by.last_message_at,
            ));
        }
        transaction.insert_all("sessions", &COLUMNS, &rows).await
    }

    /// Whether no event named it.
    pub(super) fn is_by_rule(&self, session: usize) -> bool {
        self.drafts[session].external_id.starts_with(BY_RULE)
    }

    /// Changes the stored sessions that are not what they are to be.
    pub(super) async fn update(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        const COLUMNS: [(&str, Column); 7] = [
            ("id", Column::Uuid),
            ("started_at", Column::Int),
            ("ended_at", Column::Int),
            ("subject", Column::Text),
            ("summary", Column::Text),
            ("language", Column::Text),
            ("tags", Column::Text),
        ];
        let changed = self.drafts.iter().filter(|draft| {
            draft
                .stored
                .as_ref()
                .is_some_and(|stored| *stored != draft.fields)
        });
        let rows: Vec<_> = changed
            .map(|draft| {
                let Fields {
                    started_at,
                    ended_at,
                    subject,
                    summary,
                    language,
                    tags,
                } = &draft.fields;
                (
                    draft.id.map(Key),
                    started_at,
                    ended_at,
                    subject,
                    summary,
                    language,
                    tags,
                )
            })
            .collect();
        // Another writer may have moved the start back meanwhile.
        let set = "started_at = CASE WHEN batch.started_at < sessions.started_at THEN batch.started_at ELSE sessions.started_at END, \
                   ended_at = batch.ended_at, subject = batch.subject, summary = batch.summary, language = batch.language, tags = batch.tags";
        transaction.update("sessions", &COLUMNS, &rows, set).await
    }
}

/// Moves the counters of stored sessions.
pub(super) async fn count(
    transaction: &Transaction,
    movements: &BTreeMap<Uuid, Movement>,
    new: &HashSet<Uuid>,
) -> Result<(), TransactionError> {
    const COLUMNS: [(&str, Column); 5] = [
        ("id", Column::Uuid),
        ("messages", Column::Int),
        ("own_messages", Column::Int),
        ("cost", Column::Int),
        ("message_at", Column::Int),
    ];
    let rows: Vec<_> = movements
        .iter()
        .filter(|(id, _)| !new.contains(id))
        .map(|(id, by)| {
            (
                Key(*id),
                by.messages,
                by.own_messages,
                by.cost,
                by.last_message_at,
            )
        })
        .collect();
    let set = "total_messages = total_messages + batch.messages, \
               total_messages_from_user = total_messages_from_user + batch.own_messages, \
               total_cost_micros = total_cost_micros + batch.cost, \
               last_message_at = CASE WHEN batch.message_at IS NOT NULL \
                   AND (sessions.last_message_at IS NULL OR batch.message_at > sessions.last_message_at) \
                   THEN batch.message_at ELSE sessions.last_message_at END";
    transaction.update("sessions", &COLUMNS, &rows, set).await
}
