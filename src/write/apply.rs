//! The one transaction: validate → agents → users → sessions → messages → counters. All of a batch goes in, or none of it.
//!
//! Events may come in any order and more than once: rows are found by their external ids, and counters move only for
//! rows that really went in, so that any order ends in what a recount would say.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::authorized::AuthorizedMutation;
use super::chat_user::{Movement, Profile};
use super::event::{Event, Rejection, reject};
use super::session_gap::{self, Idle};
use super::{agent, chat_user, message, session};
use crate::caller::{Permission, Principal};
use crate::clock::Timestamp;
use crate::db::{Transaction, TransactionError, UnitOfWork, Writer};
use crate::entity::role::MessageRole;
use crate::error::Result;

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventOutcome {
    /// Its message is stored now; or it has none, and told something new of its session or its user.
    Recorded,
    /// Its message was stored before; or it has none, and told nothing new.
    Duplicate,
    /// It cannot be stored.
    Rejected(Rejection),
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// One per event, in their order.
    pub outcomes: Vec<EventOutcome>,
    /// Agents that are new.
    pub agents: u64,
    /// Users that are new.
    pub users: u64,
    /// Sessions that events named and that are new.
    pub sessions: u64,
}

/// Stores a batch of events on the program's own account. Those that cannot be stored are rejected by themselves; the rest goes
/// in together.
pub async fn apply<'e>(
    writer: &Writer,
    events: impl IntoIterator<Item = &'e Event>,
) -> Result<Outcome> {
    let program = Principal::program();
    let events: Vec<&Event> = events.into_iter().collect();
    writer.transaction(&Batch::of(events, &program)).await
}

/// Events that go in together, each with whether it can.
#[derive(Debug)]
pub struct Batch<'e> {
    events: Vec<&'e Event>,
    valid: Vec<Result<(), Rejection>>,
    by: &'e Principal,
}

impl<'e> Batch<'e> {
    /// A batch of these events, which somebody tells of.
    pub fn of(events: impl IntoIterator<Item = &'e Event>, by: &'e Principal) -> Self {
        let events: Vec<_> = events.into_iter().collect();
        let valid = events.iter().map(|event| event.validate()).collect();
        Self { events, valid, by }
    }

    /// The batch without the events that tell of a later time.
    #[must_use]
    pub fn until(mut self, latest: Timestamp) -> Self {
        for (event, valid) in self.events.iter().zip(&mut self.valid) {
            if valid.is_ok() {
                *valid = event.is_until(latest);
            }
        }
        self
    }
}

impl AuthorizedMutation for Batch<'_> {
    const NEEDS: Permission = Permission::EventsWrite;

    fn by(&self) -> &Principal {
        self.by
    }
}

impl UnitOfWork for Batch<'_> {
    type Output = Outcome;

    async fn run(&self, transaction: &Transaction) -> Result<Outcome, TransactionError> {
        store(transaction, self).await
    }
}

/// An event on its way, with the rows it belongs to.
struct ResolvedEvent<'a> {
    at: usize,
    event: &'a Event,
    agent: agent::Known,
    user: usize,
    /// The session that it names.
    session: Option<usize>,
}

