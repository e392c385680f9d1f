//! Re-sessionizing: assigns messages that name no session to sessions again, by the rule of `session_gap`, after a timeline has changed.
//!
//! A walk begins with what is right before the first change and ends after the last one, as soon as something is in the
//! session that it is stored in: from there on nothing can have changed. (A session that is closed changes all that was said in
//! it afterwards, so that the last of this counts as a change too.) Many users walk together, a page of rows each.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::event::BY_RULE;
use super::session_gap::{Idle, headed_by};
use super::{agent, chat_user, session};
use crate::clock::Timestamp;
use crate::db::{Column, Key, Rows, Transaction, TransactionError, by_name};
use crate::entity::platform::Platform;
use crate::entity::role::MessageRole;
use crate::id::derive;

/// Users who walk together.
const TOGETHER: usize = 200;
/// Rows of a user's first page; each further one may have four times as many.
const FIRST_PAGE: usize = 64;
/// Rows that are held at once.
const HELD: usize = 20_000;

/// The part of a timeline in which something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeRange {
    from: Timestamp,
    until: Timestamp,
}

impl TimeRange {
    /// One moment.
    pub(super) const fn of(at: Timestamp) -> Self {
        Self {
            from: at,
            until: at,
        }
    }

    /// With another moment.
    pub(super) fn with(self, at: Timestamp) -> Self {
        Self {
            from: self.from.min(at),
            until: self.until.max(at),
        }
    }
}

/// Settles the whole timeline of a user. Their figures, and those of their sessions, have to be right already.
/// For what changes a timeline otherwise than by events.
pub async fn everything(transaction: &Transaction, user: Uuid) -> Result<(), TransactionError> {
    let always = TimeRange {
        from: Timestamp(i64::MIN + 1),
        until: Timestamp(i64::MAX),
    };
    stretches(transaction, &BTreeMap::from([(user, always)])).await
}

/// Of each session whose it is, and when the last message in it was sent.
pub(super) async fn ends(
    transaction: &Transaction,
    sessions: &[Uuid],
) -> Result<Vec<(Uuid, Timestamp)>, TransactionError> {
    struct Row {
        chat_user_id: Uuid,
        sent_at: Option<Timestamp>,
    }
    by_name!(Row {
        chat_user_id,
        sent_at
    });
    let dialect = transaction.dialect();
    let rows = Rows::ids(sessions.iter().copied());
    let sql = format!(
        "SELECT sessions.chat_user_id, (SELECT MAX(sent_at) FROM messages WHERE session_id = sessions.id) AS sent_at \
         FROM {} AS one JOIN sessions ON sessions.id = one.id",
        rows.subquery(dialect, "$1")
    );
    let found: Vec<Row> = transaction.fetch(dialect.raw(sql, [rows.value()])).await?;
    let sent = found
        .into_iter()
        .filter_map(|row| Some((row.chat_user_id, row.sent_at?)));
    Ok(sent.collect())
}

/// Settles these stretches of these users' timelines.
pub(super) async fn stretches(
    transaction: &Transaction,
    stretches: &BTreeMap<Uuid, TimeRange>,
) -> Result<(), TransactionError> {
    let stretches: Vec<_> = stretches.iter().collect();
    for together in stretches.chunks(TOGETHER) {
        let mut walks = begin(transaction, together).await?;
        let mut page = FIRST_PAGE;
        while !walks.is_empty() {
            let mut moves = Moves::default();
            let mut read = read(transaction, &walks, page).await?;
            for walk in &mut walks {
                walk.go(
                    read.remove(&walk.user).unwrap_or_default(),
                    page,
                    &mut moves,
                );
            }
            moves.write(transaction).await?;
            walks.retain(|walk| !walk.is_done);
            // A page is never too small for all that happened at one instant, or nobody would get past it.
            let most = HELD / walks.len().max(1);
            let is_stuck = walks.iter().any(|walk| walk.is_stuck);
            page = if is_stuck {
                page * 4
            } else {
                (page * 4).min(most).max(FIRST_PAGE)
            };
        }
    }
    Ok(())
}

