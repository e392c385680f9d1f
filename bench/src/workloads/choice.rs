//! Whom and what the requests ask for: chosen from the data at hand, the same for the same data and seed.

use parlour::entity::chat_user;
use parlour::id::ObjectKind;
use parlour::read::chat_user::ChatUserOrderField;
use parlour::read::page::{Key, Order, Position};
use uuid::Uuid;

use crate::Result;
use crate::bare::{Bind, Pool};

/// How many different requests a workload has at most.
const VARIETY: usize = 64;
/// Where page 5,000 starts.
const PAGE_5000: i64 = 100_000;

/// What there is to ask for.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) totals: Totals,
    /// Agents, the largest first.
    pub(super) agents: Vec<String>,
    /// Agent, platform, and a word in the names of some there.
    pub(super) searches: Vec<(String, String, String)>,
    /// Users with ten sessions of twenty messages or more.
    pub(super) talkers: Vec<String>,
    /// Any users.
    pub(super) users: Vec<String>,
    /// Where pages around page 5,000 start, or around the middle where there are not so many.
    pub(super) offsets: Vec<i64>,
    /// The same places as cursors.
    pub(super) cursors: Vec<String>,
}

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Totals {
    pub(super) agents: i64,
    pub(super) users: i64,
    pub(super) sessions: i64,
    pub(super) messages: i64,
}

pub(super) async fn choose(pool: &Pool, seed: u64) -> Result<Chosen> {
    let (agents, users, sessions, messages) = pool
        .one(
            "SELECT COUNT(*), CAST(SUM(total_users) AS bigint), CAST(SUM(total_sessions) AS bigint), \
             CAST(SUM(total_messages) AS bigint) FROM agents",
            [],
        )
        .await?;
    let totals = Totals {
        agents,
        users,
        sessions,
        messages,
    };
    let mut chance = Chance(seed);
    let rows: Vec<(Uuid,)> = pool
        .fetch(
            "SELECT id FROM agents WHERE total_users > 50 ORDER BY total_users DESC, id",
            [],
        )
        .await?;
    let agents = rows
        .iter()
        .map(|(id,)| ObjectKind::Agent.encode(*id))
        .collect();
    let some = some_users(pool, &mut chance).await?;
    let offsets = offsets(users);
    let cursors = cursors(pool, &offsets).await?;
    Ok(Chosen {
        totals,
        agents,
        searches: searches(&some),
        talkers: talkers(pool, &mut chance).await?,
        users: some
            .iter()
            .map(|user| ObjectKind::ChatUser.encode(user.id))
            .collect(),
        offsets,
        cursors,
    })
}

#[derive(Debug)]
struct SomeUser {
    id: Uuid,
    agent: Uuid,
    platform: String,
    name: Option<String>,
}

/// Users from all over. Ids are spread evenly in their last bits, but begin with a time, so that a random id finds nobody in
/// particular: a random place between the first and the last user's time does.
async fn some_users(pool: &Pool, chance: &mut Chance) -> Result<Vec<SomeUser>> {
    let (first, last): (i64, i64) = pool
        .one(
            "SELECT MIN(created_at), MAX(created_at) FROM chat_users",
            [],
        )
        .await?;
    let sql = "SELECT id, agent_id, platform, name_key FROM chat_users WHERE created_at >= $1 ORDER BY created_at, id LIMIT 1";
    let mut users: Vec<SomeUser> = Vec::with_capacity(4 * VARIETY);
    for _ in 0..4 * VARIETY {
        let at = first + chance.below(last - first);
        let (id, agent, platform, name) = pool.one(sql, [Bind::Int(at)]).await?;
        if users.iter().all(|user| user.id != id) {
            users.push(SomeUser {
                id,
                agent,
                platform,
                name,
            });
        }
    }
    Ok(users)
}

/// A word of each user's name, as it is searched for in their agent and on their platform.
fn searches(users: &[SomeUser]) -> Vec<(String, String, String)> {
    let search = |user: &SomeUser| {
        let name = user.name.as_ref()?;
        let mut words = name.split_whitespace();
        let word = words
            .find(|word| word.chars().count() >= 3 && word.chars().all(char::is_alphanumeric))?;
        Some((
            ObjectKind::Agent.encode(user.agent),
            user.platform.clone(),
            word.to_owned(),
        ))
    };
    users.iter().filter_map(search).take(VARIETY).collect()
}

/// Users whose newest ten sessions have twenty messages each; those who come nearest where there are none.
async fn talkers(pool: &Pool, chance: &mut Chance) -> Result<Vec<String>> {
    let sql = "SELECT chat_user_id FROM sessions WHERE total_messages >= 20 GROUP BY chat_user_id HAVING COUNT(*) >= 10 \
               ORDER BY chat_user_id";
    let mut rows: Vec<(Uuid,)> = pool.fetch(sql, []).await?;
    if rows.is_empty() {
        let sql = "SELECT id FROM chat_users WHERE total_sessions >= 10 ORDER BY total_chat_messages / total_sessions DESC, id LIMIT 64";
        rows = pool.fetch(sql, []).await?;
    }
    let count = i64::try_from(rows.len())?;
    let mut talkers = Vec::with_capacity(VARIETY);
    for _ in 0..VARIETY.min(rows.len()) {
        let (id,) = rows[usize::try_from(chance.below(count))?];
        talkers.push(ObjectKind::ChatUser.encode(id));
    }
    Ok(talkers)
}

/// Where pages around page 5,000 start, some rows apart.
fn offsets(users: i64) -> Vec<i64> {
    let first = PAGE_5000.min(users / 2);
    (0..)
        .step_by(37)
        .map(|more| first + more)
        .take(VARIETY)
        .collect()
}

async fn cursors(pool: &Pool, offsets: &[i64]) -> Result<Vec<String>> {
    let sql = "SELECT id, last_message_at_desc FROM chat_users ORDER BY last_message_at_desc DESC, id DESC LIMIT 1 OFFSET $1";
    let order = Order {
        field: ChatUserOrderField::LastMessageAt,
        descending: true,
    };
    let mut cursors = Vec::with_capacity(offsets.len());
    for offset in offsets {
        let (id, key): (Uuid, i64) = pool.one(sql, [Bind::Int(offset - 1)]).await?;
        let position = Position {
            key: Key::Int(key),
            id,
        };
        cursors.push(position.encode::<chat_user::Entity>(order));
    }
    Ok(cursors)
}

/// Draws: `SplitMix64`, of which a seed makes one stream.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        i64::try_from(bits % limit.max(1).unsigned_abs()).unwrap_or(0)
    }
}
