//! Merging of users, from input to payload, and what it would make of them.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, SimpleObject};

use super::chat_user::ChatUser;
use super::money::Money;
use super::scalar::{Json, JsonObject};
use super::update::{UserError, UserErrorCode};
use super::{caller, loaders, now, pii, stored, writer};
use crate::clock::Timestamp;
use crate::entity;
use crate::entity::chat_user::Model;
use crate::error::Result;
use crate::id::ObjectKind;
use crate::write::merge::{Conflict, MergeError, MergeField, MergeUsers, MergedProfile, Moved};

/// Two users of an agent who are one person.
#[derive(Debug, InputObject)]
pub(super) struct MergeChatUsersInput {
    /// The user who stays.
    into: ID,
    /// The user who goes. The id leads to the one who stays from then on.
    from: ID,
    /// Fields in which the value of the one who goes comes first. In all others the value of the one who stays does; the
    /// other one's is taken where that is absent.
    #[graphql(default)]
    take: Vec<MergeField>,
    /// The `version` of the one who stays that you have seen. When it is not the version any more, nothing is changed, and
    /// `userErrors` says CONFLICT.
    if_version: Option<i64>,
}

/// What came of a merge.
#[derive(SimpleObject)]
pub(super) struct MergeChatUsersPayload {
    /// The user who stays, as they are now, whether anything was done or not. Null when nobody has the id.
    chat_user: Option<ChatUser>,
    /// How many sessions were moved.
    moved_sessions: i64,
    /// How many messages were moved.
    moved_messages: i64,
    /// Why the users were not merged; empty when they were, now or before.
    user_errors: Vec<UserError>,
}

/// What a merge would make of two users.
#[derive(SimpleObject)]
pub(super) struct MergePreview {
    /// The user who stays, as they are now.
    into: Option<ChatUser>,
    /// The user who goes, as they are now.
    from: Option<ChatUser>,
    /// Values of which they each have another, and which one it would be.
    conflicts: Vec<MergeConflict>,
    /// What the one user would be. Null when the users cannot be merged.
    result: Option<MergedChatUser>,
    /// Why the users cannot be merged; empty when they can.
    user_errors: Vec<UserError>,
}

/// A value of which two users each have another.
#[derive(SimpleObject)]
pub(super) struct MergeConflict {
    /// The value.
    field: MergeField,
    /// What the one who stays has.
    into: Json,
    /// What the one who goes has.
    from: Json,
    /// What the one user would have.
    result: Json,
}

/// What two users would be as one.
#[derive(SimpleObject)]
pub(super) struct MergedChatUser {
    /// The name.
    name: Option<String>,
    /// The e-mail address.
    email: Option<String>,
    /// The phone number.
    phone_number: Option<String>,
    /// The address of a picture.
    profile_picture_url: Option<String>,
    /// The language.
    language: Option<String>,
    /// The tags of both.
    tags: Vec<String>,
    /// The settings of both.
    settings: JsonObject,
    /// Whether the user would be blocked: when one of them is.
    is_blocked: bool,
    /// The earliest session start or message of both.
    created_at: Timestamp,
    /// The newest of the own messages and session starts of both.
    last_interaction_at: Timestamp,
    /// The time of the newest message that one of them sent.
    last_message_at: Option<Timestamp>,
    /// Sessions of both.
    total_sessions: i64,
    /// Messages in these sessions, of every role.
    total_chat_messages: i64,
    /// Messages that they have sent.
    total_messages_sent: i64,
    /// What all these messages cost.
    total_cost: Money,
}

/// Merges two users.
pub(super) async fn merge(
    context: &Context<'_>,
    input: MergeChatUsersInput,
) -> Result<MergeChatUsersPayload> {
    pii::for_who_sees_it(context, "input.from")?;
    let into = ObjectKind::ChatUser.decode(&input.into);
    let outcome = match (into, ObjectKind::ChatUser.decode(&input.from)) {
        (None, _) => Err(MergeError::NoInto),
        (_, None) => Err(MergeError::NoFrom),
        (Some(into), Some(from)) => {
            let work = MergeUsers {
                into,
                from,
                take: input.take,
                if_version: input.if_version,
                now: now(context),
                by: caller(context).clone(),
            };
            // A user with a very long history takes longer than a request may.
            writer(context).to_the_end(work).await?
        }
    };
    loaders(context).forget();
    let (moved, user_errors) = match outcome {
        Ok(moved) => (moved, Vec::new()),
        Err(obstacle) => (Moved::default(), vec![obstacle.into()]),
    };
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(MergeChatUsersPayload {
        chat_user: user(context, &input.into).await?.map(ChatUser::from),
        moved_sessions: count(moved.sessions),
        moved_messages: count(moved.messages),
        user_errors,
    })
}