/// Somebody on the way along their timeline.
struct Walk {
    user: Uuid,
    agent: Uuid,
    platform: Platform,
    idle: Idle,
    stretch: TimeRange,
    /// Where to read on: everything before has been passed.
    at: Timestamp,
    /// What was passed last.
    last: Option<Passed>,
    is_done: bool,
    /// Whether the page was too small to get anywhere.
    is_stuck: bool,
}

/// Something on a timeline that has been passed, with the session that goes on there.
#[derive(Clone, Copy)]
struct Passed {
    at: Timestamp,
    session: Uuid,
    ended_at: Option<Timestamp>,
}

/// Something on a timeline.
struct Item {
    at: Timestamp,
    session: Uuid,
    ended_at: Option<Timestamp>,
    what: What,
}

enum What {
    /// The start of a session that events named.
    Start {
        external_id: String,
    },
    Message(Message),
}

struct Message {
    id: Uuid,
    own: bool,
    cost: i64,
    session_external_id: String,
    by_rule: bool,
}

/// What of a page belongs to one user.
#[derive(Default)]
struct Page {
    messages: Vec<Item>,
    starts: Vec<Item>,
}

/// Where the walks begin.
async fn begin(
    transaction: &Transaction,
    stretches: &[(&Uuid, &TimeRange)],
) -> Result<Vec<Walk>, TransactionError> {
    const COLUMNS: [(&str, Column); 2] = [("id", Column::Uuid), ("since", Column::Int)];
    struct Row {
        id: Uuid,
        agent_id: Uuid,
        platform: Platform,
        session_idle_minutes: i64,
        message_at: Option<Timestamp>,
        start_at: Option<Timestamp>,
    }
    by_name!(Row {
        id,
        agent_id,
        platform,
        session_idle_minutes,
        message_at,
        start_at
    });
    let dialect = transaction.dialect();
    let rows: Vec<_> = stretches
        .iter()
        .map(|(user, stretch)| (Key(**user), stretch.from))
        .collect();
    let rows = Rows::new(&COLUMNS, &rows);
    let sql = format!(
        "SELECT chat_users.id, chat_users.agent_id, chat_users.platform, agents.session_idle_minutes, \
         (SELECT MAX(sent_at) FROM messages WHERE chat_user_id = one.id AND sent_at < one.since) AS message_at, \
         (SELECT MAX(started_at) FROM sessions WHERE chat_user_id = one.id AND started_at < one.since) AS start_at \
         FROM {} AS one JOIN chat_users ON chat_users.id = one.id JOIN agents ON agents.id = chat_users.agent_id",
        rows.subquery(dialect, "$1")
    );
    let found: Vec<Row> = transaction.fetch(dialect.raw(sql, [rows.value()])).await?;
    let stretches: HashMap<_, _> = stretches.iter().copied().collect();
    let walks = found.into_iter().filter_map(|row| {
        let stretch = **stretches.get(&row.id)?;
        Some(Walk {
            user: row.id,
            agent: row.agent_id,
            platform: row.platform,
            idle: Idle::minutes(row.session_idle_minutes),
            stretch,
            at: row.message_at.max(row.start_at).unwrap_or(stretch.from),
            last: None,
            is_done: false,
            is_stuck: false,
        })
    });
    Ok(walks.collect())
}

/// The next messages, and the next starts of sessions, of everyone who is on the way.
async fn read(
    transaction: &Transaction,
    walks: &[Walk],
    page: usize,
) -> Result<HashMap<Uuid, Page>, TransactionError> {
    const COLUMNS: [(&str, Column); 2] = [("id", Column::Uuid), ("since", Column::Int)];
    let rows: Vec<_> = walks.iter().map(|walk| (Key(walk.user), walk.at)).collect();
    let rows = Rows::new(&COLUMNS, &rows);
    let limit = i64::try_from(page).unwrap_or(i64::MAX);
    let mut pages: HashMap<Uuid, Page> = HashMap::new();
    for (user, item) in read_messages(transaction, &rows, limit).await? {
        pages.entry(user).or_default().messages.push(item);
    }
    for (user, item) in read_starts(transaction, &rows, limit).await? {
        pages.entry(user).or_default().starts.push(item);
    }
    Ok(pages)
}

