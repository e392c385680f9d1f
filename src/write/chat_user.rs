//! Chat users: made when an event first names them, their profile overwritten by what events say, counted.

use std::collections::{BTreeMap, HashMap};

use sea_orm::DbErr;
use uuid::Uuid;

use super::event::{Event, UserPart, said};
use crate::clock::Timestamp;
use crate::db::{Column, Key, Rows, Transaction};
use crate::entity::chat_user::Model;
use crate::entity::platform::Platform;
use crate::id::{Noun, derive};
use crate::read::search;

/// How far the counters of a user move.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Movement {
    pub(super) sessions: i64,
    pub(super) messages: i64,
    pub(super) own_messages: i64,
    pub(super) cost: i64,
    pub(super) last_message: Option<(Timestamp, Uuid)>,
    pub(super) created_at: Option<Timestamp>,
}

type NaturalKey<'a> = (Uuid, Platform, &'a str);

/// The users of a batch.
pub(super) struct Profile<'a> {
    drafts: Vec<Draft<'a>>,
    places: HashMap<NaturalKey<'a>, usize>,
}

/// A user of the batch: as stored, and as it is to be.
struct Draft<'a> {
    key: NaturalKey<'a>,
    /// The first event of theirs that is taken: what their id is made of.
    first: &'a Event,
    id: Option<Uuid>,
    stored: Option<Fields>,
    fields: Fields,
    wanted: bool,
}

/// What a profile holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fields {
    name: Option<String>,
    email: Option<String>,
    phone_number: Option<String>,
    profile_picture_url: Option<String>,
    language: Option<String>,
    tags: Option<String>,
    settings: Option<String>,
}

impl From<Model> for Fields {
    fn from(row: Model) -> Self {
        Self {
            name: row.name,
            email: row.email,
            phone_number: row.phone_number,
            profile_picture_url: row.profile_picture_url,
            language: row.language,
            tags: Some(row.tags),
            settings: Some(row.settings),
        }
    }
}

impl Fields {
    fn overwrite(&mut self, part: &UserPart) {
        let line = |field: &mut Option<String>, said_now: Option<&String>| {
            if let Some(line) = said(said_now) {
                *field = Some(line.to_owned());
            }
        };
        line(&mut self.name, part.name.as_ref());
        line(&mut self.email, part.email.as_ref());
        line(&mut self.phone_number, part.phone.as_ref());
        line(
            &mut self.profile_picture_url,
            part.profile_picture_url.as_ref(),
        );
        line(&mut self.language, part.language.as_ref());
        if let Some(tags) = &part.tags {
            self.tags = Some(super::tags(tags));
        }
        if let Some(settings) = &part.settings {
            self.settings = serde_json::to_string(settings).ok();
        }
    }

    fn search_text(&self, id: Uuid, platform_id: &str) -> String {
        let digits = self.phone_number.as_deref().map(search::digits);
        let id = Noun::ChatUser.encode(id);
        search::text([
            self.name.as_deref(),
            self.email.as_deref(),
            self.phone_number.as_deref(),
            digits.as_deref(),
            Some(platform_id),
            Some(&id),
        ])
    }
}

