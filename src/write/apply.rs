//! The one transaction: validate → agents → users → sessions → messages → counters. All of a batch goes in, or none of it.
//!
//! Events may come in any order and more than once: rows are found by their external ids, and counters move only for
//! rows that really went in, so that any order ends in what a recount would say.

use std::collections::HashSet;

use sea_orm::DbErr;
use uuid::Uuid;

use super::chat_user::{Movement, Profile};
use super::event::{Event, Rejection, reject};
use super::{agent, chat_user, message, session};
use crate::clock::Timestamp;
use crate::db::{Transaction, Work, Writer};
use crate::entity::role::MessageRole;
use crate::error::Result;

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its message is stored now.
    Recorded,
    /// Its message was stored before.
    Duplicate,
    /// It cannot be stored.
    Rejected(Rejection),
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// One per event, in their order.
    pub fates: Vec<Fate>,
    /// Agents that are new.
    pub agents: u64,
    /// Users that are new.
    pub users: u64,
    /// Sessions that are new.
    pub sessions: u64,
}

/// Stores a batch of events. Those that cannot be stored are rejected by themselves; the rest goes in together.
pub async fn apply<'e>(
    writer: &Writer,
    events: impl IntoIterator<Item = &'e Event>,
) -> Result<Outcome> {
    let events: Vec<_> = events.into_iter().collect();
    let valid = events.iter().map(|event| event.validate()).collect();
    writer.transaction(&Batch { events, valid }).await
}

/// Events that go in together, each with whether it can.
struct Batch<'e> {
    events: Vec<&'e Event>,
    valid: Vec<Result<(), Rejection>>,
}

impl Work for Batch<'_> {
    type Output = Outcome;

    async fn run(&self, transaction: &Transaction) -> Result<Outcome, DbErr> {
        store(transaction, &self.events, &self.valid).await
    }
}

/// An event on its way, with the rows it belongs to.
struct Placed<'a> {
    at: usize,
    event: &'a Event,
    agent: Uuid,
    user: usize,
    session: usize,
}

async fn store(
    transaction: &Transaction,
    events: &[&Event],
    valid: &[Result<(), Rejection>],
) -> Result<Outcome, DbErr> {
    let mut fates: Vec<_> = valid
        .iter()
        .map(|valid| {
            valid
                .clone()
                .map_or_else(Fate::Rejected, |()| Fate::Duplicate)
        })
        .collect();
    let live = || {
        let numbered = events.iter().copied().enumerate();
        numbered.filter(|(at, _)| valid[*at].is_ok())
    };

    let agents = agent::settle(transaction, live().map(|(_, event)| event)).await?;
    let mut users = Profile::of(live().map(|(_, event)| (agents.id(event), event)));
    users.find(transaction).await?;
    let mut sessions = session::Drafts::default();
    let mut placed = Vec::with_capacity(events.len());
    for (at, event) in live() {
        let agent = agents.id(event);
        placed.push(Placed {
            at,
            event,
            agent,
            user: users.position(agent, event),
            session: sessions.add(agent, event),
        });
    }
    sessions.find(transaction).await?;
    let foreign = placed
        .iter()
        .filter(|one| sessions.is_foreign(one.session, users.stored_id(one.user)));
    let foreign: Vec<_> = foreign.map(|one| one.session).collect();
    sessions.release(transaction, &foreign).await?;

    // A session has one user: the one it is stored with, else the first who claims it here.
    placed.retain(|one| {
        let stored_user = users.stored_id(one.user);
        let owner = sessions.claim(one.session, one.user, stored_user, one.event);
        if !owner {
            fates[one.at] = Fate::Rejected(reject(
                "session.external_id",
                "is a session of another user of this agent",
            ));
        }
        owner
    });
    for one in &placed {
        users.merge(one.user, one.event);
        sessions.merge(one.session, one.event);
    }

    // What is new gets its ids, so that all is known before anything is written.
    let new_users = users.identify(transaction.offer());
    let new_sessions = sessions.identify(transaction.offer());
    let drafts: Vec<_> = placed
        .iter()
        .map(|one| message::Draft::new(one.event, sessions.id(one.session), users.id(one.user)))
        .collect();
    let recorded = unheard(transaction, &users, &placed, &drafts).await?;

    let mut moved = Moved::default();
    for &user in &new_users {
        moved.agents.entry(users.agent(user)).or_default().users += 1;
    }
    for &session in &new_sessions {
        moved.session(&users, &sessions, session);
    }
    for ((one, draft), recorded) in placed.iter().zip(&drafts).zip(&recorded) {
        moved.known_since(users.id(one.user), one.agent, one.event.started_at());
        if *recorded {
            fates[one.at] = Fate::Recorded;
            moved.message(one, draft, users.id(one.user), sessions.id(one.session));
        }
    }

    users.forget_known(&mut moved.users);

    users.update(transaction).await?;
    users.insert(transaction, &new_users, &moved.users).await?;
    sessions.update(transaction).await?;
    sessions
        .insert(transaction, &new_sessions, &moved.sessions, |user| {
            users.id(user)
        })
        .await?;
    let new: Vec<_> = drafts
        .iter()
        .zip(&recorded)
        .filter_map(|(draft, recorded)| recorded.then_some(draft))
        .collect();
    message::insert(transaction, &new).await?;
    let new = new_sessions.iter().map(|&one| sessions.id(one)).collect();
    session::count(transaction, &moved.sessions, &new).await?;
    let new = new_users.iter().map(|&one| users.id(one)).collect();
    chat_user::count(transaction, &moved.users, &new).await?;
    agent::count(transaction, &moved.agents).await?;

    let total = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Ok(Outcome {
        fates,
        agents: agents.new,
        users: total(new_users.len()),
        sessions: total(new_sessions.len()),
    })
}