async fn store(
    transaction: &Transaction,
    Batch { events, valid, by }: &Batch<'_>,
) -> Result<Outcome, TransactionError> {
    let mut outcomes: Vec<_> = valid
        .iter()
        .map(|valid| {
            valid
                .clone()
                .map_or_else(EventOutcome::Rejected, |()| EventOutcome::Duplicate)
        })
        .collect();
    let told = || {
        let numbered = events.iter().copied().enumerate();
        numbered.filter(|(at, _)| valid[*at].is_ok())
    };

    let agents = agent::settle(transaction, &by.agents, told().map(|(_, event)| event)).await?;
    let live = || told().filter(|(_, event)| agents.takes(event).is_ok());
    for (at, event) in told() {
        if let Err(reason) = agents.takes(event) {
            outcomes[at] = EventOutcome::Rejected(reject("agent.external_id", reason));
        }
    }
    let mut users = Profile::of(live().map(|(_, event)| (agents.of(event).id, event)));
    users.find(transaction).await?;
    let mut sessions = session::Drafts::default();
    let mut placed = Vec::with_capacity(events.len());
    for (at, event) in live() {
        let agent = agents.of(event);
        placed.push(ResolvedEvent {
            at,
            event,
            agent,
            user: users.position(agent.id, event),
            session: sessions.add(agent.id, event),
        });
    }
    sessions.find(transaction).await?;
    release(transaction, &users, &mut sessions, &placed).await?;
    claim(&users, &mut sessions, &mut placed, &mut outcomes);
    for one in &placed {
        let user = users.merge(one.user, one.event);
        let session = one
            .session
            .is_some_and(|session| sessions.merge(session, one.event));
        if one.event.message.is_none() && (user || session) {
            outcomes[one.at] = EventOutcome::Recorded;
        }
    }

    // What is new gets its ids, so that all is known before anything is written.
    let new_users = users.identify(transaction.id_salt(), |agent| agents.users(agent));
    let mut said: Vec<_> = placed
        .iter()
        .filter_map(|one| PendingMessage::new(one, &users))
        .collect();
    let mut drafts: Vec<_> = said.iter_mut().map(|one| &mut one.draft).collect();
    let recorded = message::identify(transaction, &mut drafts).await?;
    session_gap::gather(&mut sessions, &users, &mut said, &recorded);
    let new_sessions = sessions.identify(transaction.id_salt());
    for one in &mut said {
        one.draft.session = one
            .session
            .map_or(Uuid::nil(), |session| sessions.id(session));
    }

    let new: Vec<_> = said
        .iter()
        .zip(&recorded)
        .filter_map(|(one, recorded)| recorded.then_some(one))
        .collect();
    for one in &new {
        outcomes[one.placed.at] = EventOutcome::Recorded;
    }
    let mut moved = CounterDeltas::default();
    moved.rows(&users, &sessions, &new_users, &new_sessions);
    moved.events(&users, &placed, &new);
    let unsettled = session_gap::Unsettled::of(&users, &sessions, &new);

    users.forget_known(&mut moved.users);

    users.update(transaction).await?;
    users.insert(transaction, &new_users, &moved.users).await?;
    sessions.update(transaction).await?;
    sessions
        .insert(transaction, &new_sessions, &moved.sessions, |user| {
            users.id(user)
        })
        .await?;
    let new: Vec<_> = new.iter().map(|one| &one.draft).collect();
    message::insert(transaction, &new).await?;
    let new = new_sessions.iter().map(|&one| sessions.id(one)).collect();
    session::count(transaction, &moved.sessions, &new).await?;
    let new = new_users.iter().map(|&one| users.id(one)).collect();
    chat_user::count(transaction, &moved.users, &new).await?;
    agent::count(transaction, &moved.agents).await?;
    unsettled.settle(transaction).await?;

    let total = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let named = new_sessions
        .iter()
        .filter(|&&one| !sessions.is_by_rule(one));
    Ok(Outcome {
        outcomes,
        agents: agents.new,
        users: total(new_users.len()),
        sessions: total(named.count()),
    })
}