impl<'a> Profile<'a> {
    /// The users that events name, each once.
    pub(super) fn of(events: impl Iterator<Item = (Uuid, &'a Event)>) -> Self {
        let mut users = Self {
            drafts: Vec::new(),
            places: HashMap::new(),
        };
        for (agent, event) in events {
            let key = (agent, event.user.platform, event.user.platform_id.as_str());
            users.places.entry(key).or_insert_with(|| {
                users.drafts.push(Draft {
                    key,
                    first: event,
                    id: None,
                    stored: None,
                    fields: Fields::default(),
                    wanted: false,
                });
                users.drafts.len() - 1
            });
        }
        users
    }

    /// Which of them an event names.
    pub(super) fn position(&self, agent: Uuid, event: &'a Event) -> usize {
        self.places[&(agent, event.user.platform, event.user.platform_id.as_str())]
    }

    /// Fills in what is stored.
    pub(super) async fn find(&mut self, transaction: &Transaction) -> Result<(), DbErr> {
        const COLUMNS: [(&str, Column); 3] = [
            ("agent", Column::Uuid),
            ("platform_name", Column::Text),
            ("id_there", Column::Text),
        ];
        let missing = self.drafts.iter().filter(|draft| draft.id.is_none());
        let rows: Vec<_> = missing
            .map(
                |Draft {
                     key: (agent, platform, id),
                     ..
                 }| (Key(*agent), platform, *id),
            )
            .collect();
        let rows = Rows::new(&COLUMNS, &rows);
        let wanted = rows.subquery(transaction.dialect(), "$1");
        let sql = format!(
            "SELECT chat_users.* FROM {wanted} AS wanted JOIN chat_users ON chat_users.agent_id = wanted.agent \
             AND chat_users.platform = wanted.platform_name AND chat_users.platform_id = wanted.id_there"
        );
        let found: Vec<Model> = transaction
            .fetch(transaction.dialect().raw(sql, [rows.value()]))
            .await?;
        for row in found {
            if let Some(&place) =
                self.places
                    .get(&(row.agent_id, row.platform, row.platform_id.as_str()))
            {
                let draft = &mut self.drafts[place];
                draft.id = Some(row.id);
                let stored = Fields::from(row);
                draft.fields = stored.clone();
                draft.stored = Some(stored);
            }
        }
        Ok(())
    }

    /// The id of a user that was stored before this batch.
    pub(super) fn stored_id(&self, user: usize) -> Option<Uuid> {
        self.drafts[user].id
    }

    /// The id of a user.
    pub(super) fn id(&self, user: usize) -> Uuid {
        self.drafts[user].id.unwrap_or_default()
    }

    /// The agent of a user.
    pub(super) fn agent(&self, user: usize) -> Uuid {
        self.drafts[user].key.0
    }

    /// Overwrites what an event says.
    pub(super) fn merge(&mut self, user: usize, event: &'a Event) {
        let draft = &mut self.drafts[user];
        if !draft.wanted {
            draft.first = event;
            draft.wanted = true;
        }
        draft.fields.overwrite(&event.user);
    }

    /// Makes the users that are missing and changes the profiles that are not what they are to be. Tells who is new.
    pub(super) async fn save(&mut self, transaction: &Transaction) -> Result<Vec<usize>, DbErr> {
        let changed: Vec<_> = (0..self.drafts.len())
            .filter(|&user| {
                self.drafts[user]
                    .stored
                    .as_ref()
                    .is_some_and(|stored| *stored != self.drafts[user].fields)
            })
            .collect();
        self.update(transaction, &changed).await?;
        let missing: Vec<_> = (0..self.drafts.len())
            .filter(|&user| self.drafts[user].id.is_none() && self.drafts[user].wanted)
            .collect();
        self.insert(transaction, &missing).await?;
        Ok(missing)
    }

    async fn insert(&mut self, transaction: &Transaction, missing: &[usize]) -> Result<(), DbErr> {
        const COLUMNS: [(&str, Column); 15] = [
            ("id", Column::Uuid),
            ("agent_id", Column::Uuid),
            ("platform", Column::Text),
            ("platform_id", Column::Text),
            ("created_at", Column::Int),
            ("name", Column::Text),
            ("name_key", Column::Text),
            ("email", Column::Text),
            ("email_key", Column::Text),
            ("phone_number", Column::Text),
            ("profile_picture_url", Column::Text),
            ("language", Column::Text),
            ("tags", Column::Text),
            ("settings", Column::Text),
            ("search_text", Column::Text),
        ];
        let mut rows = Vec::with_capacity(missing.len());
        for &user in missing {
            let Draft {
                key: (agent, platform, platform_id),
                first,
                fields,
                ..
            } = &self.drafts[user];
            let id = derive(
                first.earliest(),
                &[
                    b"user",
                    agent.as_bytes(),
                    first.session.external_id.as_bytes(),
                    first.message.external_id.as_bytes(),
                    &[transaction.offer()],
                ],
            );
            let Fields {
                name,
                email,
                phone_number,
                profile_picture_url,
                language,
                tags,
                settings,
            } = fields;
            rows.push((
                Key(id),
                Key(*agent),
                *platform,
                *platform_id,
                first.earliest(),
                name,
                name.as_deref().and_then(search::key),
                email,
                email.as_deref().and_then(search::key),
                phone_number,
                profile_picture_url,
                language,
                tags.as_deref().unwrap_or("[]"),
                settings.as_deref().unwrap_or("{}"),
                fields.search_text(id, platform_id),
            ));
        }
        transaction
            .insert_all("chat_users", &COLUMNS, &rows)
            .await?;
        let ids: Vec<_> = rows.iter().map(|row| row.0.0).collect();
        for (&user, id) in missing.iter().zip(ids) {
            self.drafts[user].id = Some(id);
        }
        Ok(())
    }

    async fn update(&self, transaction: &Transaction, changed: &[usize]) -> Result<(), DbErr> {
        const COLUMNS: [(&str, Column); 11] = [
            ("id", Column::Uuid),
            ("name", Column::Text),
            ("name_key", Column::Text),
            ("email", Column::Text),
            ("email_key", Column::Text),
            ("phone_number", Column::Text),
            ("profile_picture_url", Column::Text),
            ("language", Column::Text),
            ("tags", Column::Text),
            ("settings", Column::Text),
            ("search_text", Column::Text),
        ];
        let rows: Vec<_> = changed
            .iter()
            .map(|&user| {
                let Draft {
                    key: (_, _, platform_id),
                    fields,
                    ..
                } = &self.drafts[user];
                let id = self.id(user);
                let Fields {
                    name,
                    email,
                    phone_number,
                    profile_picture_url,
                    language,
                    tags,
                    settings,
                } = fields;
                (
                    Key(id),
                    name,
                    name.as_deref().and_then(search::key),
                    email,
                    email.as_deref().and_then(search::key),
                    phone_number,
                    profile_picture_url,
                    language,
                    tags,
                    settings,
                    fields.search_text(id, platform_id),
                )
            })
            .collect();
        let set: Vec<_> = COLUMNS[1..]
            .iter()
            .map(|(name, _)| format!("{name} = batch.{name}"))
            .collect();
        transaction
            .update("chat_users", &COLUMNS, &rows, &set.join(", "))
            .await
    }
}

/// Moves the counters of users. The last interaction is looked up again: a session's start can move back.
pub(super) async fn count(
    transaction: &Transaction,
    movements: &BTreeMap<Uuid, Movement>,
) -> Result<(), DbErr> {
    const COLUMNS: [(&str, Column); 8] = [
        ("id", Column::Uuid),
        ("sessions", Column::Int),
        ("messages", Column::Int),
        ("own_messages", Column::Int),
        ("cost", Column::Int),
        ("message_at", Column::Int),
        ("message_id", Column::Uuid),
        ("created_at", Column::Int),
    ];
    let rows: Vec<_> = movements
        .iter()
        .map(|(id, by)| {
            let (message_at, message_id) = by.last_message.unzip();
            let created_at = by.created_at.map_or(i64::MAX, |at| at.0);
            (
                Key(*id),
                by.sessions,
                by.messages,
                by.own_messages,
                by.cost,
                message_at,
                message_id.map(Key),
                created_at,
            )
        })
        .collect();
    let newer = "batch.message_at IS NOT NULL AND (chat_users.last_message_at IS NULL \
                 OR (batch.message_at, batch.message_id) > (chat_users.last_message_at, chat_users.last_message_id))";
    let least = i64::MIN + 1;
    let set = format!(
        "total_sessions = total_sessions + batch.sessions, \
         total_chat_messages = total_chat_messages + batch.messages, \
         total_messages_sent = total_messages_sent + batch.own_messages, \
         total_cost_micros = total_cost_micros + batch.cost, \
         created_at = CASE WHEN batch.created_at < chat_users.created_at THEN batch.created_at ELSE chat_users.created_at END, \
         last_message_at = CASE WHEN {newer} THEN batch.message_at ELSE last_message_at END, \
         last_message_id = CASE WHEN {newer} THEN batch.message_id ELSE last_message_id END, \
         last_interaction_at = {greatest}(COALESCE(batch.message_at, {least}), COALESCE(chat_users.last_message_at, {least}), \
             (SELECT MAX(started_at) FROM sessions WHERE sessions.chat_user_id = chat_users.id))",
        greatest = transaction.dialect().greatest()
    );
    transaction
        .update("chat_users", &COLUMNS, &rows, &set)
        .await
}