/// What a merge would make of two users.
pub(super) async fn preview(
    context: &Context<'_>,
    into: &str,
    from: &str,
    take: &[MergeField],
) -> Result<MergePreview> {
    pii::for_who_sees_it(context, "from")?;
    let (into, from) = futures_util::try_join!(user(context, into), user(context, from))?;
    let united = match (&into, &from) {
        (None, _) => Err(MergeError::NoInto),
        (_, None) => Err(MergeError::NoFrom),
        (Some(into), Some(from)) => MergedProfile::of(into, from, take)
            .map(|united| (united.shown(into, from), united.conflicts)),
    };
    let (result, conflicts, user_errors) = match united {
        Ok((row, conflicts)) => (Some(shown(context, row)?), conflicts, Vec::new()),
        Err(obstacle) => (None, Vec::new(), vec![obstacle.into()]),
    };
    Ok(MergePreview {
        into: into.map(ChatUser::from),
        from: from.map(ChatUser::from),
        conflicts: conflicts.into_iter().map(Into::into).collect(),
        result,
        user_errors,
    })
}

fn shown(context: &Context<'_>, row: Model) -> Result<MergedChatUser> {
    Ok(MergedChatUser {
        tags: stored(&row.tags)?,
        settings: stored(&row.settings).map(JsonObject)?,
        is_blocked: super::block::holding(&row, now(context)).is_some(),
        name: row.name,
        email: row.email,
        phone_number: row.phone_number,
        profile_picture_url: row.profile_picture_url,
        language: row.language,
        created_at: row.created_at,
        last_interaction_at: row.last_interaction_at,
        last_message_at: row.last_message_at,
        total_sessions: row.total_sessions,
        total_chat_messages: row.total_chat_messages,
        total_messages_sent: row.total_messages_sent,
        total_cost: Money::of(context, row.total_cost_micros),
    })
}

async fn user(context: &Context<'_>, id: &str) -> Result<Option<Arc<Model>>> {
    match ObjectKind::ChatUser.decode(id) {
        Some(id) => {
            loaders(context)
                .by_id::<entity::chat_user::Entity>(id)
                .await
        }
        None => Ok(None),
    }
}

impl From<Conflict> for MergeConflict {
    fn from(conflict: Conflict) -> Self {
        let Conflict {
            field,
            into,
            from,
            result,
        } = conflict;
        Self {
            field,
            into: Json(into),
            from: Json(from),
            result: Json(result),
        }
    }
}

impl From<MergeError> for UserError {
    fn from(obstacle: MergeError) -> Self {
        let (code, message, field) = match obstacle {
            MergeError::NoInto => (UserErrorCode::NotFound, "nobody has this id", "into"),
            MergeError::NoFrom => (UserErrorCode::NotFound, "nobody has this id", "from"),
            MergeError::Same => (
                UserErrorCode::Invalid,
                "is the user who stays: nobody can be merged into themselves",
                "from",
            ),
            MergeError::OtherAgent => (
                UserErrorCode::Invalid,
                "is a user of another agent than the one who stays",
                "from",
            ),
            MergeError::Erased => (
                UserErrorCode::Invalid,
                "one of the users was erased, and there is no profile to merge",
                "from",
            ),
            MergeError::Conflict => (
                UserErrorCode::Conflict,
                "somebody else has changed the profile since: look at what it is now",
                "ifVersion",
            ),
            MergeError::TooManyTags => (
                UserErrorCode::Invalid,
                "the user would have more than 100 tags",
                "from",
            ),
            MergeError::SettingsTooLarge => (
                UserErrorCode::Invalid,
                "the settings would be larger than 64 KiB",
                "from",
            ),
            MergeError::TooManySubscriptions => (
                UserErrorCode::Invalid,
                "the user would have more than 1,000 subscriptions",
                "from",
            ),
        };
        Self::new(code, message, field)
    }
}
