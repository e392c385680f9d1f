//! Tags for users: for those in a list of ids, or for all for whom a condition holds.

use std::time::{Duration, Instant};

use async_graphql::{Context, ID, InputObject, SimpleObject};
use sea_orm::sea_query::Condition;
use uuid::Uuid;

use super::chat_user::ChatUser;
use super::update::{self, UserError, UserErrorCode};
use super::{caller, loaders, reader, writer};
use crate::db::query_stats::QUERY_STATS;
use crate::entity;
use crate::error::{Error, Result};
use crate::id::ObjectKind;
use crate::read::chat_user::ChatUserWhere;
use crate::read::filter::Builder;
use crate::write::profile::Change;
use crate::write::tagging::{BATCH, TagNext};

/// How many users one mutation tags by a condition.
pub const MAX_CHANGED: u64 = 10_000;
/// How long one step of a change by condition is to take, waiting included, in microseconds.
const MOMENT: u64 = 30_000;
/// Users of a step at least.
const SHORTEST: u64 = 10;
/// How many users may be refused before a mutation stops.
const MAX_REFUSED: usize = 250;

/// Tags for users: `ids`, or `agentId` and `where`.
#[derive(Debug, InputObject)]
pub(super) struct TagChatUsersInput {
    /// The users. At most 250.
    ids: Option<Vec<ID>>,
    /// The agent whose users are meant.
    agent_id: Option<ID>,
    /// The users for whom this holds. A condition that holds for every user is refused. Users are changed in steps of up to 250, each by
    /// itself; at most 10,000 at once, see `hasMore`.
    #[graphql(name = "where")]
    conditions: Option<Box<ChatUserWhere>>,
    /// Changes nothing: `count` says how many users the change would tag otherwise.
    #[graphql(default = false)]
    dry_run: bool,
    /// With `where`: how many users the change must concern, as `dryRun` counts them. With any other number, nothing is changed, and
    /// `userErrors` says CONFLICT and how many there are.
    expected_count: Option<i64>,
    /// The tags: each 1 to 255 characters, at most 100. A user has at most 100.
    tags: Vec<String>,
}

/// What came of putting tags on users, or taking them off.
#[derive(Default, SimpleObject)]
pub(super) struct TagChatUsersPayload {
    /// How many users are tagged otherwise than before; with `dryRun`, how many would be.
    count: i64,
    /// Whether `where` holds for more users who would be tagged otherwise than before: send the same again.
    has_more: bool,
    /// The users as they are now, in the order of the ids. Null for an id that nobody has. Empty without ids.
    chat_users: Vec<Option<ChatUser>>,
    /// Why users were left as they were; empty when none was.
    user_errors: Vec<UserError>,
}

/// Changes the tags of users; `change` says how.
pub(super) async fn change(
    context: &Context<'_>,
    input: TagChatUsersInput,
    change: fn(Vec<String>) -> Change,
) -> Result<TagChatUsersPayload> {
    let selected = (input.ids, input.agent_id, input.conditions);
    let change = change(input.tags).normalise();
    match (selected, change) {
        ((Some(_), None, None), _) if input.expected_count.is_some() => {
            let reason = "belongs to `where`: `ids` are as many as they are";
            Err(Error::bad_input("input.expectedCount", reason))
        }
        ((Some(_), None, None) | (None, Some(_), Some(_)), Err(wrong)) => Ok(TagChatUsersPayload {
            user_errors: wrong.into_iter().map(UserError::from).collect(),
            ..TagChatUsersPayload::default()
        }),
        ((Some(ids), None, None), Ok(change)) => {
            let made = update::tags(context, ids, &change, input.dry_run).await?;
            Ok(TagChatUsersPayload {
                count: made.count,
                has_more: false,
                chat_users: made.users,
                user_errors: made.errors,
            })
        }
        ((None, Some(agent), Some(conditions)), Ok(change)) => {
            let conditions = Builder::restriction(reader(context), &*conditions)?;
            let bulk = Bulk {
                agent,
                conditions,
                change,
                expected: input.expected_count,
            };
            if input.dry_run {
                bulk.count(context).await
            } else {
                bulk.run(context).await
            }
        }
        _ => {
            let reason = "takes either `ids`, or `agentId` and `where`";
            Err(Error::bad_input("input", reason))
        }
    }
}

