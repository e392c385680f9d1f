//! The answers out of `SQLite`: each thread of the server has a connection, and statements run where they are asked for.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parlour::db::dialect::Dialect;
use parlour::text;
use rusqlite::{CachedStatement, Connection, OpenFlags, Params, Row, TransactionBehavior, params};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::answers::{self, END, EventOutcome, Page, User};
use super::json::{Json, Place};
use super::profile::{ACTION, ACTOR, Profile};
use super::server::{Answers, Search, Start};
use super::{AUDIENCE, CONVERSATIONS, PAGE, WALK};
use crate::Result;

/// `SQLite`, ready to answer.
pub(super) struct Sqlite {
    path: PathBuf,
    writer: Mutex<Connection>,
}

thread_local! {
    /// This thread's connection, which only reads.
    static READER: OnceCell<Connection> = const { OnceCell::new() };
}

const READING: &str = "PRAGMA cache_size = -16384; PRAGMA mmap_size = 1099511627776; PRAGMA temp_store = MEMORY; PRAGMA query_only = ON";
const WRITING: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -262144; \
                       PRAGMA mmap_size = 268435456; PRAGMA wal_autocheckpoint = 4096; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON";

/// The default order.
const ORDER: &str = "ORDER BY last_message_at_desc DESC, id DESC";
/// How many rows of the order a search looks at before it asks the index of grams.
const FIRST_LOOK: usize = 5_000;

fn open(path: &Path, settings: &str) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    connection.execute_batch(settings)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(open(path, WRITING)?),
        })
    }

    /// Reads, on the thread at hand.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        READER.with(|reader| {
            if let Some(reader) = reader.get() {
                return read(reader);
            }
            let connection = open(&self.path, READING)?;
            read(reader.get_or_init(|| connection))
        })
    }
}

impl Answers for Sqlite {
    async fn users(&self, agent: Option<u128>, start: Start) -> Result<Json> {
        self.read(|reader| {
            let (columns, limit) = (User::COLUMNS, PAGE + 1);
            let of = if agent.is_some() { "agent_id = ?1" } else { "?1 IS NULL" };
            let agent = agent.map(u128::to_be_bytes);
            match start {
                Start::First => {
                    let sql = format!("SELECT {columns} FROM chat_users WHERE {of} {ORDER} LIMIT {limit}");
                    page(&mut reader.prepare_cached(&sql)?, params![agent])
                }
                Start::After(Place { key, id }) => {
                    let sql = format!(
                        "SELECT {columns} FROM chat_users WHERE {of} AND (last_message_at_desc, id) < (?2, ?3) {ORDER} LIMIT {limit}"
                    );
                    page(&mut reader.prepare_cached(&sql)?, params![agent, key, id.to_be_bytes()])
                }
                Start::Offset(offset) => {
                    // What is skipped is skipped in the index.
                    let sql = format!(
                        "SELECT {columns} FROM chat_users WHERE number IN \
                         (SELECT number FROM chat_users WHERE {of} {ORDER} LIMIT {limit} OFFSET ?2) {ORDER}"
                    );
                    page(&mut reader.prepare_cached(&sql)?, params![agent, offset])
                }
            }
        })
    }

    async fn search(&self, search: Search<'_>) -> Result<Json> {
        let term = text::fold(search.term);
        self.read(|reader| {
            let (columns, limit) = (User::COLUMNS, PAGE + 1);
            let agent = search.agent.to_be_bytes();
            let first = format!(
                "SELECT {columns} FROM chat_users WHERE number IN (SELECT number FROM (SELECT number, platform, search_text, \
                 last_message_at_desc, id FROM chat_users WHERE agent_id = ?1 {ORDER} LIMIT {FIRST_LOOK}) \
                 WHERE platform = ?2 AND instr(search_text, ?3) > 0 {ORDER} LIMIT {limit}) {ORDER}"
            );
            let mut statement = reader.prepare_cached(&first)?;
            let (json, rows) = page_of(&mut statement, params![agent, search.platform, term])?;
            if rows == limit {
                return Ok(json);
            }
            let sql = format!(
                "SELECT {columns} FROM chat_users WHERE number IN (SELECT rowid FROM chat_user_grams WHERE chat_user_grams MATCH ?4) \
                 AND agent_id = ?1 AND platform = ?2 AND instr(search_text, ?3) > 0 ORDER BY +last_message_at_desc DESC, id DESC LIMIT {limit}"
            );
            let values = params![agent, search.platform, term, grams(search, &term)];
            page(&mut reader.prepare_cached(&sql)?, values)
        })
    }

