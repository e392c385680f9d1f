//! `Mutation`: where every change starts. One input; a payload with what was changed and `userErrors`.

use async_graphql::{Context, Object};

use super::update::{
    TagChatUsersInput, TagChatUsersPayload, UpdateChatUserInput, UpdateChatUserPayload,
    UpdateChatUserSettingsInput, UpdateChatUsersInput, UpdateChatUsersPayload,
};
use crate::error::Result;
use crate::write::profile::Change;

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

    /// Puts tags on up to 250 users. Those who have them keep them.
    async fn tag_chat_users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The users, and the tags.")] input: TagChatUsersInput,
    ) -> Result<TagChatUsersPayload> {
        super::update::tags(context, input, Change::Tag).await
    }

    /// Takes tags off up to 250 users. Those who do not have them stay as they are.
    async fn untag_chat_users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The users, and the tags.")] input: TagChatUsersInput,
    ) -> Result<TagChatUsersPayload> {
        super::update::tags(context, input, Change::Untag).await
    }

    /// Changes some of the settings of a user, and leaves the others.
    async fn update_chat_user_settings(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user, and what is to change.")] input: UpdateChatUserSettingsInput,
    ) -> Result<UpdateChatUserPayload> {
        super::update::settings(context, input).await
    }
}
