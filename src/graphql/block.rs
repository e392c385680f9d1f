//! Blocks: what is shown of them, how they are set and lifted, and the question that a bot asks before it answers.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use macros::fast_fields;

use super::chat_user::ChatUser;
use super::update::{UpdateChatUserPayload, UserError, payload};
use super::{caller, loaders, now, writer};
use crate::clock::Timestamp;
use crate::entity::chat_user::Model;
use crate::error::Result;
use crate::id::ObjectKind;
use crate::write::block::{Block, SetBlock};
use crate::write::profile::Refused;

/// A block of a user: the agent is not to answer them.
#[fast_fields]
#[derive(SimpleObject)]
pub(super) struct ChatUserBlock {
    /// Why. Null without `users:pii`.
    reason: Option<String>,
    /// Since when.
    blocked_at: Timestamp,
    /// When it ends by itself; null for until further notice.
    until: Option<Timestamp>,
    /// Who blocked the user.
    by: Option<String>,
}

/// The block that holds for a user at a time.
pub(super) fn holding(row: &Model, now: Timestamp) -> Option<ChatUserBlock> {
    let blocked_at = row.blocked_at?;
    row.blocked_until
        .is_none_or(|until| until > now)
        .then(|| ChatUserBlock {
            reason: row.block_reason.clone(),
            blocked_at,
            until: row.blocked_until,
            by: row.blocked_by.clone(),
        })
}

/// Whether an agent may answer somebody.
pub(super) struct BlockStatus(pub(super) Option<Arc<Model>>);

/// Whether an agent may answer somebody.
#[Object]
impl BlockStatus {
    /// Whether the user is blocked now. Somebody whom nobody knows yet is not.
    fn is_blocked(&self, context: &Context<'_>) -> bool {
        self.holding(context).is_some()
    }

    /// The block that holds now.
    async fn block(&self, context: &Context<'_>) -> Option<ChatUserBlock> {
        self.holding(context)
    }

    /// When the user stopped the bot, which is the other direction: what is sent does not arrive. Null for who has not, or has
    /// written since.
    fn stopped_at(&self) -> Option<Timestamp> {
        self.0.as_deref()?.stopped_at
    }

    /// The user; null for somebody whom nobody knows yet.
    async fn chat_user(&self) -> Option<ChatUser> {
        self.0.clone().map(ChatUser::from)
    }
}

impl BlockStatus {
    fn holding(&self, context: &Context<'_>) -> Option<ChatUserBlock> {
        holding(self.0.as_deref()?, now(context))
    }
}

/// A block for a user.
#[derive(Debug, InputObject)]
pub(super) struct BlockChatUserInput {
    /// The user.
    id: ID,
    /// Why. At most 2,000 characters.
    reason: Option<String>,
    /// When the block ends by itself. When absent: until it is lifted.
    until: Option<Timestamp>,
}

/// The user whose block is to be lifted.
#[derive(Debug, InputObject)]
pub(super) struct UnblockChatUserInput {
    /// The user.
    id: ID,
}

/// Blocks a user.
pub(super) async fn block(
    context: &Context<'_>,
    input: BlockChatUserInput,
) -> Result<UpdateChatUserPayload> {
    let block = Block {
        reason: input.reason,
        until: input.until,
    };
    match block.normalise(now(context)) {
        Ok(block) => set(context, &input.id, Some(block)).await,
        Err(wrong) => {
            let errors = wrong.into_iter().map(UserError::from).collect();
            payload(context, &input.id, errors).await
        }
    }
}

/// Lifts the block of a user.
pub(super) async fn unblock(
    context: &Context<'_>,
    input: UnblockChatUserInput,
) -> Result<UpdateChatUserPayload> {
    set(context, &input.id, None).await
}

async fn set(
    context: &Context<'_>,
    id: &str,
    block: Option<Block>,
) -> Result<UpdateChatUserPayload> {
    let refused = match ObjectKind::ChatUser.decode(id) {
        None => Err(Refused::NotFound),
        Some(id) => {
            let work = SetBlock {
                id,
                block,
                now: now(context),
                by: caller(context),
            };
            writer(context).transaction(&work).await?
        }
    };
    loaders(context).forget();
    let errors = refused.err().into_iter().map(UserError::from).collect();
    payload(context, id, errors).await
}
