//! What users subscribe to: what is shown of it, and how it is made and ended. (Nothing of GraphQL's own subscriptions.)

use async_graphql::{Context, ID, InputObject, SimpleObject};
use uuid::Uuid;

use super::update::{UpdateChatUserPayload, UserError, payload};
use super::{caller, loaders, now, writer};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::Noun;
use crate::write::profile::Refused;
use crate::write::subscription::{SetSubscription, Wish, check};

/// Something that a user wants to hear of.
#[derive(SimpleObject)]
#[graphql(name = "ChatUserSubscription")]
pub(super) struct Subscription {
    /// What it is to.
    tag: String,
    /// Since when.
    subscribed_at: Timestamp,
    /// When it ends by itself; null for until it is ended.
    expires_at: Option<Timestamp>,
}

/// A subscription that is to be.
#[derive(Debug, InputObject)]
pub(super) struct SubscribeChatUserInput {
    /// The user.
    id: ID,
    /// What it is to: 1 to 255 characters.
    tag: String,
    /// When it ends by itself. When absent: when it is ended.
    expires_at: Option<Timestamp>,
}

/// A subscription that is not to be.
#[derive(Debug, InputObject)]
pub(super) struct UnsubscribeChatUserInput {
    /// The user.
    id: ID,
    /// What it is to.
    tag: String,
}

/// What a user subscribes to now.
pub(super) async fn of(context: &Context<'_>, user: Uuid) -> Result<Vec<Subscription>> {
    let now = now(context);
    let rows = loaders(context).subscriptions(user).await?;
    let rows = rows
        .into_iter()
        .filter(|row| row.expires_at.is_none_or(|at| at > now));
    Ok(rows
        .map(|row| Subscription {
            tag: row.tag,
            subscribed_at: row.subscribed_at,
            expires_at: row.expires_at,
        })
        .collect())
}

/// Subscribes a user.
pub(super) async fn subscribe(
    context: &Context<'_>,
    input: SubscribeChatUserInput,
) -> Result<UpdateChatUserPayload> {
    set(
        context,
        &input.id,
        &input.tag,
        Wish::Subscribed(input.expires_at),
    )
    .await
}

/// Ends a subscription.
pub(super) async fn unsubscribe(
    context: &Context<'_>,
    input: UnsubscribeChatUserInput,
) -> Result<UpdateChatUserPayload> {
    set(context, &input.id, &input.tag, Wish::Unsubscribed).await
}

async fn set(
    context: &Context<'_>,
    id: &str,
    tag: &str,
    wish: Wish,
) -> Result<UpdateChatUserPayload> {
    let now = now(context);
    let errors = match (check(tag, wish, now), Noun::ChatUser.decode(id)) {
        (Err(wrong), _) => wrong.into_iter().map(UserError::from).collect(),
        (Ok(_), None) => vec![Refused::NotFound.into()],
        (Ok(tag), Some(id)) => {
            let work = SetSubscription {
                id,
                tag: &tag,
                wish,
                now,
                by: caller(context),
            };
            let refused = writer(context).transaction(&work).await?.err();
            refused.into_iter().map(UserError::from).collect()
        }
    };
    loaders(context).forget();
    payload(context, id, errors).await
}
