//! The hand-written side: for each task the statements that one would write for it, and for nothing else.
//!
//! Only the columns that the answer shows, the page plus one row, no statement for what is not shown. The indexes are Parlour's.

use std::collections::HashMap;
use std::fmt::Write;

use parlour::read::page::Order;
use sqlx::Result;
use uuid::Uuid;

use crate::bare::{Bind, Keyed, Pool, Row};
use crate::shapes::answer::{
    Answer, Ends, Facets, Head, List, Message, PlatformCount, Session, SessionTree, User,
    UserHistory, UserTree,
};
use crate::shapes::task::{Key, Listed, Page, Place, Search, Task, Users};

/// Runs the statements of a task and decodes every column of every row.
pub(crate) async fn answer(pool: &Pool, task: &Task) -> Result<Answer> {
    Ok(match task {
        Task::Users(users) => Answer::ChatUsers(table(pool, users).await?),
        Task::Facets { agent } => Answer::Facets {
            facets: facets(pool, agent.1).await?,
        },
        Task::Audience {
            agent,
            users,
            sessions,
            messages,
        } => {
            let sql = format!(
                "SELECT id, name FROM chat_users WHERE agent_id = $1 ORDER BY last_message_at_desc DESC, id DESC LIMIT {users}"
            );
            let heads = pool.fetch(sql, [Bind::Id(agent.1)]).await?;
            let trees = conversations(pool, heads, *sessions, *messages).await?;
            Answer::Audience(List::plain(trees))
        }
        Task::User { user } => {
            let sql = format!("SELECT {} FROM chat_users WHERE id = $1", User::COLUMNS);
            Answer::ChatUser(pool.fetch(sql, [Bind::Id(user.1)]).await?.pop())
        }
        Task::UserByPlatformId {
            agent,
            platform,
            platform_id,
        } => {
            let sql = format!(
                "SELECT {} FROM chat_users WHERE agent_id = $1 AND platform = $2 AND platform_id = $3",
                User::COLUMNS
            );
            let binds = [
                Bind::Id(agent.1),
                Bind::Text(platform.clone()),
                Bind::Text(platform_id.clone()),
            ];
            Answer::ChatUserByPlatformId(pool.fetch(sql, binds).await?.pop())
        }
        Task::History { user, page } => {
            let Some(Head { id, name }) = head(pool, user.1).await?.pop() else {
                return Ok(Answer::History(None));
            };
            let sessions = sessions(pool, "chat_user_id", id, page).await?;
            Answer::History(Some(UserHistory { id, name, sessions }))
        }
        Task::Conversations {
            user,
            sessions,
            messages,
        } => {
            let heads = head(pool, user.1).await?;
            Answer::Conversations(
                conversations(pool, heads, *sessions, *messages)
                    .await?
                    .pop(),
            )
        }
        Task::Sessions { agent, page } => {
            Answer::Sessions(sessions(pool, "agent_id", agent.1, page).await?)
        }
    })
}

async fn table(pool: &Pool, users: &Users) -> Result<List<User>> {
    let mut sql = Sql::select(
        &format!("{}, {}", User::COLUMNS, users.page.order.column()),
        "chat_users",
    );
    only(pool, &mut sql, users);
    let mut list = cut(pool, sql, &users.page, User::id).await?;
    if users.total_count {
        let mut sql = Sql::select("COUNT(*)", "chat_users");
        only(pool, &mut sql, users);
        let rows: Vec<(i64,)> = pool.fetch(sql.text, sql.binds).await?;
        list.total_count = rows.first().map(|row| row.0);
    }
    Ok(list)
}

