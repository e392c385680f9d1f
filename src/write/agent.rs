//! Agents: made when an event first names them, renamed when one says so, counted.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::event::{AgentPart, Event, NO_AGENT, said};
use super::platforms;
use super::session_gap::Idle;
use crate::caller;
use crate::clock::Timestamp;
use crate::db::{Column, Key, Rows, Transaction, TransactionError, by_name};
use crate::entity::platform::Platform;
use crate::id::{ObjectKind, derive};
use crate::read::agent_scope;
use crate::text;

/// The agents of a batch, by external id.
#[derive(Debug)]
pub(super) struct Agents<'a> {
    stored: HashMap<&'a str, Known>,
    /// How many users each had before this batch.
    users: HashMap<Uuid, i64>,
    /// How many were made.
    pub(super) new: u64,
}

/// What events have to know of an agent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) id: Uuid,
    /// Takes nothing new.
    pub(super) is_archived: bool,
    /// Silence after which a message that names no session opens one.
    pub(super) idle: Idle,
}

impl Agents<'_> {
    /// Whether the agent of an event takes it, or why not.
    pub(super) fn takes(&self, event: &Event) -> Result<(), &'static str> {
        match self.stored.get(event.agent.external_id.as_str()) {
            None => Err(NO_AGENT),
            Some(agent) if agent.is_archived => Err("is archived, and takes nothing new"),
            Some(_) => Ok(()),
        }
    }

    /// The agent of an event.
    pub(super) fn of(&self, event: &Event) -> Known {
        self.stored
            .get(event.agent.external_id.as_str())
            .copied()
            .unwrap_or_default()
    }

    /// How many users an agent had before this batch.
    pub(super) fn users(&self, agent: Uuid) -> i64 {
        self.users.get(&agent).copied().unwrap_or_default()
    }
}

/// How far the counters of an agent move.
#[derive(Clone, Debug, Default)]
pub(super) struct Movement {
    /// On each platform.
    pub(super) users: BTreeMap<Platform, i64>,
    pub(super) sessions: i64,
    pub(super) messages: i64,
    pub(super) cost: i64,
    pub(super) created_at: Option<Timestamp>,
}

pub(super) struct Stored {
    pub(super) id: Uuid,
    external_id: String,
    name: Option<String>,
    description: Option<String>,
    archived_at: Option<Timestamp>,
    session_idle_minutes: i64,
    total_users: i64,
}
by_name!(Stored {
    id,
    external_id,
    name,
    description,
    archived_at,
    session_idle_minutes,
    total_users
});

impl Stored {
    const fn known(&self) -> Known {
        Known {
            id: self.id,
            is_archived: self.archived_at.is_some(),
            idle: Idle::minutes(self.session_idle_minutes),
        }
    }
}

/// What is said of an agent, taken together.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) session_idle_minutes: i64,
    /// What its id is made of: that of the first event alone, so that it does not depend on how events are batched.
    pub(super) first: Timestamp,
}

/// Finds the agents of a batch, and makes those that are missing; but not for who is limited to some agents: what is not among
/// these is as good as missing, whether it is there or not. Until the transaction ends no other writes to them: what it
/// reads of their users and sessions stays as it is.
pub(super) async fn settle<'a>(
    transaction: &Transaction,
    own: &caller::Agents,
    events: impl Iterator<Item = &'a Event>,
) -> Result<Agents<'a>, TransactionError> {
    let mut drafts: BTreeMap<&'a str, Draft> = BTreeMap::new();
    for event in events {
        let AgentPart {
            external_id,
            name,
            description,
        } = &event.agent;
        let draft = drafts.entry(external_id).or_insert(Draft {
            name: None,
            description: None,
            created_at: event.earliest(),
            session_idle_minutes: Idle::DEFAULT_MINUTES,
            first: event.earliest(),
        });
        for (said_now, field) in [
            (name, &mut draft.name),
            (description, &mut draft.description),
        ] {
            if let Some(line) = said(said_now.as_ref()) {
                *field = Some(line.to_owned());
            }
        }
        draft.created_at = draft.created_at.min(event.earliest());
    }
    let mut stored = find(transaction, own, drafts.keys().copied()).await?;
    let mut new = 0;
    if stored.len() < drafts.len() && *own == caller::Agents::All {
        let missing = drafts
            .iter()
            .filter(|(external_id, _)| !stored.contains_key(**external_id))
            .map(|(external_id, draft)| (*external_id, draft));
        new = insert(transaction, missing).await?;
        stored = find(transaction, own, drafts.keys().copied()).await?;
    }
    rename(transaction, &drafts, &stored).await?;
    Ok(Agents {
        stored: drafts
            .keys()
            .filter_map(|key| Some((*key, stored.get(*key)?.known())))
            .collect(),
        users: stored
            .values()
            .map(|agent| (agent.id, agent.total_users))
            .collect(),
        new,
    })
}

