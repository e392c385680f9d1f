//! `Mutation`: where every change starts. One input; a payload with what was changed and `userErrors`.

use async_graphql::{Context, Object};

use super::agent_change::{
    AgentPayload, ArchiveAgentInput, CreateAgentInput, UnarchiveAgentInput, UpdateAgentInput,
};
use super::block::{BlockChatUserInput, UnblockChatUserInput};
use super::bot_opt_out::SetChatUserStoppedInput;
use super::deletion::{
    DeleteChatUserInput, DeleteChatUserPayload, RestoreChatUserInput, RestoreChatUserPayload,
};
use super::merge::{MergeChatUsersInput, MergeChatUsersPayload};
use super::message_change::{
    RedactMessageInput, RedactMessagePayload, RemoveMessageInput, RemoveMessagePayload,
};
use super::record::{RecordMessagesInput, RecordMessagesPayload};
use super::subscription::{SubscribeChatUserInput, UnsubscribeChatUserInput};
use super::tagging::{TagChatUsersInput, TagChatUsersPayload};
use super::token::{CreateTokenInput, CreateTokenPayload, RevokeTokenInput, RevokeTokenPayload};
use super::update::{
    UpdateChatUserInput, UpdateChatUserPayload, UpdateChatUserSettingsInput, UpdateChatUsersInput,
    UpdateChatUsersPayload,
};
use crate::error::Result;
use crate::write::profile::Change;

/// Where every change starts.
pub(super) struct Mutation;

/// Where every change starts. Changes of one request are made one after the other, in their order. What a request may
/// expect to go wrong (nobody has this id, somebody was faster, a value cannot be) is told in `userErrors`.
#[Object]
impl Mutation {
    /// Records messages, with the agents, users and sessions they belong to, as far as these are not there yet; also that
    /// sessions started or ended. An event that cannot be taken is told; the others go in together.
    async fn record_messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What happened.")] input: RecordMessagesInput,
    ) -> Result<RecordMessagesPayload> {
        super::record::record(context, input).await
    }

    /// Makes an agent. Events make agents too, when they name one that is not there.
    async fn create_agent(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The agent.")] input: CreateAgentInput,
    ) -> Result<AgentPayload> {
        super::agent_change::create(context, input).await
    }

    /// Changes an agent. What is absent stays as it is, null clears.
    async fn update_agent(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The agent, and the values.")] input: UpdateAgentInput,
    ) -> Result<AgentPayload> {
        super::agent_change::update(context, input).await
    }

    /// Puts an agent away: it takes no new events, and all that is there can be read as before.
    async fn archive_agent(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The agent.")] input: ArchiveAgentInput,
    ) -> Result<AgentPayload> {
        super::agent_change::archive(context, input).await
    }

    /// Lets an agent that was put away take new events again.
    async fn unarchive_agent(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The agent.")] input: UnarchiveAgentInput,
    ) -> Result<AgentPayload> {
        super::agent_change::unarchive(context, input).await
    }

    /// Changes the profile of a user. What is absent stays as it is, null clears. What is personal is changed only by those with
    /// `users:pii`: the name, the e-mail address, the phone number, the picture.
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

    /// Puts tags on up to 250 users, or on all of an agent for whom something holds. Those who have them keep them.
    async fn tag_chat_users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The users, and the tags.")] input: TagChatUsersInput,
    ) -> Result<TagChatUsersPayload> {
        super::tagging::change(context, input, Change::Tag).await
    }

    /// Takes tags off up to 250 users, or off all of an agent for whom something holds. Those who do not have them stay as they
    /// are.
    async fn untag_chat_users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The users, and the tags.")] input: TagChatUsersInput,
    ) -> Result<TagChatUsersPayload> {
        super::tagging::change(context, input, Change::Untag).await
    }

    /// Subscribes a user to something that a tag names. Again: the time at which it expires becomes another.
    async fn subscribe_chat_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user, the tag, and until when.")] input: SubscribeChatUserInput,
    ) -> Result<UpdateChatUserPayload> {
        super::subscription::subscribe(context, input).await
    }

    /// Ends a subscription of a user, if there is one.
    async fn unsubscribe_chat_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user, and the tag.")] input: UnsubscribeChatUserInput,
    ) -> Result<UpdateChatUserPayload> {
        super::subscription::unsubscribe(context, input).await
    }

    /// Blocks a user, until a time or until further notice. A block that there is already is replaced.
    async fn block_chat_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user, why, and until when.")] input: BlockChatUserInput,
    ) -> Result<UpdateChatUserPayload> {
        super::block::block(context, input).await
    }

    /// Lifts the block of a user, if there is one.
    async fn unblock_chat_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user.")] input: UnblockChatUserInput,
    ) -> Result<UpdateChatUserPayload> {
        super::block::unblock(context, input).await
    }

    /// Tells that a user has stopped the bot on the platform, or has started it again. Whoever writes has started it again.
    async fn set_chat_user_stopped(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user, and since when.")] input: SetChatUserStoppedInput,
    ) -> Result<UpdateChatUserPayload> {
        super::bot_opt_out::set(context, input).await
    }

    /// Merges one user into another of the same agent: sessions, messages, figures, tags, settings and subscriptions become
    /// those of the one who stays, and so does the id of the one who goes, here and on their platform. Again: nothing is done. For
    /// those with `users:pii`.
    async fn merge_chat_users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who stays, who goes, and whose values come first.")]
        input: MergeChatUsersInput,
    ) -> Result<MergeChatUsersPayload> {
        super::merge::merge(context, input).await
    }

    /// Deletes a user: hides them, erases everything personal about them, or removes them. From this moment on the user is
    /// not seen any more. Again: the deletion that there is already.
    async fn delete_chat_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user, and what is to become of them.")] input: DeleteChatUserInput,
    ) -> Result<DeleteChatUserPayload> {
        super::deletion::delete(context, input).await
    }

    /// Restores a user who was deleted softly.
    async fn restore_chat_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user.")] input: RestoreChatUserInput,
    ) -> Result<RestoreChatUserPayload> {
        super::deletion::restore(context, input).await
    }

    /// Removes the text and the attachments of a message. It keeps its place, and counts as before. Recorded again, it stays redacted.
    async fn redact_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The message.")] input: RedactMessageInput,
    ) -> Result<RedactMessagePayload> {
        super::message_change::redact(context, input).await
    }

    /// Removes a message, and lowers all figures by it: as if it had not been recorded. A session that no other event named is removed
    /// with it. Recorded again, it is a new message; that is how one with a wrong time is corrected.
    async fn remove_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The message.")] input: RemoveMessageInput,
    ) -> Result<RemoveMessagePayload> {
        super::message_change::remove(context, input).await
    }

    /// Changes some of the settings of a user, and leaves the others. For those with `users:pii`.
    async fn update_chat_user_settings(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user, and what is to change.")] input: UpdateChatUserSettingsInput,
    ) -> Result<UpdateChatUserPayload> {
        super::update::settings(context, input).await
    }

    /// Makes a token, for whoever has the permission `tokens:write`. It may no more than they may themselves.
    async fn create_token(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The token.")] input: CreateTokenInput,
    ) -> Result<CreateTokenPayload> {
        super::token::create(context, input).await
    }

    /// Revokes a token, for whoever has the permission `tokens:write`: within seconds it lets nobody in any more. Again:
    /// nothing is done.
    async fn revoke_token(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The token.")] input: RevokeTokenInput,
    ) -> Result<RevokeTokenPayload> {
        super::token::revoke(context, input).await
    }
}