/// Which users.
fn only(pool: &Pool, sql: &mut Sql, users: &Users) {
    if let Some(agent) = users.agent {
        sql.and("agent_id = ", Bind::Id(agent.1), "");
    }
    if let Some(platform) = &users.platform {
        sql.and("platform = ", Bind::Text(platform.clone()), "");
    }
    match (&users.search, pool) {
        (None, _) => {}
        (Some(Search::Id(id)), _) => sql.and("id = ", Bind::Id(id.1), ""),
        (Some(Search::Email(email)), _) => sql.and("email_key = ", Bind::Text(email.clone()), ""),
        (Some(Search::Text(term)), Pool::Sqlite(_)) => {
            sql.and("instr(search_text, ", Bind::Text(term.clone()), ") > 0");
        }
        (Some(Search::Text(term)), Pool::Postgres(_)) if term.chars().count() < 3 => {
            sql.and("strpos(search_text, ", Bind::Text(term.clone()), ") > 0");
        }
        (Some(Search::Text(term)), Pool::Postgres(_)) => {
            sql.and("search_text LIKE ", Bind::Text(pattern(term)), "");
        }
    }
}

/// A pattern for LIKE that finds a text as it is.
fn pattern(term: &str) -> String {
    let escaped = term.replace('\\', "\\\\").replace('%', "\\%");
    format!("%{}%", escaped.replace('_', "\\_"))
}

async fn facets(pool: &Pool, agent: Uuid) -> Result<Facets> {
    let sql = "SELECT platform, COUNT(*) FROM chat_users WHERE agent_id = $1 GROUP BY platform ORDER BY COUNT(*) DESC";
    let platform: Vec<PlatformCount> = pool.fetch(sql, [Bind::Id(agent)]).await?;
    Ok(Facets { platform })
}

async fn sessions<F: Listed>(
    pool: &Pool,
    owner: &str,
    id: Uuid,
    page: &Page<F>,
) -> Result<List<Session>> {
    let columns = format!("{}, {}", Session::COLUMNS, page.order.column());
    let mut sql = Sql::select(&columns, "sessions");
    sql.and(&format!("{owner} = "), Bind::Id(id), "");
    cut(pool, sql, page, Session::id).await
}

async fn head(pool: &Pool, user: Uuid) -> Result<Vec<Head>> {
    pool.fetch(
        "SELECT id, name FROM chat_users WHERE id = $1",
        [Bind::Id(user)],
    )
    .await
}

/// Cuts a page out of a list.
async fn cut<F: Listed, T: Row>(
    pool: &Pool,
    mut sql: Sql,
    page: &Page<F>,
    id: fn(&T) -> Uuid,
) -> Result<List<T>>
where
    Keyed<T, i64>: Row,
    Keyed<T, String>: Row,
{
    sql.page(page);
    if page.order.field.is_text() {
        let rows = pool.fetch::<Keyed<T, String>>(sql.text, sql.binds).await?;
        Ok(list(rows, page, id))
    } else {
        let rows = pool.fetch::<Keyed<T, i64>>(sql.text, sql.binds).await?;
        Ok(list(rows, page, id))
    }
}

fn list<F: Listed, T, K: Clone + Into<Key>>(
    mut rows: Vec<Keyed<T, K>>,
    page: &Page<F>,
    id: fn(&T) -> Uuid,
) -> List<T> {
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    let end = rows.last().map(|Keyed(row, key)| {
        let place = Place {
            key: key.clone().into(),
            id: id(row),
        };
        F::cursor(page.order, place)
    });
    let mut nodes: Vec<T> = rows.into_iter().map(|Keyed(row, _)| row).collect();
    let page_info = if page.backward {
        nodes.reverse();
        Ends::Backward {
            has_previous_page: more,
            start_cursor: end,
        }
    } else {
        Ends::Forward {
            has_next_page: more,
            end_cursor: end,
        }
    };
    List {
        total_count: None,
        nodes,
        page_info: Some(page_info),
    }
}