/// Agents by external id, those of `agent_scope`. Until the transaction ends no other writes to them.
pub(super) async fn find(
    transaction: &Transaction,
    own: &caller::Agents,
    external_ids: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Stored>, TransactionError> {
    let rows = Rows::texts(external_ids);
    let wanted = rows.subquery(transaction.dialect(), "$1");
    let (own, ids) = agent_scope::written(own, transaction.dialect(), "agents.id", "$2");
    // In the same order for everyone, so that nobody waits for someone who waits for them.
    let sql = format!(
        "SELECT id, external_id, name, description, archived_at, session_idle_minutes, total_users FROM agents JOIN {wanted} AS wanted ON agents.external_id = wanted.value \
         WHERE {own} ORDER BY external_id{}",
        transaction.dialect().locking("agents")
    );
    let values = std::iter::once(rows.value()).chain(ids);
    let found: Vec<Stored> = transaction
        .fetch(transaction.dialect().raw(sql, values))
        .await?;
    Ok(found
        .into_iter()
        .map(|agent| (agent.external_id.clone(), agent))
        .collect())
}

/// Holds an agent: until the transaction ends no other writes to it and its users. Whether there is one.
pub(super) async fn hold(transaction: &Transaction, id: Uuid) -> Result<bool, TransactionError> {
    let dialect = transaction.dialect();
    let sql = format!(
        "SELECT id FROM agents WHERE id = $1{}",
        dialect.locking("agents")
    );
    let found = transaction.rows(dialect.raw(sql, [id.into()])).await?;
    Ok(!found.is_empty())
}

/// The columns that follow from a name.
fn named(id: Uuid, external_id: &str, name: Option<&str>) -> (Option<String>, String) {
    let text = text::search_text([name, Some(external_id), Some(&ObjectKind::Agent.encode(id))]);
    (name.and_then(text::key), text)
}

/// A stored agent, with what is folded of it.
struct Folded {
    id: Uuid,
    external_id: String,
    name: Option<String>,
    name_key: Option<String>,
    search_text: String,
}
by_name!(Folded {
    id,
    external_id,
    name,
    name_key,
    search_text
});

/// Folds the texts of the next agents by their ids, as they are folded now. Answers the last of them; none when there are no more.
pub(super) async fn refold(
    transaction: &Transaction,
    after: Uuid,
    most: u64,
) -> Result<Option<Uuid>, TransactionError> {
    const COLUMNS: [(&str, Column); 4] = [
        ("id", Column::Uuid),
        ("name", Column::Text),
        ("name_key", Column::Text),
        ("search_text", Column::Text),
    ];
    let dialect = transaction.dialect();
    let sql = format!(
        "SELECT id, external_id, name, name_key, search_text FROM agents WHERE id > $1 ORDER BY id LIMIT {most}{}",
        dialect.locking("agents")
    );
    let stored: Vec<Folded> = transaction.fetch(dialect.raw(sql, [after.into()])).await?;
    let last = stored.last().map(|agent| agent.id);
    let rows: Vec<_> = stored
        .iter()
        .filter_map(|agent| {
            let name = agent.name.as_deref().and_then(text::visible);
            let (name_key, search_text) = named(agent.id, &agent.external_id, name);
            let same = (name, &name_key, &search_text)
                == (agent.name.as_deref(), &agent.name_key, &agent.search_text);
            (!same).then_some((Key(agent.id), name, name_key, search_text))
        })
        .collect();
    if !rows.is_empty() {
        let set = "name = batch.name, name_key = batch.name_key, search_text = batch.search_text";
        transaction.update("agents", &COLUMNS, &rows, set).await?;
    }
    Ok(last)
}

/// Makes agents that are not there yet. How many.
pub(super) async fn insert<'a>(
    transaction: &Transaction,
    drafts: impl IntoIterator<Item = (&'a str, &'a Draft)>,
) -> Result<u64, TransactionError> {
    const COLUMNS: [(&str, Column); 8] = [
        ("id", Column::Uuid),
        ("external_id", Column::Text),
        ("name", Column::Text),
        ("name_key", Column::Text),
        ("description", Column::Text),
        ("created_at", Column::Int),
        ("session_idle_minutes", Column::Int),
        ("search_text", Column::Text),
    ];
    let rows: Vec<_> = drafts
        .into_iter()
        .map(|(external_id, draft)| {
            let id = derive(draft.first, &[b"agent", external_id.as_bytes()]);
            let (name_key, text) = named(id, external_id, draft.name.as_deref());
            (
                Key(id),
                external_id,
                &draft.name,
                name_key,
                &draft.description,
                draft.created_at,
                draft.session_idle_minutes,
                text,
            )
        })
        .collect();
    transaction.insert("agents", &COLUMNS, &rows).await
}