/// Messages, each with its user.
async fn read_messages(
    transaction: &Transaction,
    walks: &Rows,
    limit: i64,
) -> Result<Vec<(Uuid, Item)>, TransactionError> {
    const COLUMNS: [&str; 7] = [
        "id",
        "chat_user_id",
        "session_id",
        "role",
        "sent_at",
        "cost_micros",
        "by_rule",
    ];
    struct Row {
        id: Uuid,
        chat_user_id: Uuid,
        session_id: Uuid,
        role: MessageRole,
        sent_at: Timestamp,
        cost_micros: Option<i64>,
        by_rule: i64,
        session_external_id: String,
        ended_at: Option<Timestamp>,
    }
    by_name!(Row {
        id,
        chat_user_id,
        session_id,
        role,
        sent_at,
        cost_micros,
        by_rule,
        session_external_id,
        ended_at
    });
    let dialect = transaction.dialect();
    let messages = dialect.for_each(
        &walks.subquery(dialect, "$1"),
        "messages",
        &COLUMNS,
        "WHERE messages.chat_user_id = one.id AND messages.sent_at >= one.since \
         ORDER BY messages.sent_at, messages.id LIMIT $2",
    );
    let sql = format!(
        "SELECT message.*, sessions.external_id AS session_external_id, sessions.ended_at \
         FROM {messages} AS message JOIN sessions ON sessions.id = message.session_id"
    );
    let statement = dialect.raw(sql, [walks.value(), limit.into()]);
    let found: Vec<Row> = transaction.fetch(statement).await?;
    let items = found.into_iter().map(|row| {
        let message = Message {
            id: row.id,
            own: row.role == MessageRole::User,
            cost: row.cost_micros.unwrap_or(0),
            session_external_id: row.session_external_id,
            by_rule: row.by_rule == 1,
        };
        let item = Item {
            at: row.sent_at,
            session: row.session_id,
            ended_at: row.ended_at,
            what: What::Message(message),
        };
        (row.chat_user_id, item)
    });
    Ok(items.collect())
}

/// Starts of the sessions that events named, each with its user.
async fn read_starts(
    transaction: &Transaction,
    walks: &Rows,
    limit: i64,
) -> Result<Vec<(Uuid, Item)>, TransactionError> {
    const COLUMNS: [&str; 5] = [
        "id",
        "chat_user_id",
        "external_id",
        "started_at",
        "ended_at",
    ];
    struct Row {
        id: Uuid,
        chat_user_id: Uuid,
        external_id: String,
        started_at: Timestamp,
        ended_at: Option<Timestamp>,
    }
    by_name!(Row {
        id,
        chat_user_id,
        external_id,
        started_at,
        ended_at
    });
    let dialect = transaction.dialect();
    let named = format!(
        "WHERE sessions.chat_user_id = one.id AND sessions.started_at >= one.since \
         AND substr(sessions.external_id, 1, {}) <> '{BY_RULE}' \
         ORDER BY sessions.started_at, sessions.id LIMIT $2",
        BY_RULE.len()
    );
    let batch = walks.subquery(dialect, "$1");
    let starts = dialect.for_each(&batch, "sessions", &COLUMNS, &named);
    let sql = format!("SELECT start.* FROM {starts} AS start");
    let statement = dialect.raw(sql, [walks.value(), limit.into()]);
    let found: Vec<Row> = transaction.fetch(statement).await?;
    let items = found.into_iter().map(|row| {
        let item = Item {
            at: row.started_at,
            session: row.id,
            ended_at: row.ended_at,
            what: What::Start {
                external_id: row.external_id,
            },
        };
        (row.chat_user_id, item)
    });
    Ok(items.collect())
}

