//! Chat users: made when an event first names them, their profile overwritten by what events say, counted.
#![expect(
    clippy::ref_option_ref,
    reason = "the derive that writes rows as arrays borrows each field"
)]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::ActiveEnum;
use serde_tuple::Serialize_tuple;
use uuid::Uuid;

use super::event::{Event, UserPart, said};
use crate::clock::Timestamp;
use crate::db::dialect::Dialect;
use crate::db::{Column, FromRow, Key, Rows, Transaction, TransactionError, by_name};
use crate::entity::chat_user::{Entity, Model};
use crate::entity::platform::Platform;
use crate::id::{ObjectKind, derive};
use crate::read::columns::listed;
use crate::text;

/// Tags as they are stored, when there are none.
const NO_TAGS: &str = "[]";

/// A time before all others.
const LEAST: i64 = i64::MIN + 1;

/// How far the counters of a user move.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Movement {
    pub(super) sessions: i64,
    pub(super) messages: i64,
    pub(super) own_messages: i64,
    pub(super) cost: i64,
    pub(super) last_message: Option<(Timestamp, Uuid)>,
    /// The latest start of a session that is new.
    pub(super) last_start: Option<Timestamp>,
    pub(super) created_at: Option<Timestamp>,
    /// The latest time at which the user stopped the bot.
    pub(super) stopped_at: Option<Timestamp>,
}

type NaturalKey<'a> = (Uuid, Platform, &'a str);

/// The users of a batch.
pub(super) struct Profile<'a> {
    drafts: Vec<Draft<'a>>,
    places: HashMap<NaturalKey<'a>, usize>,
    /// Former ids of users whom events name as they were before they were merged into others.
    aliases: HashMap<NaturalKey<'a>, Uuid>,
}

/// A column with a value for users some of whose stored messages are in sessions by rule (`write::session_gap`).
fn has_rule(dialect: Dialect) -> String {
    format!(
        "(SELECT messages.by_rule FROM messages{} WHERE messages.chat_user_id = chat_users.id AND messages.by_rule = 1 LIMIT 1) AS has_rule",
        dialect.by_index("messages_by_rule")
    )
}

/// A user of the batch: as stored, and as it is to be.
struct Draft<'a> {
    key: NaturalKey<'a>,
    /// The first event of theirs that is taken: what their id is made of.
    first: &'a Event,
    id: Option<Uuid>,
    /// Who they are on their platform, where events name somebody who was merged into them.
    merged_into: Option<(Platform, String)>,
    /// Since when a stored user is known.
    known_since: Option<Timestamp>,
    stored: Option<Fields>,
    fields: Fields,
    wanted: bool,
    /// Whether stored messages of theirs are in sessions by rule.
    has_rule: bool,
}

/// What a profile holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) phone_number: Option<String>,
    pub(super) profile_picture_url: Option<String>,
    pub(super) language: Option<String>,
    pub(super) tags: Option<String>,
    pub(super) settings: Option<String>,
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
    /// The tags, sorted.
    pub(super) fn tags(&self) -> Vec<String> {
        let tags = self
            .tags
            .as_deref()
            .and_then(|tags| serde_json::from_str(tags).ok());
        tags.unwrap_or_default()
    }

    /// The settings.
    pub(super) fn settings(&self) -> serde_json::Map<String, serde_json::Value> {
        let settings = self
            .settings
            .as_deref()
            .and_then(|settings| serde_json::from_str(settings).ok());
        settings.unwrap_or_default()
    }

    /// Tells whether anything is otherwise than before.
    fn overwrite(&mut self, part: &UserPart) -> bool {
        let before = self.clone();
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
        *self != before
    }

    fn search_text(&self, id: Uuid, platform_id: &str) -> String {
        let digits = self.phone_number.as_deref().map(text::digits);
        let id = ObjectKind::ChatUser.encode(id);
        text::search_text([
            self.name.as_deref(),
            self.email.as_deref(),
            self.phone_number.as_deref(),
            digits.as_deref(),
            Some(platform_id),
            Some(&id),
        ])
    }
}

