//! What the shapes ask for, chosen from the data at hand: whose page, which terms, where the middle is.

use std::collections::BTreeMap;

use parlour::id::ObjectKind;
use parlour::text::fold;
use uuid::Uuid;

use crate::Result;
use crate::audience::EVERYDAY;
use crate::bare::{Bind, Pool};
use crate::shapes::task::{Id, Key, Place};

#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// The agent with the most users.
    pub(crate) agent: Id,
    /// How many.
    pub(crate) users: i64,
    pub(crate) all: Totals,
    /// A user halfway down the default order.
    pub(crate) user: Id,
    pub(crate) platform: String,
    pub(crate) platform_id: String,
    /// Where that is.
    pub(crate) middle: Place,
    /// Somebody's address.
    pub(crate) email: String,
    /// A word in the names of many.
    pub(crate) common: String,
    /// Something that hardly anyone but a user amid the default order has.
    pub(crate) rare: String,
    /// Something that hardly anyone but the last user of the default order has.
    pub(crate) last: String,
    /// A user with ten long sessions.
    pub(crate) talker: Id,
    /// The user with the most sessions.
    pub(crate) everyday: Id,
    pub(crate) everyday_sessions: i64,
    /// The middle of those sessions, by their starts.
    pub(crate) everyday_middle: Place,
}

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Totals {
    pub(crate) agents: i64,
    pub(crate) users: i64,
    pub(crate) sessions: i64,
    pub(crate) messages: i64,
}

pub(crate) async fn choose(pool: &Pool) -> Result<Sample> {
    let (agents, users, sessions, messages) = pool
        .one(
            "SELECT COUNT(*), CAST(SUM(total_users) AS bigint), CAST(SUM(total_sessions) AS bigint), \
             CAST(SUM(total_messages) AS bigint) FROM agents",
            [],
        )
        .await?;
    let all = Totals {
        agents,
        users,
        sessions,
        messages,
    };
    let sql = "SELECT id, total_users FROM agents ORDER BY total_users DESC, id LIMIT 1";
    let (agent, users): (Uuid, i64) = pool.one(sql, []).await?;
    let sql = "SELECT id, platform, platform_id, last_message_at_desc FROM chat_users WHERE agent_id = $1 \
               ORDER BY last_message_at_desc DESC, id DESC LIMIT 1 OFFSET $2";
    let (user, platform, platform_id, key): (Uuid, String, String, i64) = pool
        .one(sql, [Bind::Id(agent), Bind::Int(users / 2)])
        .await?;
    let sql = "SELECT email_key FROM chat_users WHERE agent_id = $1 AND email_key IS NOT NULL \
               ORDER BY last_message_at_desc DESC, id DESC LIMIT 1 OFFSET $2";
    let (email,): (String,) = pool
        .one(sql, [Bind::Id(agent), Bind::Int(users / 10)])
        .await?;
    let sql = "SELECT id FROM chat_users WHERE agent_id = $1 AND platform_id <> $2 \
               ORDER BY (CASE WHEN total_sessions >= 10 THEN 1 ELSE 0 END) DESC, \
               total_chat_messages / (CASE WHEN total_sessions > 10 THEN total_sessions ELSE 10 END) DESC, id LIMIT 1";
    let (talker,): (Uuid,) = pool
        .one(sql, [Bind::Id(agent), Bind::Text(EVERYDAY.to_owned())])
        .await?;
    let sql = "SELECT id, total_sessions FROM chat_users WHERE agent_id = $1 ORDER BY total_sessions DESC, id DESC LIMIT 1";
    let (everyday, everyday_sessions): (Uuid, i64) = pool.one(sql, [Bind::Id(agent)]).await?;
    let sql = "SELECT id, started_at FROM sessions WHERE chat_user_id = $1 ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET $2";
    let half = Bind::Int(everyday_sessions / 2);
    let (session, started_at): (Uuid, i64) = pool.one(sql, [Bind::Id(everyday), half]).await?;
    Ok(Sample {
        agent: Id(ObjectKind::Agent, agent),
        users,
        all,
        user: Id(ObjectKind::ChatUser, user),
        platform,
        platform_id,
        middle: Place {
            key: Key::Int(key),
            id: user,
        },
        email,
        common: common_word(pool, agent).await?,
        rare: platform_id_at(pool, agent, "DESC", users / 4).await?,
        last: platform_id_at(pool, agent, "ASC", 0).await?,
        talker: Id(ObjectKind::ChatUser, talker),
        everyday: Id(ObjectKind::ChatUser, everyday),
        everyday_sessions,
        everyday_middle: Place {
            key: Key::Int(started_at),
            id: session,
        },
    })
}

/// The platform id of a user, as it is searched for. None that looks like an e-mail address: that would find its owner instead.
async fn platform_id_at(pool: &Pool, agent: Uuid, direction: &str, offset: i64) -> Result<String> {
    let sql = format!(
        "SELECT platform_id FROM chat_users WHERE agent_id = $1 AND platform_id NOT LIKE '%@%' \
         ORDER BY last_message_at_desc {direction}, id {direction} LIMIT 1 OFFSET $2"
    );
    let (platform_id,): (String,) = pool.one(&sql, [Bind::Id(agent), Bind::Int(offset)]).await?;
    Ok(fold(&platform_id))
}

/// The most frequent word of three letters or more in the names of the newest users.
async fn common_word(pool: &Pool, agent: Uuid) -> Result<String> {
    let names: Vec<(String,)> = pool
        .fetch(
            "SELECT name_key FROM chat_users WHERE agent_id = $1 AND name_key IS NOT NULL \
             ORDER BY last_message_at_desc DESC, id DESC LIMIT 2000",
            [Bind::Id(agent)],
        )
        .await?;
    let mut words: BTreeMap<&str, usize> = BTreeMap::new();
    for word in names.iter().flat_map(|(name,)| name.split_whitespace()) {
        if word.chars().count() >= 3 && word.chars().all(char::is_alphanumeric) {
            *words.entry(word).or_default() += 1;
        }
    }
    let most = words.into_iter().max_by_key(|&(_, count)| count);
    Ok(most.map_or("example", |(word, _)| word).to_owned())
}