/// Of each message, whether it is to go in: it is not stored, and is the first of its kind in the batch.
async fn unheard(
    transaction: &Transaction,
    users: &Profile<'_>,
    placed: &[Placed<'_>],
    drafts: &[message::Draft<'_>],
) -> Result<Vec<bool>, DbErr> {
    // Someone new has said nothing yet.
    let of_stored: Vec<_> = placed
        .iter()
        .zip(drafts)
        .filter_map(|(one, draft)| users.is_stored(one.user).then_some(draft))
        .collect();
    let stored = message::find(transaction, &of_stored).await?;
    let mut seen = HashSet::with_capacity(drafts.len());
    Ok(drafts
        .iter()
        .map(|draft| seen.insert(draft.key()) && !stored.contains(&draft.id))
        .collect())
}

/// How far the counters of each row move.
#[derive(Default)]
struct Moved {
    agents: std::collections::BTreeMap<Uuid, agent::Movement>,
    users: std::collections::BTreeMap<Uuid, Movement>,
    sessions: std::collections::BTreeMap<Uuid, session::Movement>,
}

impl Moved {
    fn session(&mut self, users: &Profile<'_>, sessions: &session::Drafts<'_>, session: usize) {
        let user = sessions.owner(session);
        let movement = self.users.entry(users.id(user)).or_default();
        movement.sessions += 1;
        movement.last_start = movement.last_start.max(sessions.started_at(session));
        self.agents.entry(users.agent(user)).or_default().sessions += 1;
    }

    /// A time from which user and agent are known: the start that any event reports, and when a message went in that was
    /// sent even earlier.
    fn known_since(&mut self, user: Uuid, agent: Uuid, time: Timestamp) {
        let least = |at: &mut Option<Timestamp>| {
            *at = Some(at.map_or(time, |known| known.min(time)));
        };
        least(&mut self.users.entry(user).or_default().created_at);
        least(&mut self.agents.entry(agent).or_default().created_at);
    }

    fn message(&mut self, one: &Placed<'_>, draft: &message::Draft<'_>, user: Uuid, session: Uuid) {
        let message = &one.event.message;
        self.known_since(user, one.agent, message.sent_at);
        let cost = message.cost_micros.unwrap_or(0);
        let own = message.role == MessageRole::User;
        let agent = self.agents.entry(one.agent).or_default();
        agent.messages += 1;
        agent.cost += cost;
        let user = self.users.entry(user).or_default();
        user.messages += 1;
        user.own_messages += i64::from(own);
        user.cost += cost;
        let session = self.sessions.entry(session).or_default();
        session.messages += 1;
        session.own_messages += i64::from(own);
        session.cost += cost;
        if own {
            user.last_message = user.last_message.max(Some((message.sent_at, draft.id)));
            session.last_message_at = session.last_message_at.max(Some(message.sent_at));
        }
    }
}
