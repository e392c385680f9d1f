//! `redactMessage` and `removeMessage`.

use async_graphql::{Context, ID, InputObject, SimpleObject};
use uuid::Uuid;

use super::chat_user::ChatUser;
use super::message::Message;
use super::update::{UpdateChatUserPayload, UserError, payload};
use super::{caller, loaders, now, writer};
use crate::entity;
use crate::error::Result;
use crate::id::ObjectKind;
use crate::write::message_change::{ChangeMessage, EventOutcome};
use crate::write::profile::Refused;

/// A message that is to be redacted.
#[derive(Debug, InputObject)]
pub(super) struct RedactMessageInput {
    /// The message.
    id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub(super) struct RedactMessagePayload {
    /// The message as it is now. Null when nobody has the id.
    message: Option<Message>,
    /// Why it was not redacted; empty when it was.
    user_errors: Vec<UserError>,
}

/// A message that is to be removed.
#[derive(Debug, InputObject)]
pub(super) struct RemoveMessageInput {
    /// The message.
    id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub(super) struct RemoveMessagePayload {
    /// The id of the message that is gone.
    removed_message_id: Option<ID>,
    /// The user whose message it was, as they are now.
    chat_user: Option<ChatUser>,
    /// Why it was not removed; empty when it was.
    user_errors: Vec<UserError>,
}

/// Redacts a message.
pub(super) async fn redact(
    context: &Context<'_>,
    input: RedactMessageInput,
) -> Result<RedactMessagePayload> {
    let changed = change(context, &input.id, EventOutcome::Redacted).await?;
    let message = match ObjectKind::Message.decode(&input.id) {
        Some(id) if changed.is_ok() => {
            loaders(context)
                .by_id::<entity::message::Entity>(id)
                .await?
        }
        _ => None,
    };
    Ok(RedactMessagePayload {
        message: message.map(Message::from),
        user_errors: changed.err().into_iter().map(UserError::from).collect(),
    })
}

/// Removes a message.
pub(super) async fn remove(
    context: &Context<'_>,
    input: RemoveMessageInput,
) -> Result<RemoveMessagePayload> {
    let (user, errors) = match change(context, &input.id, EventOutcome::Removed).await? {
        Ok(user) => (ObjectKind::ChatUser.encode(user), Vec::new()),
        Err(refused) => (String::new(), vec![refused.into()]),
    };
    let is_removed = errors.is_empty();
    let UpdateChatUserPayload {
        chat_user,
        user_errors,
    } = payload(context, &user, errors).await?;
    Ok(RemoveMessagePayload {
        removed_message_id: is_removed.then_some(input.id),
        chat_user,
        user_errors,
    })
}

/// The user whose message it is.
async fn change(
    context: &Context<'_>,
    id: &str,
    fate: EventOutcome,
) -> Result<Result<Uuid, Refused>> {
    let Some(id) = ObjectKind::Message.decode(id) else {
        return Ok(Err(Refused::NotFound));
    };
    let work = ChangeMessage {
        id,
        fate,
        now: now(context),
        by: caller(context),
    };
    let changed = writer(context).transaction(&work).await?;
    loaders(context).forget();
    Ok(changed)
}