impl Page {
    /// Its items in their order, as far as all of them are here; and where to read on, if there may be more.
    fn items(self, size: usize) -> (Vec<Item>, Option<Timestamp>) {
        let end = |items: &[Item]| {
            let is_full = items.len() >= size;
            items.iter().map(|item| item.at).max().filter(|_| is_full)
        };
        let ends = [end(&self.messages), end(&self.starts)];
        let next = ends.into_iter().flatten().min();
        let mut items = self.starts;
        items.extend(self.messages);
        // Of the last instant of a full page there may be more.
        items.retain(|item| next.is_none_or(|next| item.at < next));
        items.sort_by(|one, other| one.place().cmp(&other.place()));
        (items, next)
    }
}

impl Item {
    /// What items are sorted by: at one time starts come first, by external id, and then messages, whose ids keep the order of arrival.
    fn place(&self) -> (Timestamp, Option<Uuid>, &str) {
        match &self.what {
            What::Start { external_id } => (self.at, None, external_id),
            What::Message(message) => (self.at, Some(message.id), ""),
        }
    }
}

impl Walk {
    /// Goes along a page.
    fn go(&mut self, page: Page, size: usize, moves: &mut Moves) {
        let (items, next) = page.items(size);
        self.is_stuck = items.is_empty() && next.is_some();
        for item in items {
            let session = self.session_of(&item, moves);
            if session.session != item.session {
                moves.add(self, &item, session.session);
            } else if item.at > self.stretch.until {
                self.is_done = true;
                return;
            }
            self.last = Some(session);
        }
        match next {
            Some(next) => self.at = next,
            None => self.is_done = true,
        }
    }

    /// The session that goes on with an item.
    fn session_of(&self, item: &Item, moves: &mut Moves) -> Passed {
        let stored = Passed {
            at: item.at,
            session: item.session,
            ended_at: item.ended_at,
        };
        let message = match &item.what {
            // What was before the first change is where it belongs.
            What::Message(message) if message.by_rule && item.at >= self.stretch.from => message,
            _ => return stored,
        };
        let goes_on = self.last.filter(|last| {
            self.idle.bridges(last.at, item.at) && last.ended_at.is_none_or(|end| end > item.at)
        });
        if let Some(last) = goes_on {
            return Passed {
                at: item.at,
                ..last
            };
        }
        let external_id = headed_by(message.id);
        if external_id == message.session_external_id {
            return stored;
        }
        Passed {
            at: item.at,
            session: moves.open(self, item.at, external_id),
            ended_at: None,
        }
    }
}

/// What is to be moved, and what has to be there for it.
#[derive(Default)]
struct Moves {
    opened: Vec<Opened>,
    /// Each message with the session that it is to be in.
    messages: Vec<(Key, Key)>,
    sessions: BTreeMap<Uuid, session::Movement>,
    /// Sessions that followed from the rule, and may be empty now.
    left: HashSet<Uuid>,
    /// Agents of the users concerned.
    agents: HashMap<Uuid, Uuid>,
}

/// A session that a message opens.
struct Opened {
    id: Uuid,
    user: Uuid,
    agent: Uuid,
    platform: Platform,
    external_id: String,
    started_at: Timestamp,
}

impl Moves {
    fn open(&mut self, walk: &Walk, started_at: Timestamp, external_id: String) -> Uuid {
        let seed: [&[u8]; 3] = [b"session", walk.agent.as_bytes(), external_id.as_bytes()];
        let id = derive(started_at, &seed);
        self.opened.push(Opened {
            id,
            user: walk.user,
            agent: walk.agent,
            platform: walk.platform,
            external_id,
            started_at,
        });
        id
    }