/// Sessions and messages of some users: one statement for each.
async fn conversations(
    pool: &Pool,
    heads: Vec<Head>,
    sessions: u64,
    messages: u64,
) -> Result<Vec<UserTree>> {
    type SessionRow = (Uuid, Uuid, i64, i64);
    let users = heads.iter().map(|head| head.id).collect();
    let columns = ["chat_user_id", "id", "started_at", "total_messages"];
    let order = "started_at DESC, id DESC";
    let sql = children(pool, "sessions", &columns, "chat_user_id", order, sessions);
    let mut rows: Vec<SessionRow> = pool.fetch(sql, [Bind::Ids(users)]).await?;
    rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.2, row.1)));

    let ids = rows.iter().map(|row| row.1).collect();
    let columns = ["id", "session_id", "role", "text", "sent_at"];
    let sql = children(
        pool,
        "messages",
        &columns,
        "session_id",
        "sent_at, id",
        messages,
    );
    let mut texts: Vec<Message> = pool.fetch(sql, [Bind::Ids(ids)]).await?;
    texts.sort_unstable_by_key(|text| (text.sent_at, text.id));

    let mut texts_of: HashMap<Uuid, Vec<Message>> = HashMap::new();
    for text in texts {
        texts_of.entry(text.session_id).or_default().push(text);
    }
    let mut sessions_of: HashMap<Uuid, Vec<SessionTree>> = HashMap::new();
    for (user, id, started_at, total_messages) in rows {
        sessions_of.entry(user).or_default().push(SessionTree {
            id,
            started_at,
            total_messages,
            messages: List::plain(texts_of.remove(&id).unwrap_or_default()),
        });
    }
    let tree = |head: Head| UserTree {
        sessions: List::plain(sessions_of.remove(&head.id).unwrap_or_default()),
        id: head.id,
        name: head.name,
    };
    Ok(heads.into_iter().map(tree).collect())
}

/// The first children of each of the parents in `$1`.
fn children(
    pool: &Pool,
    table: &str,
    columns: &[&str],
    parent: &str,
    order: &str,
    limit: u64,
) -> String {
    let columns = columns.join(", ");
    match pool {
        Pool::Sqlite(_) => format!(
            "SELECT {columns} FROM json_each($1) AS parent CROSS JOIN {table} ON {table}.rowid IN \
             (SELECT rowid FROM {table} WHERE {parent} = unhex(parent.value) ORDER BY {order} LIMIT {limit})"
        )
        .replacen(" id,", &format!(" {table}.id,"), 1),
        Pool::Postgres(_) => format!(
            "SELECT child.* FROM unnest($1::uuid[]) AS parent (parent) CROSS JOIN LATERAL \
             (SELECT {columns} FROM {table} WHERE {parent} = parent.parent ORDER BY {order} LIMIT {limit}) AS child"
        ),
    }
}

/// A SELECT that grows.
struct Sql {
    text: String,
    binds: Vec<Bind>,
    conditions: usize,
}

impl Sql {
    fn select(columns: &str, table: &str) -> Self {
        Self {
            text: format!("SELECT {columns} FROM {table}"),
            binds: Vec::with_capacity(4),
            conditions: 0,
        }
    }

    fn and(&mut self, before: &str, bind: Bind, after: &str) {
        let word = self.word();
        self.binds.push(bind);
        let at = self.binds.len();
        write!(self.text, " {word} {before}${at}{after}").ok();
    }

    fn page<F: Listed>(&mut self, page: &Page<F>) {
        let Order { descending, .. } = page.order;
        let column = page.order.column();
        if let Some(Place { key, id }) = page.after.clone() {
            let word = self.word();
            self.binds.push(match key {
                Key::Int(key) => Bind::Int(key),
                Key::Text(key) => Bind::Text(key),
            });
            self.binds.push(Bind::Id(id));
            let at = self.binds.len();
            let sign = if descending { "<" } else { ">" };
            write!(
                self.text,
                " {word} ({column}, id) {sign} (${}, ${at})",
                at - 1
            )
            .ok();
        }
        let direction = if descending == page.backward {
            "ASC"
        } else {
            "DESC"
        };
        write!(
            self.text,
            " ORDER BY {column} {direction}, id {direction} LIMIT {}",
            page.size + 1
        )
        .ok();
        if page.offset > 0 {
            write!(self.text, " OFFSET {}", page.offset).ok();
        }
    }

    fn word(&mut self) -> &'static str {
        self.conditions += 1;
        if self.conditions == 1 { "WHERE" } else { "AND" }
    }
}
