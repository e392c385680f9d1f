//! `Mutation`: where every change starts. One input; a payload with what was changed and `userErrors`.

use async_graphql::{Context, Object};

use super::update::{
    UpdateChatUserInput, UpdateChatUserPayload, UpdateChatUsersInput, UpdateChatUsersPayload,
};
use crate::error::Result;

/// Where every change starts.
pub struct Mutation;

/// Where every change starts. Changes of one request are made one after the other, in their order. What a request may
/// expect to go wrong (nobody has this id, somebody was faster, a value cannot be) is told in `userErrors`.
#[Object]
impl Mutation {
    /// Changes the profile of a user. What is absent stays as it is, null clears.
    async fn update_chat_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user, and the values.")] input: UpdateChatUserInput,
    ) -> Result<UpdateChatUserPayload> {
        super::update::one(context, input).await
    }

    /// Changes the profiles of up to 250 users at once.
    async fn update_chat_users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The users, and the values.")] input: UpdateChatUsersInput,
    ) -> Result<UpdateChatUsersPayload> {
        super::update::many(context, input).await
    }
}