    async fn count(&self, search: Search<'_>) -> Result<Json> {
        const SQL: &str = "SELECT COUNT(*) FROM chat_users WHERE number IN \
                           (SELECT rowid FROM chat_user_grams WHERE chat_user_grams MATCH ?4) \
                           AND agent_id = ?1 AND platform = ?2 AND instr(search_text, ?3) > 0";
        let term = text::fold(search.term);
        self.read(|reader| {
            let agent = search.agent.to_be_bytes();
            let values = params![agent, search.platform, term, grams(search, &term)];
            let count = reader
                .prepare_cached(SQL)?
                .query_row(values, |row| row.get(0))?;
            Ok(answers::total(count))
        })
    }

    async fn conversations(&self, user: u128) -> Result<Json> {
        self.read(|reader| {
            let mut head =
                reader.prepare_cached("SELECT id, name FROM chat_users WHERE id = ?1")?;
            let mut children = Children::prepare(reader, CONVERSATIONS)?;
            answers::one_user(64 << 10, |json| {
                let mut rows = head.query([user.to_be_bytes()])?;
                if let Some(row) = rows.next()? {
                    return children.write(json, row);
                }
                json.raw("null");
                Ok(())
            })
        })
    }

    async fn audience(&self, agent: u128) -> Result<Json> {
        self.read(|reader| {
            let (users, sessions, messages) = AUDIENCE;
            let sql = format!(
                "SELECT id, name FROM chat_users WHERE agent_id = ?1 {ORDER} LIMIT {users}"
            );
            let mut heads = reader.prepare_cached(&sql)?;
            let mut children = Children::prepare(reader, (sessions, messages))?;
            answers::some_users(1 << 20, |json| {
                let mut rows = heads.query([agent.to_be_bytes()])?;
                let mut is_first = true;
                while let Some(row) = rows.next()? {
                    json.comma(is_first);
                    is_first = false;
                    children.write(json, row)?;
                }
                Ok(())
            })
        })
    }

    async fn walk(&self, agent: u128, after: Option<Place>) -> Result<Json> {
        let after = after.unwrap_or(Place {
            key: i64::MAX,
            id: u128::MAX,
        });
        self.read(|reader| {
            let (users, sessions) = WALK;
            let sql = format!(
                "SELECT id, name, last_message_at FROM chat_users WHERE agent_id = ?1 AND (last_message_at_desc, id) < (?2, ?3) \
                 {ORDER} LIMIT {}",
                users + 1
            );
            let mut walkers = reader.prepare_cached(&sql)?;
            let sql = format!(
                "SELECT id, started_at, ended_at, total_messages FROM sessions WHERE chat_user_id = ?1 \
                 ORDER BY started_at DESC, id DESC LIMIT {sessions}"
            );
            let mut sessions = reader.prepare_cached(&sql)?;
            let mut page = Page::new(users, 128 << 10);
            let values = params![agent.to_be_bytes(), after.key, after.id.to_be_bytes()];
            let mut rows = walkers.query(values)?;
            while let Some(row) = rows.next()? {
                let user = id(row, 0)?;
                if page.walker(user, maybe_text(row, 1)?, row.get(2)?) == EventOutcome::More {
                    continue;
                }
                let mut rows = sessions.query([user.to_be_bytes()])?;
                let mut is_first = true;
                while let Some(row) = rows.next()? {
                    let json = page.json().comma(is_first);
                    is_first = false;
                    answers::session(json, id(row, 0)?, row.get(1)?, row.get(2)?, row.get(3)?);
                }
                page.json().raw(END);
            }
            Ok(page.finish())
        })
    }

    async fn rename(&self, user: u128, name: &str) -> Result<Json> {
        rename(&mut *self.writer.lock().await, user, name)
    }
}

/// Gives a user a name, in a transaction that nobody else writes beside.
fn rename(writer: &mut Connection, user: u128, name: &str) -> Result<Json> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut stored = transaction.prepare_cached(
            "SELECT agent_id, platform, platform_id, name, email, phone_number, version, number FROM chat_users WHERE id = ?1",
        )?;
        let mut rows = stored.query([user.to_be_bytes()])?;
        let row = rows.next()?.ok_or("nobody")?;
        let profile = Profile {
            id: Uuid::from_u128(user),
            agent: Uuid::from_u128(id(row, 0)?),
            platform: text(row, 1)?,
            platform_id: text(row, 2)?,
            name: maybe_text(row, 3)?,
            email: maybe_text(row, 4)?,
            phone_number: maybe_text(row, 5)?,
            version: row.get(6)?,
        };
        let number: i64 = row.get(7)?;
        let renamed = profile.renamed(name);
        let grams = Dialect::Sqlite.grams(profile.agent, profile.platform, &renamed.search_text);
        transaction
            .prepare_cached(
                "UPDATE chat_users SET name = ?2, name_key = ?3, search_text = ?4, version = version + 1 WHERE number = ?1",
            )?
            .execute(params![number, name, renamed.name_key, renamed.search_text])?;
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO chat_user_grams (rowid, grams) VALUES (?1, ?2)",
            )?
            .execute(params![number, grams])?;
        transaction
            .prepare_cached(&format!(
                "INSERT INTO audit_entries (id, agent_id, chat_user_id, action, actor, request_id, at, changes) \
                 VALUES (?1, ?2, ?3, '{ACTION}', '{ACTOR}', '', ?4, ?5)"
            ))?
            .execute(params![
                renamed.entry.as_bytes(),
                profile.agent.as_bytes(),
                profile.id.as_bytes(),
                renamed.at,
                renamed.changes
            ])?;
    }
    transaction.commit()?;
    Ok(answers::renamed(user, name))
}

