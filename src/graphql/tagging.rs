//! Tags for users: for those in a list of ids, or for all for whom a condition holds.

use async_graphql::{Context, ID, InputObject, SimpleObject};

use super::chat_user::ChatUser;
use super::update::{self, UserError, UserErrorCode};
use super::{caller, loaders, reader, writer};
use crate::error::{Error, Result};
use crate::id::Noun;
use crate::read::Filter;
use crate::read::chat_user::{ChatUserFilter, ChatUserWhere};
use crate::write::profile::Change;
use crate::write::tagging::TagNext;

/// How many users one mutation tags by a condition.
const MAX_USERS: u64 = 10_000;
/// How many users may be refused before a mutation stops.
const MAX_REFUSED: usize = 250;

/// Tags for users: `ids`, or `agentId` and `where`.
#[derive(Debug, InputObject)]
pub(super) struct TagChatUsersInput {
    /// The users. At most 250.
    ids: Option<Vec<ID>>,
    /// The agent whose users are meant.
    agent_id: Option<ID>,
    /// The users for whom this holds. They are changed in steps of 250, each by itself; at most 10,000 at once, see `hasMore`.
    #[graphql(name = "where")]
    conditions: Option<Box<ChatUserWhere>>,
    /// The tags: each 1 to 255 characters, at most 100. A user has at most 100.
    tags: Vec<String>,
}

/// What came of putting tags on users, or taking them off.
#[derive(Default, SimpleObject)]
pub(super) struct TagChatUsersPayload {
    /// How many users are tagged otherwise than before.
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
    let whom = (input.ids, input.agent_id, input.conditions);
    let change = change(input.tags).normalise();
    match (whom, change) {
        ((Some(_), None, None) | (None, Some(_), Some(_)), Err(wrong)) => Ok(TagChatUsersPayload {
            user_errors: wrong.into_iter().map(UserError::from).collect(),
            ..TagChatUsersPayload::default()
        }),
        ((Some(ids), None, None), Ok(change)) => {
            let made = update::tags(context, ids, &change).await?;
            Ok(TagChatUsersPayload {
                count: made.count,
                has_more: false,
                chat_users: made.users,
                user_errors: made.errors,
            })
        }
        ((None, Some(agent), Some(conditions)), Ok(change)) => {
            by_condition(context, &agent, conditions, &change).await
        }
        _ => {
            let reason = "takes either `ids`, or `agentId` and `where`";
            Err(Error::bad_input("input", reason))
        }
    }
}

async fn by_condition(
    context: &Context<'_>,
    agent: &str,
    conditions: Box<ChatUserWhere>,
    change: &Change,
) -> Result<TagChatUsersPayload> {
    let filter = ChatUserFilter {
        r#where: Some(conditions),
        ..ChatUserFilter::default()
    };
    let condition = filter.condition(reader(context))?;
    let mut payload = TagChatUsersPayload::default();
    let mut refused = Vec::new();
    let mut count = 0;
    loop {
        let work = TagNext {
            agent: Noun::Agent.decode(agent).unwrap_or_default(),
            condition: condition.clone(),
            change,
            except: &refused,
            by: caller(context),
        };
        let Some(tagged) = writer(context).transaction(&work).await? else {
            let error = UserError::new(UserErrorCode::NotFound, "no agent has this id", "agentId");
            payload.user_errors.push(error);
            break;
        };
        count += tagged.count;
        refused.extend(tagged.refused);
        payload.has_more = tagged.more;
        if !tagged.more || count >= MAX_USERS || refused.len() >= MAX_REFUSED {
            break;
        }
    }
    loaders(context).forget();
    payload.count = i64::try_from(count).unwrap_or(i64::MAX);
    payload.user_errors.extend(refused.into_iter().map(|user| {
        let reason = format!(
            "{} would have more than 100 tags",
            Noun::ChatUser.encode(user)
        );
        UserError::new(UserErrorCode::Invalid, &reason, "where")
    }));
    Ok(payload)
}
