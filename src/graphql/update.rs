//! Changes of profiles, from input to payload.

use std::collections::HashSet;

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, SimpleObject};

use super::chat_user::ChatUser;
use super::{caller, loaders, writer};
use crate::entity;
use crate::error::{Error, Result};
use crate::id::Noun;
use crate::write::profile::{Invalid, Patch, ProfileChange, Refused, UpdateProfiles};

/// How many profiles one mutation changes.
const MAX_CHANGES: usize = 250;

/// A change of the profile of a user. What is absent stays as it is; null, or nothing but spaces, clears.
#[derive(Debug, InputObject)]
pub(super) struct UpdateChatUserInput {
    /// The user.
    id: ID,
    /// The `version` that you have seen. When it is not the version any more, nothing is changed, and `userErrors` says
    /// CONFLICT.
    if_version: Option<i64>,
    /// The name.
    name: MaybeUndefined<String>,
    /// The e-mail address.
    email: MaybeUndefined<String>,
    /// The phone number. One that starts with `+` is kept in E.164 (`+442079460000`), any other as it is written.
    phone_number: MaybeUndefined<String>,
    /// The address of a picture; it starts with `http://` or `https://`.
    profile_picture_url: MaybeUndefined<String>,
    /// The language, as a BCP 47 tag.
    language: MaybeUndefined<String>,
}

/// Changes of the profiles of several users.
#[derive(Debug, InputObject)]
pub(super) struct UpdateChatUsersInput {
    /// The changes, each of another user. At most 250.
    changes: Vec<UpdateChatUserInput>,
    /// Whether all are to be made, or none. Otherwise each that can be made is made.
    #[graphql(default = true)]
    all_or_nothing: bool,
}

/// What came of a change.
#[derive(SimpleObject)]
pub(super) struct UpdateChatUserPayload {
    /// The user as they are now, whether the change was made or not. Null when nobody has the id.
    chat_user: Option<ChatUser>,
    /// Why the change was not made; empty when it was.
    user_errors: Vec<UserError>,
}

/// What came of several changes.
#[derive(SimpleObject)]
pub(super) struct UpdateChatUsersPayload {
    /// The users as they are now, in the order of the changes. Null for an id that nobody has.
    chat_users: Vec<Option<ChatUser>>,
    /// Why changes were not made; empty when all were.
    user_errors: Vec<UserError>,
}

/// Something in the way of a change.
#[derive(Debug, SimpleObject)]
pub(super) struct UserError {
    /// What kind of thing.
    code: UserErrorCode,
    /// What is wrong, and what would be right.
    message: String,
    /// Where in the input: names of fields, and places in lists counted from 0.
    field: Vec<String>,
}

/// What can be in the way of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum UserErrorCode {
    /// A value cannot be.
    Invalid,
    /// Nobody has this id.
    NotFound,
    /// The version is not what it was.
    Conflict,
    /// Nothing is wrong with this, but with something that was to be done together with it.
    NotApplied,
}

/// Changes one profile.
pub(super) async fn one(
    context: &Context<'_>,
    input: UpdateChatUserInput,
) -> Result<UpdateChatUserPayload> {
    let (mut users, user_errors) = update(context, vec![input], true, |_| Vec::new()).await?;
    Ok(UpdateChatUserPayload {
        chat_user: users.pop().flatten(),
        user_errors,
    })
}

/// Changes several profiles.
pub(super) async fn many(
    context: &Context<'_>,
    input: UpdateChatUsersInput,
) -> Result<UpdateChatUsersPayload> {
    let count = input.changes.len();
    if count > MAX_CHANGES {
        let reason = format!("lists {count} changes, and takes at most {MAX_CHANGES}");
        return Err(Error::bad_input("input.changes", reason));
    }
    let path = |at: usize| vec!["changes".to_owned(), at.to_string()];
    let (chat_users, user_errors) =
        update(context, input.changes, input.all_or_nothing, path).await?;
    Ok(UpdateChatUsersPayload {
        chat_users,
        user_errors,
    })
}