/// A user as inserted.
#[derive(Serialize_tuple)]
struct Row<'a> {
    id: Key,
    agent: Key,
    platform: Platform,
    platform_id: &'a str,
    created_at: Timestamp,
    name: Option<&'a str>,
    name_key: Option<String>,
    email: Option<&'a str>,
    email_key: Option<String>,
    phone_number: Option<&'a str>,
    profile_picture_url: Option<&'a str>,
    language: Option<&'a str>,
    tags: &'a str,
    settings: &'a str,
    search_text: String,
    last_interaction_at: Timestamp,
    last_message_at: Option<Timestamp>,
    last_message_id: Option<Key>,
    sessions: i64,
    messages: i64,
    own_messages: i64,
    cost: i64,
    stopped_at: Option<Timestamp>,
}

impl Draft<'_> {
    fn fill(&mut self, row: Model, has_rule: bool) {
        self.id = Some(row.id);
        self.known_since = Some(row.created_at);
        self.has_rule = has_rule;
        let stored = Fields::from(row);
        self.fields = stored.clone();
        self.stored = Some(stored);
    }

    /// Who the stored user is, on their platform.
    fn stored_as(&self) -> (Platform, &str) {
        let (_, platform, platform_id) = self.key;
        self.merged_into
            .as_ref()
            .map_or((platform, platform_id), |(platform, platform_id)| {
                (*platform, platform_id)
            })
    }

    fn row(&self, id: Uuid, by: &Movement) -> Row<'_> {
        let (agent, platform, platform_id) = self.key;
        let fields = &self.fields;
        let first = self.first.earliest();
        let created_at = by.created_at.map_or(first, |known| known.min(first));
        let (last_message_at, last_message_id) = by.last_message.unzip();
        Row {
            id: Key(id),
            agent: Key(agent),
            platform,
            platform_id,
            created_at,
            name: fields.name.as_deref(),
            name_key: fields.name.as_deref().and_then(text::key),
            email: fields.email.as_deref(),
            email_key: fields.email.as_deref().and_then(text::stored_email_key),
            phone_number: fields.phone_number.as_deref(),
            profile_picture_url: fields.profile_picture_url.as_deref(),
            language: fields.language.as_deref(),
            tags: fields.tags.as_deref().unwrap_or(NO_TAGS),
            settings: fields.settings.as_deref().unwrap_or("{}"),
            search_text: fields.search_text(id, platform_id),
            last_interaction_at: by.last_start.max(last_message_at).unwrap_or(created_at),
            last_message_at,
            last_message_id: last_message_id.map(Key),
            sessions: by.sessions,
            messages: by.messages,
            own_messages: by.own_messages,
            cost: by.cost,
            stopped_at: by.stopped_at.filter(|_| by.stopped_at > last_message_at),
        }
    }
}