    fn add(&mut self, walk: &Walk, item: &Item, to: Uuid) {
        let What::Message(message) = &item.what else {
            return;
        };
        self.messages.push((Key(message.id), Key(to)));
        self.agents.insert(walk.user, walk.agent);
        for (session, sign) in [(item.session, -1), (to, 1)] {
            let movement = self.sessions.entry(session).or_default();
            movement.messages += sign;
            movement.own_messages += sign * i64::from(message.own);
            movement.cost += sign * message.cost;
        }
        if message.session_external_id.starts_with(BY_RULE) {
            self.left.insert(item.session);
        }
    }

    async fn write(self, transaction: &Transaction) -> Result<(), TransactionError> {
        if self.messages.is_empty() {
            return Ok(());
        }
        self.insert(transaction).await?;
        self.relocate(transaction).await?;
        let mut users: BTreeMap<Uuid, chat_user::Movement> = BTreeMap::new();
        for opened in &self.opened {
            users.entry(opened.user).or_default().sessions += 1;
        }
        for user in self.remove(transaction).await? {
            users.entry(user).or_default().sessions -= 1;
        }
        let mut agents: BTreeMap<Uuid, agent::Movement> = BTreeMap::new();
        for (user, by) in &users {
            if let Some(agent) = self.agents.get(user) {
                agents.entry(*agent).or_default().sessions += by.sessions;
            }
        }
        agents.retain(|_, by| by.sessions != 0);
        chat_user::count(transaction, &users, &HashSet::new()).await?;
        agent::count(transaction, &agents).await
    }

    async fn insert(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        const COLUMNS: [(&str, Column); 6] = [
            ("id", Column::Uuid),
            ("agent_id", Column::Uuid),
            ("chat_user_id", Column::Uuid),
            ("external_id", Column::Text),
            ("platform", Column::Text),
            ("started_at", Column::Int),
        ];
        let rows: Vec<_> = self
            .opened
            .iter()
            .map(|opened| {
                (
                    Key(opened.id),
                    Key(opened.agent),
                    Key(opened.user),
                    &opened.external_id,
                    opened.platform,
                    opened.started_at,
                )
            })
            .collect();
        transaction.insert_all("sessions", &COLUMNS, &rows).await
    }

    /// Moves the messages, and the figures of the sessions that they leave and come to.
    async fn relocate(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        const MESSAGES: [(&str, Column); 2] = [("id", Column::Uuid), ("to_session", Column::Uuid)];
        const SESSIONS: [(&str, Column); 4] = [
            ("id", Column::Uuid),
            ("messages", Column::Int),
            ("own_messages", Column::Int),
            ("cost", Column::Int),
        ];
        let set = "session_id = batch.to_session";
        transaction
            .update("messages", &MESSAGES, &self.messages, set)
            .await?;
        let rows: Vec<_> = self
            .sessions
            .iter()
            .map(|(id, by)| (Key(*id), by.messages, by.own_messages, by.cost))
            .collect();
        let set = "total_messages = total_messages + batch.messages, \
                   total_messages_from_user = total_messages_from_user + batch.own_messages, \
                   total_cost_micros = total_cost_micros + batch.cost, \
                   last_message_at = (SELECT messages.sent_at FROM messages WHERE messages.session_id = sessions.id \
                       AND messages.role = 'USER' ORDER BY messages.sent_at DESC, messages.id DESC LIMIT 1)";
        transaction.update("sessions", &SESSIONS, &rows, set).await
    }

    /// Removes the sessions that nothing is left in. Whose they were.
    async fn remove(&self, transaction: &Transaction) -> Result<Vec<Uuid>, TransactionError> {
        if self.left.is_empty() {
            return Ok(Vec::new());
        }
        let dialect = transaction.dialect();
        let rows = Rows::ids(self.left.iter().copied());
        let sql = format!(
            "DELETE FROM sessions WHERE id IN (SELECT one.id FROM {} AS one) \
             AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.session_id = sessions.id) RETURNING chat_user_id",
            rows.subquery(dialect, "$1")
        );
        let removed = transaction.rows(dialect.raw(sql, [rows.value()])).await?;
        Ok(removed
            .iter()
            .map(|row| row.try_get("", "chat_user_id"))
            .collect::<Result<_, _>>()?)
    }
}