async fn rename(
    transaction: &Transaction,
    drafts: &BTreeMap<&str, Draft>,
    stored: &HashMap<String, Stored>,
) -> Result<(), TransactionError> {
    let mut changed = Vec::new();
    for (external_id, draft) in drafts {
        let Some(agent) = stored
            .get(*external_id)
            .filter(|it| it.archived_at.is_none())
        else {
            continue;
        };
        let name = draft.name.as_deref().or(agent.name.as_deref());
        let description = draft
            .description
            .as_deref()
            .or(agent.description.as_deref());
        if name != agent.name.as_deref() || description != agent.description.as_deref() {
            changed.push((agent.id, *external_id, name, description));
        }
    }
    describe(transaction, &changed).await
}

/// An agent's id, its external id, its name and its description.
type Described<'a> = (Uuid, &'a str, Option<&'a str>, Option<&'a str>);

/// Gives stored agents other names and descriptions.
pub(super) async fn describe(
    transaction: &Transaction,
    agents: &[Described<'_>],
) -> Result<(), TransactionError> {
    const COLUMNS: [(&str, Column); 5] = [
        ("id", Column::Uuid),
        ("name", Column::Text),
        ("name_key", Column::Text),
        ("description", Column::Text),
        ("search_text", Column::Text),
    ];
    let rows: Vec<_> = agents
        .iter()
        .map(|(id, external_id, name, description)| {
            let (name_key, text) = named(*id, external_id, *name);
            (Key(*id), name, name_key, description, text)
        })
        .collect();
    let set = "name = batch.name, name_key = batch.name_key, description = batch.description, search_text = batch.search_text";
    transaction.update("agents", &COLUMNS, &rows, set).await
}

/// Moves the counters of agents.
pub(super) async fn count(
    transaction: &Transaction,
    movements: &BTreeMap<Uuid, Movement>,
) -> Result<(), TransactionError> {
    const COLUMNS: [(&str, Column); 6] = [
        ("id", Column::Uuid),
        ("users", Column::Int),
        ("sessions", Column::Int),
        ("messages", Column::Int),
        ("cost", Column::Int),
        ("created_at", Column::Int),
    ];
    let rows: Vec<_> = movements
        .iter()
        .map(|(id, by)| {
            (
                Key(*id),
                by.users.values().sum::<i64>(),
                by.sessions,
                by.messages,
                by.cost,
                by.created_at.map_or(i64::MAX, |at| at.0),
            )
        })
        .collect();
    let set = "total_users = total_users + batch.users, \
               total_sessions = total_sessions + batch.sessions, \
               total_messages = total_messages + batch.messages, \
               total_cost_micros = total_cost_micros + batch.cost, \
               created_at = CASE WHEN batch.created_at < agents.created_at THEN batch.created_at ELSE agents.created_at END";
    transaction.update("agents", &COLUMNS, &rows, set).await?;
    let users: Vec<_> = movements
        .iter()
        .flat_map(|(id, by)| {
            let users = by.users.iter();
            users.map(|(platform, users)| (*id, *platform, *users))
        })
        .collect();
    platforms::count(transaction, &users).await
}
