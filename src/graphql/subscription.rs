//! What users subscribe to: what is shown of it, and how it is made and ended. (Nothing of GraphQL's own subscriptions.)

use std::sync::Arc;

use async_graphql::{Context, EmptyMutation, ID, InputObject, Object};
use macros::fast_fields;
use uuid::Uuid;

use super::chat_user::ChatUser;
use super::connection::{Listed, PageArguments};
use super::fast_path::List;
use super::update::{UpdateChatUserPayload, UserError, payload};
use super::{caller, loaders, now, writer};
use crate::clock::Timestamp;
use crate::entity;
use crate::entity::subscription::{Entity, Model};
use crate::error::Result;
use crate::id::ObjectKind;
use crate::read::Scope;
use crate::read::page::Order;
use crate::read::subscription::{SubscriptionFilter, SubscriptionOrderField};
use crate::write::profile::Refused;
use crate::write::subscription::{SetSubscription, Wish, check};

/// A list of subscriptions.
pub(super) type SubscriptionConnection = List<Entity>;

/// Something that a user wants to hear of.
pub(super) struct Subscription(Arc<Model>);

impl From<Arc<Model>> for Subscription {
    fn from(row: Arc<Model>) -> Self {
        Self(row)
    }
}

impl Listed for Entity {
    type Node = Subscription;
    type Extras = EmptyMutation;
    const NAME: &'static str = "ChatUserSubscription";
    const FIELD_COLUMNS: &'static [(&'static str, &'static [&'static str])] =
        &[("chatUser", &["chat_user_id"])];

    fn extras(_: Scope, _: &SubscriptionFilter) -> EmptyMutation {
        EmptyMutation
    }
}

/// Something that a user wants to hear of.
#[fast_fields]
#[Object(name = "ChatUserSubscription")]
impl Subscription {
    /// The id: opaque, and unique in the whole graph.
    pub(super) fn id(&self) -> ID {
        ObjectKind::Subscription.encode(self.0.id).into()
    }

    /// The user.
    async fn chat_user(&self, context: &Context<'_>) -> Result<Option<ChatUser>> {
        Ok(loaders(context)
            .load_selected::<entity::chat_user::Entity>(context, self.0.chat_user_id)
            .await?
            .map(ChatUser::from))
    }

    /// What it is to.
    fn tag(&self) -> &str {
        &self.0.tag
    }

    /// Since when.
    fn subscribed_at(&self) -> Timestamp {
        self.0.subscribed_at
    }

    /// When it ends by itself; null for until it is ended.
    fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at
    }
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

/// What a user subscribes to now, by tag.
pub(super) fn list(
    context: &Context<'_>,
    user: Uuid,
    page: PageArguments,
) -> Result<SubscriptionConnection> {
    let filter = SubscriptionFilter {
        hold_at: Some(now(context)),
    };
    let order = Order {
        field: SubscriptionOrderField::Tag,
        descending: false,
    };
    let scope = Scope::Of(ObjectKind::ChatUser, user);
    List::new(context, scope, filter, order, page)
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
    let errors = match (check(tag, wish, now), ObjectKind::ChatUser.decode(id)) {
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