/// Sessions of users who are being deleted give their ids away.
async fn release(
    transaction: &Transaction,
    users: &Profile<'_>,
    sessions: &mut session::Drafts<'_>,
    placed: &[ResolvedEvent<'_>],
) -> Result<(), TransactionError> {
    let foreign = placed.iter().filter_map(|one| {
        let stored_user = users.stored_id(one.user);
        one.session
            .filter(|&session| sessions.is_foreign(session, stored_user))
    });
    let foreign: Vec<_> = foreign.collect();
    sessions.release(transaction, &foreign).await
}

/// A session has one user: the one it is stored with, else the first who claims it here. The others are rejected.
fn claim(
    users: &Profile<'_>,
    sessions: &mut session::Drafts<'_>,
    placed: &mut Vec<ResolvedEvent<'_>>,
    outcomes: &mut [EventOutcome],
) {
    placed.retain(|one| {
        let stored_user = users.stored_id(one.user);
        let owner = one
            .session
            .is_none_or(|session| sessions.claim(session, one.user, stored_user, one.event));
        if !owner {
            outcomes[one.at] = EventOutcome::Rejected(reject(
                "session.external_id",
                "is a session of another user of this agent",
            ));
        }
        owner
    });
}

/// A message of an event, on its way.
pub(super) struct PendingMessage<'p, 'a> {
    placed: &'p ResolvedEvent<'a>,
    /// Its user.
    pub(super) user: usize,
    /// Its session, when it is known.
    pub(super) session: Option<usize>,
    pub(super) idle: Idle,
    pub(super) draft: message::Draft<'a>,
}

impl<'p, 'a> PendingMessage<'p, 'a> {
    fn new(placed: &'p ResolvedEvent<'a>, users: &Profile<'_>) -> Option<Self> {
        let message = placed.event.message.as_ref()?;
        let by_rule = placed.session.is_none();
        Some(Self {
            placed,
            user: placed.user,
            session: placed.session,
            idle: placed.agent.idle,
            draft: message::Draft::new(
                message,
                users.id(placed.user),
                users.is_stored(placed.user),
                users.alias(placed.agent.id, placed.event),
                by_rule,
            ),
        })
    }
}

/// How far the counters of each row move.
#[derive(Default)]
struct CounterDeltas {
    agents: std::collections::BTreeMap<Uuid, agent::Movement>,
    users: std::collections::BTreeMap<Uuid, Movement>,
    sessions: std::collections::BTreeMap<Uuid, session::Movement>,
}

impl CounterDeltas {
    /// Users and sessions that are new.
    fn rows(
        &mut self,
        users: &Profile<'_>,
        sessions: &session::Drafts<'_>,
        new_users: &[usize],
        new_sessions: &[usize],
    ) {
        for &user in new_users {
            let agent = self.agents.entry(users.agent(user)).or_default();
            *agent.users.entry(users.platform(user)).or_default() += 1;
        }
        for &session in new_sessions {
            self.session(users, sessions, session);
        }
    }

    /// Events, and those of their messages that go in.
    fn events(
        &mut self,
        users: &Profile<'_>,
        placed: &[ResolvedEvent<'_>],
        new: &[&PendingMessage<'_, '_>],
    ) {
        for one in placed {
            self.told(users.id(one.user), one);
        }
        for one in new {
            self.message(one.placed.agent.id, &one.draft);
        }
    }

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

    /// What an event says of times, whether its message is stored or not.
    fn told(&mut self, user: Uuid, one: &ResolvedEvent<'_>) {
        self.known_since(user, one.agent.id, one.event.started_at());
        if let Some(at) = one.event.user.stopped_at {
            let movement = self.users.entry(user).or_default();
            movement.stopped_at = movement.stopped_at.max(Some(at));
        }
    }

    fn message(&mut self, agent: Uuid, draft: &message::Draft<'_>) {
        let message = draft.message;
        self.known_since(draft.user, agent, message.sent_at);
        let cost = message.cost_micros.unwrap_or(0);
        let own = message.role == MessageRole::User;
        let agent = self.agents.entry(agent).or_default();
        agent.messages += 1;
        agent.cost += cost;
        let user = self.users.entry(draft.user).or_default();
        user.messages += 1;
        user.own_messages += i64::from(own);
        user.cost += cost;
        let session = self.sessions.entry(draft.session).or_default();
        session.messages += 1;
        session.own_messages += i64::from(own);
        session.cost += cost;
        if own {
            user.last_message = user.last_message.max(Some((message.sent_at, draft.id)));
            session.last_message_at = session.last_message_at.max(Some(message.sent_at));
        }
    }
}
