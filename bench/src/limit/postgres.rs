//! The answers out of PostgreSQL: statements prepared once on a few connections, on which many are under way at a time.
//!
//! Children come in the order of their parents, as the nested loop over these yields them; a child that comes out of turn is
//! an error.

use std::slice::Iter;
use std::sync::atomic::{AtomicUsize, Ordering};

use parlour::db::dialect::Dialect;
use parlour::text;
use tokio::task::JoinSet;
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{Client, Config, NoTls, Row, Statement};
use uuid::Uuid;

use super::answers::{self, END, EventOutcome, Page, User};
use super::json::{Json, Place};
use super::profile::{ACTION, ACTOR, Profile};
use super::server::{Answers, Search, Start};
use super::{AUDIENCE, CONVERSATIONS, PAGE, WALK};
use crate::Result;

/// Connections that all requests share.
const LINES: usize = 4;

/// PostgreSQL, ready to answer.
pub(super) struct Postgres {
    lines: Vec<Line>,
    /// Those on which PostgreSQL plans a statement for its values each time.
    searchers: Vec<Line>,
    next: AtomicUsize,
}

/// A connection and its statements.
struct Line {
    client: Client,
    users: Paged,
    users_of_agent: Paged,
    search: Statement,
    count: Statement,
    user: Statement,
    sessions_of_user: Statement,
    messages_of_user: Statement,
    heads: Statement,
    sessions_of_heads: Statement,
    messages_of_sessions: Statement,
    walkers: Statement,
    sessions_of_walkers: Statement,
    profile: Statement,
    rename: Statement,
}

/// A list from its start, from a place, and from an offset.
struct Paged {
    first: Statement,
    after: Statement,
    offset: Statement,
}

type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Postgres {
    pub(super) async fn connect(url: &str) -> Result<Self> {
        Ok(Self {
            lines: Line::several(url, "-c jit=off").await?,
            searchers: Line::several(url, "-c jit=off -c plan_cache_mode=force_custom_plan")
                .await?,
            next: AtomicUsize::new(0),
        })
    }

    fn line(&self) -> &Line {
        &self.lines[self.turn()]
    }

    fn searcher(&self) -> &Line {
        &self.searchers[self.turn()]
    }

    fn turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed) % LINES
    }
}

/// The default order.
const ORDER: &str = "ORDER BY last_message_at_desc DESC, id DESC";

impl Line {
    /// All at once: each has many statements to prepare.
    async fn several(url: &str, options: &'static str) -> Result<Vec<Self>> {
        let mut connecting = JoinSet::new();
        for _ in 0..LINES {
            let url = url.to_owned();
            connecting.spawn(async move { Self::connect(&url, options).await });
        }
        connecting.join_all().await.into_iter().collect()
    }