impl<'a> Profile<'a> {
    /// The users that events name, each once.
    pub(super) fn of(events: impl Iterator<Item = (Uuid, &'a Event)>) -> Self {
        let mut users = Self {
            drafts: Vec::new(),
            places: HashMap::new(),
            aliases: HashMap::new(),
        };
        for (agent, event) in events {
            let key = (agent, event.user.platform, event.user.platform_id.as_str());
            users.places.entry(key).or_insert_with(|| {
                users.drafts.push(Draft {
                    key,
                    first: event,
                    id: None,
                    merged_into: None,
                    known_since: None,
                    stored: None,
                    fields: Fields::default(),
                    wanted: false,
                    has_rule: false,
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
    pub(super) async fn find(&mut self, transaction: &Transaction) -> Result<(), TransactionError> {
        const COLUMNS: [(&str, Column); 3] = [
            ("agent", Column::Uuid),
            ("platform_name", Column::Text),
            ("id_there", Column::Text),
        ];
        let rows: Vec<_> = self
            .drafts
            .iter()
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
            "SELECT {listed}, {has_rule} \
             FROM {wanted} AS wanted JOIN chat_users ON chat_users.agent_id = wanted.agent \
             AND chat_users.platform = wanted.platform_name AND chat_users.platform_id = wanted.id_there",
            listed = listed::<Entity>(),
            has_rule = has_rule(transaction.dialect()),
        );
        let found = transaction
            .rows(transaction.dialect().raw(sql, [rows.value()]))
            .await?;
        for found in found {
            let has_rule = found.try_get::<Option<i64>>("", "has_rule")?.is_some();
            let row = Model::from_row(&found)?;
            if let Some(&place) =
                self.places
                    .get(&(row.agent_id, row.platform, row.platform_id.as_str()))
            {
                self.drafts[place].fill(row, has_rule);
            }
        }
        self.find_merged(transaction).await
    }

    /// Fills in what is stored of those who are not there, because they were merged into others. An event then speaks of the
    /// user they were merged into.
    async fn find_merged(&mut self, transaction: &Transaction) -> Result<(), TransactionError> {
        const COLUMNS: [(&str, Column); 4] = [
            ("place", Column::Int),
            ("agent", Column::Uuid),
            ("platform_name", Column::Text),
            ("id_there", Column::Text),
        ];
        let missing = self.drafts.iter().enumerate();
        let missing = missing.filter(|(_, draft)| draft.id.is_none());
        let rows: Vec<_> = missing
            .map(|(place, draft)| (place, Key(draft.key.0), draft.key.1, draft.key.2))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let rows = Rows::new(&COLUMNS, &rows);
        let wanted = rows.subquery(transaction.dialect(), "$1");
        let sql = format!(
            "SELECT {listed}, {has_rule}, wanted.place, chat_user_aliases.id AS alias FROM {wanted} AS wanted \
             JOIN chat_user_aliases ON chat_user_aliases.agent_id = wanted.agent \
             AND chat_user_aliases.platform = wanted.platform_name AND chat_user_aliases.platform_id = wanted.id_there \
             JOIN chat_users ON chat_users.id = chat_user_aliases.chat_user_id ORDER BY wanted.place",
            listed = listed::<Entity>(),
            has_rule = has_rule(transaction.dialect()),
        );
        let statement = transaction.dialect().raw(sql, [rows.value()]);
        for row in transaction.rows(statement).await? {
            let place: i64 = row.try_get("", "place")?;
            let place = usize::try_from(place).unwrap_or_default();
            let key = self.drafts[place].key;
            self.aliases.insert(key, row.try_get("", "alias")?);
            let has_rule = row.try_get::<Option<i64>>("", "has_rule")?.is_some();
            let row = Model::from_row(&row)?;
            let there = self
                .drafts
                .iter()
                .position(|draft| draft.id == Some(row.id));
            if let Some(there) = there {
                self.places.insert(key, there);
            } else {
                let draft = &mut self.drafts[place];
                draft.merged_into = Some((row.platform, row.platform_id.clone()));
                draft.fill(row, has_rule);
            }
        }
        Ok(())
    }

    /// The former id of the user whom an event names, where that one was merged into another.
    pub(super) fn alias(&self, agent: Uuid, event: &'a Event) -> Option<Uuid> {
        let key = (agent, event.user.platform, event.user.platform_id.as_str());
        self.aliases.get(&key).copied()
    }

    /// Leaves out of the movements of stored users the times from which they were known already.
    pub(super) fn forget_known(&self, movements: &mut BTreeMap<Uuid, Movement>) {
        for draft in &self.drafts {
            let Some(by) = draft.id.and_then(|id| movements.get_mut(&id)) else {
                continue;
            };
            let is_news = |at: &Timestamp| draft.known_since.is_none_or(|known| *at < known);
            by.created_at = by.created_at.filter(is_news);
        }
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

    /// The user's platform.
    pub(super) fn platform(&self, user: usize) -> Platform {
        self.drafts[user].key.1
    }

    /// Whether stored messages of the user are in sessions by rule.
    pub(super) fn has_rule(&self, user: usize) -> bool {
        self.drafts[user].has_rule
    }

    /// Overwrites what an event says. Tells whether that was news.
    pub(super) fn merge(&mut self, user: usize, event: &'a Event) -> bool {
        let draft = &mut self.drafts[user];
        if !draft.wanted {
            draft.first = event;
            draft.wanted = true;
        }
        draft.fields.overwrite(&event.user)
    }

    /// Whether the user was stored before this batch.
    pub(super) fn is_stored(&self, user: usize) -> bool {
        self.drafts[user].stored.is_some()
    }

    /// Gives the users that are not stored their ids. Tells who these are. `before` says how many users an agent has.
    pub(super) fn identify(&mut self, id_salt: u8, before: impl Fn(Uuid) -> i64) -> Vec<usize> {
        let mut new: HashMap<Uuid, i64> = HashMap::new();
        let missing = self
            .drafts
            .iter_mut()
            .enumerate()
            .filter(|(_, draft)| draft.stored.is_none() && draft.wanted);
        missing
            .map(|(at, draft)| {
                let Event {
                    session, message, ..
                } = draft.first;
                let message = message
                    .as_ref()
                    .map(|message| message.external_id.as_bytes());
                let agent = draft.key.0;
                let number = new.entry(agent).or_insert_with(|| before(agent));
                *number += 1;
                let number = number.to_be_bytes();
                // A session is one user's. A message without one may be told of many users under the same id, and then their
                // number among the users of the agent tells them apart.
                let mark = session
                    .external_id
                    .as_ref()
                    .map_or(&number[..], |id| id.as_bytes());
                let seed: [&[u8]; 5] = [
                    b"user",
                    agent.as_bytes(),
                    mark,
                    message.unwrap_or_default(),
                    &[id_salt],
                ];
                draft.id = Some(derive(draft.first.earliest(), &seed));
                at
            })
            .collect()
    }

    /// Makes the users that are new, with their counters: a row that is touched once is in each of its many indexes once.
    pub(super) async fn insert(
        &self,
        transaction: &Transaction,
        new: &[usize],
        movements: &BTreeMap<Uuid, Movement>,
    ) -> Result<(), TransactionError> {
        const COLUMNS: [(&str, Column); 23] = [
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
            ("last_interaction_at", Column::Int),
            ("last_message_at", Column::Int),
            ("last_message_id", Column::Uuid),
            ("total_sessions", Column::Int),
            ("total_chat_messages", Column::Int),
            ("total_messages_sent", Column::Int),
            ("total_cost_micros", Column::Int),
            ("stopped_at", Column::Int),
        ];
        let rows: Vec<_> = new
            .iter()
            .map(|&user| {
                let by = movements.get(&self.id(user)).copied().unwrap_or_default();
                self.drafts[user].row(self.id(user), &by)
            })
            .collect();
        transaction
            .insert_all("chat_users", &COLUMNS, &rows)
            .await?;
        let tagged: Vec<_> = rows
            .iter()
            .filter(|row| row.tags != NO_TAGS)
            .map(|row| (row.id, row.agent, row.tags))
            .collect();
        list_by_tag(transaction, &tagged).await?;
        let texts = rows
            .iter()
            .map(|row| (row.id, row.agent, row.platform, &*row.search_text));
        index(transaction, texts).await
    }

    /// Changes the stored profiles that are not what they are to be.
    pub(super) async fn update(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        let changed: Vec<_> = self
            .drafts
            .iter()
            .filter_map(|draft| {
                let before = draft.stored.clone()?;
                let agent = draft.key.0;
                let (platform, platform_id) = draft.stored_as();
                (before != draft.fields).then(|| Rewrite {
                    id: draft.id.unwrap_or_default(),
                    agent,
                    platform,
                    platform_id,
                    before,
                    after: draft.fields.clone(),
                })
            })
            .collect();
        rewrite(transaction, &changed).await
    }
}

/// A stored profile that is to become another.
pub(super) struct Rewrite<'a> {
    pub(super) id: Uuid,
    pub(super) agent: Uuid,
    pub(super) platform: Platform,
    pub(super) platform_id: &'a str,
    pub(super) before: Fields,
    pub(super) after: Fields,
}

/// Changes stored profiles, each to its next version.
pub(super) async fn rewrite(
    transaction: &Transaction,
    changed: &[Rewrite<'_>],
) -> Result<(), TransactionError> {
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
        .map(|change| {
            let Fields {
                name,
                email,
                phone_number,
                profile_picture_url,
                language,
                tags,
                settings,
            } = &change.after;
            (
                Key(change.id),
                name,
                name.as_deref().and_then(text::key),
                email,
                email.as_deref().and_then(text::stored_email_key),
                phone_number,
                profile_picture_url,
                language,
                tags,
                settings,
                change.after.search_text(change.id, change.platform_id),
            )
        })
        .collect();
    let mut set = "version = version + 1".to_owned();
    let found_by_more: Vec<_> = changed
        .iter()
        .zip(&rows)
        .filter(|(change, row)| change.before.search_text(change.id, change.platform_id) != row.10)
        .collect();
    let search_text = (!found_by_more.is_empty()).then_some("search_text");
    for name in rewritten(changed).into_iter().chain(search_text) {
        set.extend([", ", name, " = batch.", name]);
    }
    if rows.is_empty() {
        return Ok(());
    }
    let statement = transaction.updating("chat_users", &COLUMNS, &rows, &set);
    transaction
        .enqueue_mergeable("chat_users", statement)
        .await?;
    let tagged: Vec<_> = changed
        .iter()
        .filter(|change| change.before.tags != change.after.tags)
        .map(|change| {
            let tags = change.after.tags.as_deref().unwrap_or(NO_TAGS);
            (Key(change.id), Key(change.agent), tags)
        })
        .collect();
    unlist(transaction, &tagged).await?;
    list_by_tag(transaction, &tagged).await?;
    let texts = found_by_more
        .iter()
        .map(|(change, row)| (row.0, Key(change.agent), change.platform, &*row.10));
    index(transaction, texts).await
}

/// A stored user, with what is folded of them.
struct Folded {
    id: Uuid,
    agent_id: Uuid,
    platform: Platform,
    platform_id: String,
    name: Option<String>,
    name_key: Option<String>,
    email: Option<String>,
    email_key: Option<String>,
    phone_number: Option<String>,
    search_text: String,
}
by_name!(Folded {
    id,
    agent_id,
    platform,
    platform_id,
    name,
    name_key,
    email,
    email_key,
    phone_number,
    search_text
});

/// Folds the texts of the next users by their ids, as they are folded now; a name that shows nothing goes. Answers the last of them; none
/// when there are no more.
pub(super) async fn refold(
    transaction: &Transaction,
    after: Uuid,
    most: u64,
) -> Result<Option<Uuid>, TransactionError> {
    const COLUMNS: [(&str, Column); 5] = [
        ("id", Column::Uuid),
        ("name", Column::Text),
        ("name_key", Column::Text),
        ("email_key", Column::Text),
        ("search_text", Column::Text),
    ];
    let dialect = transaction.dialect();
    let sql = format!(
        "SELECT id, agent_id, platform, platform_id, name, name_key, email, email_key, phone_number, search_text \
         FROM chat_users WHERE id > $1 AND erased_at IS NULL ORDER BY id LIMIT {most}{}",
        dialect.locking("chat_users")
    );
    let stored: Vec<Folded> = transaction.fetch(dialect.raw(sql, [after.into()])).await?;
    let last = stored.last().map(|user| user.id);
    let (mut rows, mut texts) = (Vec::new(), Vec::new());
    for user in stored {
        let fields = Fields {
            name: user
                .name
                .as_deref()
                .and_then(text::visible)
                .map(str::to_owned),
            email: user.email,
            phone_number: user.phone_number,
            ..Fields::default()
        };
        let name_key = fields.name.as_deref().and_then(text::key);
        let email_key = fields.email.as_deref().and_then(text::stored_email_key);
        let search_text = fields.search_text(user.id, &user.platform_id);
        if search_text != user.search_text {
            let place = (Key(user.id), Key(user.agent_id), user.platform);
            texts.push((place, search_text.clone()));
        }
        let same = (&fields.name, &name_key, &email_key, &search_text)
            == (
                &user.name,
                &user.name_key,
                &user.email_key,
                &user.search_text,
            );
        if !same {
            rows.push((Key(user.id), fields.name, name_key, email_key, search_text));
        }
    }
    if !rows.is_empty() {
        let set = "name = batch.name, name_key = batch.name_key, email_key = batch.email_key, search_text = batch.search_text";
        transaction
            .update("chat_users", &COLUMNS, &rows, set)
            .await?;
    }
    let texts = texts
        .iter()
        .map(|((id, agent, platform), text)| (*id, *agent, *platform, text.as_str()));
    index(transaction, texts).await?;
    Ok(last)
}

/// The columns that become others. One that is set is written into its indexes, also when it stays what it was.
fn rewritten(changed: &[Rewrite<'_>]) -> Vec<&'static str> {
    let mut columns = Vec::new();
    let mut any = |names: &[&'static str], value: fn(&Fields) -> &Option<String>| {
        let differs = |one: &Rewrite<'_>| value(&one.before) != value(&one.after);
        if changed.iter().any(differs) {
            columns.extend_from_slice(names);
        }
    };
    any(&["name", "name_key"], |of| &of.name);
    any(&["email", "email_key"], |of| &of.email);
    any(&["phone_number"], |of| &of.phone_number);
    any(&["profile_picture_url"], |of| &of.profile_picture_url);
    any(&["language"], |of| &of.language);
    any(&["tags"], |of| &of.tags);
    any(&["settings"], |of| &of.settings);
    columns
}

/// A user with the tags that are to be listed: id, agent, tags.
type Tagged<'a> = (Key, Key, &'a str);

const TAGGED: [(&str, Column); 3] = [
    ("id", Column::Uuid),
    ("agent", Column::Uuid),
    ("tags", Column::Text),
];

/// Takes users out of the lists by tag.
async fn unlist(transaction: &Transaction, users: &[Tagged<'_>]) -> Result<(), TransactionError> {
    if users.is_empty() {
        return Ok(());
    }
    let rows = Rows::new(&TAGGED, users);
    let batch = rows.subquery(transaction.dialect(), "$1");
    let sql = format!(
        "DELETE FROM chat_user_tags WHERE chat_user_id IN (SELECT id FROM {batch} AS batch)"
    );
    let statement = transaction.dialect().raw(sql, [rows.value()]);
    transaction.enqueue(statement).await
}

/// Puts users into the lists by tag, in none of which they are.
async fn list_by_tag(
    transaction: &Transaction,
    users: &[Tagged<'_>],
) -> Result<(), TransactionError> {
    if users.is_empty() {
        return Ok(());
    }
    let rows = Rows::new(&TAGGED, users);
    let batch = rows.subquery(transaction.dialect(), "$1");
    let sql = format!(
        "INSERT INTO chat_user_tags (tag, agent_id, chat_user_id) \
         SELECT tag.value, batch.agent, batch.id FROM {batch} AS batch CROSS JOIN {}",
        transaction.dialect().each_tag("batch.tags")
    );
    let statement = transaction.dialect().raw(sql, [rows.value()]);
    transaction.enqueue(statement).await
}

/// Lets a search find users, of these agents and platforms, by these search texts.
async fn index<'a>(
    transaction: &Transaction,
    texts: impl Iterator<Item = (Key, Key, Platform, &'a str)>,
) -> Result<(), TransactionError> {
    let users: Vec<_> = texts
        .map(|(id, agent, platform, text)| (id.0, agent.0, platform.into_value(), text))
        .collect();
    if !users.is_empty() {
        let statement = transaction.dialect().index(&users);
        transaction
            .enqueue_mergeable("chat_user_grams", statement)
            .await?;
    }
    Ok(())
}

/// Moves the counters of stored users. The last interaction is looked up again: a session's start can move back.
pub(super) async fn count(
    transaction: &Transaction,
    movements: &BTreeMap<Uuid, Movement>,
    new: &HashSet<Uuid>,
) -> Result<(), TransactionError> {
    // A column that is set is written into its indexes, also when it stays what it was: users are moved together whose
    // same columns move.
    let mut groups: BTreeMap<Vec<Part>, Vec<_>> = BTreeMap::new();
    for (id, by) in movements.iter().filter(|(id, _)| !new.contains(id)) {
        groups.entry(by.parts()).or_default().push((*id, *by));
    }
    for (parts, users) in groups {
        count_together(transaction, &parts, &users).await?;
    }
    Ok(())
}

/// Columns that a movement may leave alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Sessions,
    OwnMessages,
    Cost,
    CreatedAt,
    Stopped,
}

impl Movement {
    fn parts(&self) -> Vec<Part> {
        let moved = [
            (Part::Sessions, self.sessions != 0),
            (Part::OwnMessages, self.own_messages != 0),
            (Part::Cost, self.cost != 0),
            (Part::CreatedAt, self.created_at.is_some()),
            (
                Part::Stopped,
                self.own_messages != 0 || self.stopped_at.is_some(),
            ),
        ];
        let moved = moved.into_iter().filter(|(_, moved)| *moved);
        moved.map(|(part, _)| part).collect()
    }
}

impl Part {
    /// How it moves, by what the batch says.
    fn set(self, dialect: Dialect) -> Cow<'static, str> {
        let set = match self {
            // Whoever writes is back. What counts is which of the two was later, and not which was told first.
            Self::Stopped => {
                let later = |one: &str, other: &str| {
                    format!(
                        "{}(COALESCE({one}, {LEAST}), COALESCE({other}, {LEAST}))",
                        dialect.greatest()
                    )
                };
                let stopped = later("chat_users.stopped_at", "batch.stopped_at");
                let wrote = later("chat_users.last_message_at", "batch.message_at");
                return format!("stopped_at = CASE WHEN {stopped} > {wrote} THEN {stopped} END")
                    .into();
            }
            Self::Sessions => "total_sessions = total_sessions + batch.sessions",
            Self::OwnMessages => {
                "total_messages_sent = total_messages_sent + batch.own_messages, \
                 last_message_at = CASE WHEN chat_users.last_message_at IS NULL OR (batch.message_at, batch.message_id) \
                     > (chat_users.last_message_at, chat_users.last_message_id) THEN batch.message_at ELSE last_message_at END, \
                 last_message_id = CASE WHEN chat_users.last_message_at IS NULL OR (batch.message_at, batch.message_id) \
                     > (chat_users.last_message_at, chat_users.last_message_id) THEN batch.message_id ELSE last_message_id END"
            }
            Self::Cost => "total_cost_micros = total_cost_micros + batch.cost",
            Self::CreatedAt => {
                "created_at = CASE WHEN batch.created_at < chat_users.created_at THEN batch.created_at ELSE chat_users.created_at END"
            }
        };
        set.into()
    }
}

async fn count_together(
    transaction: &Transaction,
    parts: &[Part],
    users: &[(Uuid, Movement)],
) -> Result<(), TransactionError> {
    const COLUMNS: [(&str, Column); 9] = [
        ("id", Column::Uuid),
        ("sessions", Column::Int),
        ("messages", Column::Int),
        ("own_messages", Column::Int),
        ("cost", Column::Int),
        ("message_at", Column::Int),
        ("message_id", Column::Uuid),
        ("created_at", Column::Int),
        ("stopped_at", Column::Int),
    ];
    let rows: Vec<_> = users
        .iter()
        .map(|(id, by)| {
            let (message_at, message_id) = by.last_message.unzip();
            (
                Key(*id),
                by.sessions,
                by.messages,
                by.own_messages,
                by.cost,
                message_at,
                message_id.map(Key),
                by.created_at,
                by.stopped_at,
            )
        })
        .collect();
    let always = format!(
        "total_chat_messages = total_chat_messages + batch.messages, \
         last_interaction_at = {greatest}(COALESCE(batch.message_at, {LEAST}), COALESCE(chat_users.last_message_at, {LEAST}), \
         COALESCE((SELECT MAX(started_at) FROM sessions WHERE sessions.chat_user_id = chat_users.id), chat_users.created_at))",
        greatest = transaction.dialect().greatest(),
    );
    let dialect = transaction.dialect();
    let set = parts
        .iter()
        .fold(always, |set, part| format!("{set}, {}", part.set(dialect)));
    transaction
        .update("chat_users", &COLUMNS, &rows, &set)
        .await
}