/// A change of the tags of all users of an agent for whom a condition holds.
struct Bulk {
    agent: ID,
    conditions: Condition,
    change: Change,
    expected: Option<i64>,
}

impl Bulk {
    fn next<'a>(&'a self, context: &'a Context<'_>, except: &'a [Uuid]) -> TagNext<'a> {
        TagNext {
            agent: ObjectKind::Agent.decode(&self.agent).unwrap_or_default(),
            condition: self.conditions.clone(),
            change: &self.change,
            except,
            expected: None,
            at_most: MAX_CHANGED,
            step: BATCH,
            by: caller(context),
        }
    }

    /// How many users it would change.
    async fn count(&self, context: &Context<'_>) -> Result<TagChatUsersPayload> {
        let next = self.next(context, &[]);
        let count = next.count_users(reader(context)).await?;
        let agent = loaders(context).by_id::<entity::agent::Entity>(next.agent);
        let mut payload = TagChatUsersPayload {
            count,
            ..TagChatUsersPayload::default()
        };
        if agent.await?.is_none() {
            payload.user_errors.push(no_agent());
        } else if let Some(expected) = self.expected.filter(|expected| *expected != count) {
            payload.user_errors.push(unexpected(expected, count));
        }
        Ok(payload)
    }

    /// Changes them, step by step. The first step counts them where a number is expected, and no later one goes beyond it.
    async fn run(&self, context: &Context<'_>) -> Result<TagChatUsersPayload> {
        let expected = self.expected.map(|count| u64::try_from(count).unwrap_or(0));
        let most = expected.map_or(MAX_CHANGED, |count| count.min(MAX_CHANGED));
        let mut payload = TagChatUsersPayload::default();
        let mut refused = Vec::new();
        let mut count = 0;
        let mut first = true;
        let mut step = BATCH;
        loop {
            let start = Instant::now();
            let work = TagNext {
                step,
                expected: self.expected.filter(|_| first),
                at_most: most - count - refused.len() as u64,
                ..self.next(context, &refused)
            };
            first = false;
            let Some(tagged) = writer(context).transaction(&work).await? else {
                payload.user_errors.push(no_agent());
                break;
            };
            step = next_step(step, start.elapsed());
            if let (Some(expected), Some(found)) = (self.expected, tagged.unexpected) {
                payload.user_errors.push(unexpected(expected, found));
                break;
            }
            count += tagged.count;
            refused.extend(tagged.refused);
            payload.has_more = tagged.more;
            let handled = count + refused.len() as u64;
            if !tagged.more || handled >= most || refused.len() >= MAX_REFUSED {
                break;
            }
        }
        QUERY_STATS.try_with(|tally| tally.spare(most - count)).ok();
        loaders(context).forget();
        payload.count = i64::try_from(count).unwrap_or(i64::MAX);
        payload.user_errors.extend(refused.into_iter().map(|user| {
            let reason = format!(
                "{} would have more than 100 tags",
                ObjectKind::ChatUser.encode(user)
            );
            UserError::new(UserErrorCode::Invalid, &reason, "where")
        }));
        Ok(payload)
    }
}

/// How many users the next transaction tags, after one that took so long: short ones let others write in between.
fn next_step(step: u64, took: Duration) -> u64 {
    let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    (step * MOMENT / took).clamp(SHORTEST, BATCH)
}

fn no_agent() -> UserError {
    UserError::new(UserErrorCode::NotFound, "no agent has this id", "agentId")
}

fn unexpected(expected: i64, found: i64) -> UserError {
    let reason = format!("expects {expected} users, and there are {found}: nothing was changed");
    UserError::new(UserErrorCode::Conflict, &reason, "expectedCount")
}