    async fn connect(url: &str, options: &str) -> Result<Self> {
        let mut config: Config = url.parse()?;
        config.options(options);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(async move { connection.await.ok() });
        let prepare = async |sql: String| client.prepare(&sql).await;
        let columns = User::COLUMNS;
        let newest = |limit: usize| {
            format!(
                "SELECT id, started_at FROM sessions WHERE chat_user_id = $1 ORDER BY started_at DESC, id DESC LIMIT {limit}"
            )
        };
        let messages_of = |sessions: &str, limit: usize| {
            format!(
                "SELECT message.* FROM {sessions} CROSS JOIN LATERAL (SELECT id, session_id, role, text, sent_at \
                 FROM messages WHERE session_id = session.id ORDER BY sent_at, id LIMIT {limit}) AS message"
            )
        };
        let sessions_of = |users: &str, columns: &str, limit: usize| {
            format!(
                "SELECT session.* FROM ({users}) AS head CROSS JOIN LATERAL (SELECT {columns} FROM sessions \
                 WHERE chat_user_id = head.id ORDER BY started_at DESC, id DESC LIMIT {limit}) AS session"
            )
        };
        let heads = |columns: &str| {
            format!(
                "SELECT {columns} FROM chat_users WHERE agent_id = $1 {ORDER} LIMIT {}",
                AUDIENCE.0
            )
        };
        let walkers = |columns: &str, limit: usize| {
            format!(
                "SELECT {columns} FROM chat_users WHERE agent_id = $1 AND (last_message_at_desc, id) < ($2, $3) {ORDER} LIMIT {limit}"
            )
        };
        let found = "agent_id = $1 AND platform = $2 AND search_text LIKE $3";
        Ok(Self {
            users: Paged::prepare(&client, false).await?,
            users_of_agent: Paged::prepare(&client, true).await?,
            search: prepare(format!(
                "SELECT {columns} FROM chat_users WHERE {found} {ORDER} LIMIT {}",
                PAGE + 1
            ))
            .await?,
            count: prepare(format!("SELECT COUNT(*) FROM chat_users WHERE {found}")).await?,
            user: prepare("SELECT id, name FROM chat_users WHERE id = $1".to_owned()).await?,
            sessions_of_user: prepare(format!(
                "SELECT id, started_at, total_messages FROM sessions WHERE chat_user_id = $1 \
                 ORDER BY started_at DESC, id DESC LIMIT {}",
                CONVERSATIONS.0
            ))
            .await?,
            messages_of_user: prepare(messages_of(
                &format!("({}) AS session", newest(CONVERSATIONS.0)),
                CONVERSATIONS.1,
            ))
            .await?,
            heads: prepare(heads("id, name")).await?,
            sessions_of_heads: prepare(sessions_of(
                &heads("id"),
                "chat_user_id, id, started_at, total_messages",
                AUDIENCE.1,
            ))
            .await?,
            messages_of_sessions: prepare(messages_of("unnest($1::uuid[]) AS session (id)", AUDIENCE.2)).await?,
            walkers: prepare(walkers("id, name, last_message_at", WALK.0 + 1)).await?,
            sessions_of_walkers: prepare(sessions_of(
                &walkers("id", WALK.0),
                "chat_user_id, id, started_at, ended_at, total_messages",
                WALK.1,
            ))
            .await?,
            profile: prepare(
                "SELECT agent_id, platform, platform_id, name, email, phone_number, version FROM chat_users WHERE id = $1".to_owned(),
            )
            .await?,
            rename: prepare(format!(
                "WITH renamed AS (UPDATE chat_users SET name = $3, name_key = $4, search_text = $5, version = version + 1 \
                 WHERE id = $1 AND version = $2 RETURNING id, agent_id), \
                 found AS (INSERT INTO chat_user_grams (chat_user_id, agent_id, grams) \
                 SELECT id, agent_id, string_to_array($6, ' ') FROM renamed \
                 ON CONFLICT (chat_user_id) DO UPDATE SET grams = excluded.grams) \
                 INSERT INTO audit_entries (id, agent_id, chat_user_id, action, actor, request_id, at, changes) \
                 SELECT $7, agent_id, id, '{ACTION}', '{ACTOR}', '', $8, $9 FROM renamed"
            ))
            .await?,
            client,
        })
    }

    async fn rows(&self, statement: &Statement, values: Values<'_>) -> Result<Vec<Row>> {
        Ok(self.client.query(statement, values).await?)
    }

    /// The rows of a statement whose best plan depends on its values.
    async fn found(&self, statement: &Statement, search: Search<'_>) -> Result<Vec<Row>> {
        let (agent, pattern) = (Uuid::from_u128(search.agent), pattern(search.term));
        self.rows(statement, &[&agent, &search.platform, &pattern])
            .await
    }
}

impl Paged {
    async fn prepare(client: &Client, of_agent: bool) -> Result<Self> {
        let (columns, limit) = (User::COLUMNS, PAGE + 1);
        // `$1` is the agent, or the first of the others.
        let (wher, and, next) = if of_agent {
            ("WHERE agent_id = $1", "WHERE agent_id = $1 AND", 2)
        } else {
            ("", "WHERE", 1)
        };
        let first = format!("SELECT {columns} FROM chat_users {wher} {ORDER} LIMIT {limit}");
        let after = format!(
            "SELECT {columns} FROM chat_users {and} (last_message_at_desc, id) < (${next}, ${}) {ORDER} LIMIT {limit}",
            next + 1
        );
        // What is skipped is skipped in the index.
        let offset = format!(
            "SELECT {columns} FROM chat_users JOIN (SELECT id AS page_id FROM chat_users {wher} {ORDER} LIMIT {limit} OFFSET ${next}) \
             AS page ON id = page_id {ORDER}"
        );
        Ok(Self {
            first: client.prepare(&first).await?,
            after: client.prepare(&after).await?,
            offset: client.prepare(&offset).await?,
        })
    }
}

