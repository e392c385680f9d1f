//! Users who stop the bot and start it again, as the platform tells it: from input to payload.

use async_graphql::{Context, ID, InputObject};

use super::update::{UpdateChatUserPayload, UserError, UserErrorCode, payload};
use super::{caller, loaders, now, pii, writer};
use crate::clock::Timestamp;
use crate::entity::platform::Platform;
use crate::error::{Error, Result};
use crate::id::ObjectKind;
use crate::write::bot_opt_out::{SetStopped, UserSelector};

/// A user who has stopped the bot, or has started it again: `id`, or `agentId`, `platform` and `platformId`.
#[derive(Debug, InputObject)]
pub(super) struct SetChatUserStoppedInput {
    /// The user.
    id: Option<ID>,
    /// The agent.
    agent_id: Option<ID>,
    /// The platform.
    platform: Option<Platform>,
    /// The user's id on the platform.
    platform_id: Option<String>,
    /// When the user stopped the bot; a time to come counts as now. Null, or absent, when the user has started it again. A time
    /// before the user's newest message says nothing: whoever writes is back.
    stopped_at: Option<Timestamp>,
}

/// Tells since when a user has stopped the bot.
pub(super) async fn set(
    context: &Context<'_>,
    input: SetChatUserStoppedInput,
) -> Result<UpdateChatUserPayload> {
    let named = (input.agent_id, input.platform, input.platform_id);
    let (whom, field) = match (input.id, named) {
        (Some(id), (None, None, None)) => {
            (ObjectKind::ChatUser.decode(&id).map(UserSelector::Id), "id")
        }
        (None, (Some(agent), Some(platform), Some(platform_id))) => {
            pii::for_who_knows_ids(context, platform, "input.platformId")?;
            let agent = ObjectKind::Agent.decode(&agent);
            let agent = agent.filter(|_| !platform_id.contains('\0'));
            let whom = agent.map(|agent| UserSelector::On {
                agent,
                platform,
                platform_id,
            });
            (whom, "platformId")
        }
        _ => {
            let reason = "takes either `id`, or `agentId`, `platform` and `platformId`";
            return Err(Error::bad_input("input", reason));
        }
    };
    let mut found = None;
    if let Some(whom) = whom {
        let work = SetStopped {
            whom,
            stopped_at: input.stopped_at.map(|at| at.min(now(context))),
            by: caller(context),
        };
        found = writer(context).transaction(&work).await?.ok();
        loaders(context).forget();
    }
    let id = found
        .map(|id| ObjectKind::ChatUser.encode(id))
        .unwrap_or_default();
    let errors = match found {
        Some(_) => Vec::new(),
        None => vec![UserError::new(
            UserErrorCode::NotFound,
            "nobody has this id",
            field,
        )],
    };
    payload(context, &id, errors).await
}