/// The statements for what is below a user.
struct Children<'a> {
    sessions: CachedStatement<'a>,
    messages: CachedStatement<'a>,
}

impl<'a> Children<'a> {
    fn prepare(reader: &'a Connection, (sessions, messages): (usize, usize)) -> Result<Self> {
        let sessions = format!(
            "SELECT id, started_at, total_messages FROM sessions WHERE chat_user_id = ?1 \
             ORDER BY started_at DESC, id DESC LIMIT {sessions}"
        );
        let messages = format!(
            "SELECT id, role, text, sent_at FROM messages WHERE session_id = ?1 ORDER BY sent_at, id LIMIT {messages}"
        );
        Ok(Self {
            sessions: reader.prepare_cached(&sessions)?,
            messages: reader.prepare_cached(&messages)?,
        })
    }

    /// A user, with sessions and messages.
    fn write(&mut self, json: &mut Json, user: &Row<'_>) -> Result<()> {
        let user_id = id(user, 0)?;
        answers::head(json, user_id, maybe_text(user, 1)?);
        let mut sessions = self.sessions.query([user_id.to_be_bytes()])?;
        let mut is_first = true;
        while let Some(row) = sessions.next()? {
            json.comma(is_first);
            is_first = false;
            let session = id(row, 0)?;
            answers::session_head(json, session, row.get(1)?, row.get(2)?);
            let mut messages = self.messages.query([session.to_be_bytes()])?;
            let mut is_first = true;
            while let Some(row) = messages.next()? {
                json.comma(is_first);
                is_first = false;
                answers::message(json, id(row, 0)?, text(row, 1)?, text(row, 2)?, row.get(3)?);
            }
            json.raw(END);
        }
        json.raw(END);
        Ok(())
    }
}

fn page(statement: &mut CachedStatement<'_>, values: impl Params) -> Result<Json> {
    Ok(page_of(statement, values)?.0)
}

/// A page of the table of users, and how many rows there were for it.
fn page_of(statement: &mut CachedStatement<'_>, values: impl Params) -> Result<(Json, usize)> {
    let mut page = Page::new(PAGE, 16 << 10);
    let mut count = 0;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        count += 1;
        page.user(&User {
            id: id(row, 0)?,
            name: maybe_text(row, 1)?,
            email: maybe_text(row, 2)?,
            platform: text(row, 3)?,
            platform_id: text(row, 4)?,
            created_at: row.get(5)?,
            last_message_at: row.get(6)?,
            total_sessions: row.get(7)?,
            total_chat_messages: row.get(8)?,
            total_messages_sent: row.get(9)?,
        });
    }
    Ok((page.finish(), count))
}

/// The words of the index that whoever is searched for must have.
fn grams(search: Search<'_>, term: &str) -> String {
    let letters: Vec<char> = term.chars().collect();
    let mut words = format!(
        "\"{:032x}\" AND \"platform{}\"",
        search.agent,
        search.platform.replace('_', "")
    );
    for gram in letters.windows(letters.len().clamp(1, 3)) {
        if gram
            .iter()
            .all(|letter| !letter.is_ascii() || letter.is_ascii_alphanumeric())
        {
            words.push_str(" AND \"");
            words.extend(gram);
            words.push('"');
        }
    }
    words
}

fn id(row: &Row<'_>, column: usize) -> Result<u128> {
    Ok(u128::from_be_bytes(
        row.get_ref(column)?.as_blob()?.try_into()?,
    ))
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str> {
    Ok(row.get_ref(column)?.as_str()?)
}

fn maybe_text<'a>(row: &'a Row<'_>, column: usize) -> Result<Option<&'a str>> {
    Ok(row.get_ref(column)?.as_str_or_null()?)
}