impl Answers for Postgres {
    async fn users(&self, agent: Option<u128>, start: Start) -> Result<Json> {
        let line = self.line();
        let agent = agent.map(Uuid::from_u128);
        let of = match agent {
            Some(_) => &line.users_of_agent,
            None => &line.users,
        };
        let mut values: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(3);
        if let Some(agent) = &agent {
            values.push(agent);
        }
        let rows = match start {
            Start::First => line.rows(&of.first, &values).await?,
            Start::After(Place { key, id }) => {
                let id = Uuid::from_u128(id);
                values.push(&key);
                values.push(&id);
                line.rows(&of.after, &values).await?
            }
            Start::Offset(offset) => {
                values.push(&offset);
                line.rows(&of.offset, &values).await?
            }
        };
        page(&rows)
    }

    async fn search(&self, search: Search<'_>) -> Result<Json> {
        let line = self.searcher();
        page(&line.found(&line.search, search).await?)
    }

    async fn count(&self, search: Search<'_>) -> Result<Json> {
        let line = self.searcher();
        let rows = line.found(&line.count, search).await?;
        Ok(answers::total(value(rows.first().ok_or("no count")?, 0)?))
    }

    async fn conversations(&self, user: u128) -> Result<Json> {
        let line = self.line();
        let user = Uuid::from_u128(user);
        let values: Values<'_> = &[&user];
        let (users, sessions, messages) = tokio::try_join!(
            line.rows(&line.user, values),
            line.rows(&line.sessions_of_user, values),
            line.rows(&line.messages_of_user, values),
        )?;
        answers::one_user(64 << 10, |json| {
            let Some(user) = users.first() else {
                json.raw("null");
                return Ok(());
            };
            answers::head(json, id(user, 0)?, value(user, 1)?);
            let mut messages = messages.iter();
            for (at, session) in sessions.iter().enumerate() {
                json.comma(at == 0);
                let id = id(session, 0)?;
                answers::session_head(json, id, value(session, 1)?, value(session, 2)?);
                messages_of(json, &mut messages, id)?;
                json.raw(END);
            }
            json.raw(END);
            is_over(&messages)
        })
    }

    async fn audience(&self, agent: u128) -> Result<Json> {
        let line = self.line();
        let agent = Uuid::from_u128(agent);
        let values: Values<'_> = &[&agent];
        let (users, sessions) = tokio::try_join!(
            line.rows(&line.heads, values),
            line.rows(&line.sessions_of_heads, values),
        )?;
        let ids = sessions.iter().map(|session| value(session, 1));
        let ids = ids.collect::<Result<Vec<Uuid>>>()?;
        let messages = line.rows(&line.messages_of_sessions, &[&ids]).await?;
        answers::some_users(1 << 20, |json| {
            let (mut sessions, mut messages) = (sessions.iter().peekable(), messages.iter());
            for (at, user) in users.iter().enumerate() {
                json.comma(at == 0);
                let user_id = id(user, 0)?;
                answers::head(json, user_id, value(user, 1)?);
                let mut is_first = true;
                while let Some(session) =
                    sessions.next_if(|session| id(session, 0).is_ok_and(|id| id == user_id))
                {
                    json.comma(is_first);
                    is_first = false;
                    let id = id(session, 1)?;
                    answers::session_head(json, id, value(session, 2)?, value(session, 3)?);
                    messages_of(json, &mut messages, id)?;
                    json.raw(END);
                }
                json.raw(END);
            }
            is_over(&messages)
        })
    }