/// Makes changes. The users as they are then, and what was in the way, each at the path that `path` gives the input.
async fn update(
    context: &Context<'_>,
    inputs: Vec<UpdateChatUserInput>,
    together: bool,
    path: impl Fn(usize) -> Vec<String>,
) -> Result<(Vec<Option<ChatUser>>, Vec<UserError>)> {
    let ids: Vec<_> = inputs
        .iter()
        .map(|input| Noun::ChatUser.decode(&input.id))
        .collect();
    let mut errors = Vec::new();
    let mut changes = Vec::new();
    let mut seen = HashSet::new();
    for (at, input) in inputs.into_iter().enumerate() {
        let twice = ids[at].is_some_and(|id| !seen.insert(id));
        let checked = if twice {
            Err(vec![invalid("id", "is in the list twice")])
        } else {
            input.change(ids[at].unwrap_or_default()).normalise()
        };
        match checked {
            Ok(change) => changes.push((at, change)),
            Err(wrong) => errors.extend(wrong.into_iter().map(|wrong| (at, wrong.into()))),
        }
    }
    if together && !errors.is_empty() {
        let others = changes
            .drain(..)
            .map(|(at, _)| (at, Refused::Together.into()));
        errors.extend(others);
    }
    let (places, changes): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
    if !changes.is_empty() {
        let work = UpdateProfiles {
            changes: &changes,
            together,
            by: caller(context),
        };
        let fates = writer(context).transaction(&work).await?;
        loaders(context).forget();
        let refused = places.iter().zip(fates);
        errors.extend(refused.filter_map(|(&at, fate)| Some((at, fate.err()?.into()))));
    }
    errors.sort_by_key(|(at, _)| *at);
    let errors = errors
        .into_iter()
        .map(|(at, error): (usize, UserError)| UserError {
            field: [path(at), error.field].concat(),
            ..error
        });
    Ok((users(context, &ids).await?, errors.collect()))
}

/// The users with these ids.
async fn users(context: &Context<'_>, ids: &[Option<uuid::Uuid>]) -> Result<Vec<Option<ChatUser>>> {
    let users = ids.iter().map(async |id| match id {
        Some(id) => {
            loaders(context)
                .by_id::<entity::chat_user::Entity>(*id)
                .await
        }
        None => Ok(None),
    });
    let users = futures_util::future::try_join_all(users).await?;
    Ok(users
        .into_iter()
        .map(|user| user.map(ChatUser::from))
        .collect())
}

impl UpdateChatUserInput {
    fn change(self, id: uuid::Uuid) -> ProfileChange {
        ProfileChange {
            id,
            if_version: self.if_version,
            name: patch(self.name),
            email: patch(self.email),
            phone_number: patch(self.phone_number),
            profile_picture_url: patch(self.profile_picture_url),
            language: patch(self.language),
        }
    }
}

fn patch(given: MaybeUndefined<String>) -> Patch {
    match given {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

fn invalid(field: &'static str, reason: &'static str) -> Invalid {
    Invalid {
        field,
        reason: reason.into(),
    }
}

impl From<Invalid> for UserError {
    fn from(Invalid { field, reason }: Invalid) -> Self {
        Self {
            code: UserErrorCode::Invalid,
            message: format!("{field}: {reason}"),
            field: vec![field.to_owned()],
        }
    }
}

impl From<Refused> for UserError {
    fn from(refused: Refused) -> Self {
        let (code, message, field) = match refused {
            Refused::NotFound => (UserErrorCode::NotFound, "nobody has this id", "id"),
            Refused::Conflict => (
                UserErrorCode::Conflict,
                "somebody else has changed the profile since: look at what it is now",
                "ifVersion",
            ),
            Refused::Together => (
                UserErrorCode::NotApplied,
                "another change of the list cannot be made, and all or none were to be",
                "id",
            ),
        };
        Self {
            code,
            message: message.to_owned(),
            field: vec![field.to_owned()],
        }
    }
}