    async fn walk(&self, agent: u128, after: Option<Place>) -> Result<Json> {
        let line = self.line();
        let after = after.unwrap_or(Place {
            key: i64::MAX,
            id: u128::MAX,
        });
        let (agent, id_after) = (Uuid::from_u128(agent), Uuid::from_u128(after.id));
        let values: Values<'_> = &[&agent, &after.key, &id_after];
        let (users, sessions) = tokio::try_join!(
            line.rows(&line.walkers, values),
            line.rows(&line.sessions_of_walkers, values),
        )?;
        let mut page = Page::new(WALK.0, 128 << 10);
        let mut sessions = sessions.iter().peekable();
        for user in &users {
            let user_id = id(user, 0)?;
            if page.walker(user_id, value(user, 1)?, value(user, 2)?) == EventOutcome::More {
                continue;
            }
            let mut is_first = true;
            while let Some(session) =
                sessions.next_if(|session| id(session, 0).is_ok_and(|id| id == user_id))
            {
                let json = page.json().comma(is_first);
                is_first = false;
                answers::session(
                    json,
                    id(session, 1)?,
                    value(session, 2)?,
                    value(session, 3)?,
                    value(session, 4)?,
                );
            }
            page.json().raw(END);
        }
        if sessions.next().is_some() {
            return Err("a session came out of turn".into());
        }
        Ok(page.finish())
    }

    /// Read, then changed if nobody else has changed it meanwhile: the change is one statement, and so one transaction.
    async fn rename(&self, user: u128, name: &str) -> Result<Json> {
        let line = self.line();
        let id = Uuid::from_u128(user);
        loop {
            let rows = line.rows(&line.profile, &[&id]).await?;
            let row = rows.first().ok_or("nobody")?;
            let profile = Profile {
                id,
                agent: value(row, 0)?,
                platform: value(row, 1)?,
                platform_id: value(row, 2)?,
                name: value(row, 3)?,
                email: value(row, 4)?,
                phone_number: value(row, 5)?,
                version: value(row, 6)?,
            };
            let renamed = profile.renamed(name);
            let grams =
                Dialect::Postgres.grams(profile.agent, profile.platform, &renamed.search_text);
            let values: Values<'_> = &[
                &id,
                &profile.version,
                &name,
                &renamed.name_key,
                &renamed.search_text,
                &grams,
                &renamed.entry,
                &renamed.at,
                &renamed.changes,
            ];
            if line.client.execute(&line.rename, values).await? == 1 {
                return Ok(answers::renamed(user, name));
            }
        }
    }
}

/// A page of the table of users.
fn page(rows: &[Row]) -> Result<Json> {
    let mut page = Page::new(PAGE, 16 << 10);
    for row in rows {
        page.user(&User {
            id: id(row, 0)?,
            name: value(row, 1)?,
            email: value(row, 2)?,
            platform: value(row, 3)?,
            platform_id: value(row, 4)?,
            created_at: value(row, 5)?,
            last_message_at: value(row, 6)?,
            total_sessions: value(row, 7)?,
            total_chat_messages: value(row, 8)?,
            total_messages_sent: value(row, 9)?,
        });
    }
    Ok(page.finish())
}

/// The messages of a session, which are the next ones.
fn messages_of(json: &mut Json, messages: &mut Iter<'_, Row>, session: u128) -> Result<()> {
    let mut is_first = true;
    while let Some(row) = messages.as_slice().first()
        && id(row, 1)? == session
    {
        json.comma(is_first);
        is_first = false;
        answers::message(
            json,
            id(row, 0)?,
            value(row, 2)?,
            value(row, 3)?,
            value(row, 4)?,
        );
        messages.next();
    }
    Ok(())
}

fn is_over(messages: &Iter<'_, Row>) -> Result<()> {
    if messages.as_slice().is_empty() {
        Ok(())
    } else {
        Err("a message came out of turn".into())
    }
}

fn id(row: &Row, column: usize) -> Result<u128> {
    Ok(value::<Uuid>(row, column)?.as_u128())
}

fn value<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    Ok(row.try_get(column)?)
}

/// A pattern for LIKE that finds a text as it is.
fn pattern(term: &str) -> String {
    let escaped = text::fold(term).replace('\\', "\\\\").replace('%', "\\%");
    format!("%{}%", escaped.replace('_', "\\_"))
}
