//! Changes of users, from input to payload.

use std::collections::HashSet;

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, SimpleObject};
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::chat_user::ChatUser;
use super::scalar::JsonObject;
use super::{caller, loaders, pii, reader, writer};
use crate::entity;
use crate::error::{Error, Result};
use crate::id::ObjectKind;
use crate::read::batch;
use crate::read::columns::Columns;
use crate::write::profile::{
    Change, ChangeUsers, Invalid, Patch, ProfilePatch, Refused, UserChange,
};

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
    /// Changes nothing: the answer shows the users as they are, and why changes could not be made.
    #[graphql(default = false)]
    dry_run: bool,
}

/// What came of a change.
#[derive(SimpleObject)]
pub(super) struct UpdateChatUserPayload {
    /// The user as they are now, whether the change was made or not. Null when nobody has the id.
    pub(super) chat_user: Option<ChatUser>,
    /// Why the change was not made; empty when it was.
    pub(super) user_errors: Vec<UserError>,
}

/// What came of several changes.
#[derive(SimpleObject)]
pub(super) struct UpdateChatUsersPayload {
    /// The users as they are now, in the order of the changes. Null for an id that nobody has.
    chat_users: Vec<Option<ChatUser>>,
    /// Why changes were not made; empty when all were.
    user_errors: Vec<UserError>,
}

/// A change of the settings of a user.
#[derive(Debug, InputObject)]
pub(super) struct UpdateChatUserSettingsInput {
    /// The user.
    id: ID,
    /// The `version` that you have seen, as in `updateChatUser`.
    if_version: Option<i64>,
    /// A merge patch (RFC 7396): a key with null goes, an object is merged into what is there, anything else takes its place.
    /// Settings have at most 64 KiB as JSON.
    settings: JsonObject,
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
    input.is_for(context, "input")?;
    single(context, input.requested_change()).await
}

/// Changes the settings of one user.
pub(super) async fn settings(
    context: &Context<'_>,
    input: UpdateChatUserSettingsInput,
) -> Result<UpdateChatUserPayload> {
    pii::for_who_sees_it(context, "input.settings")?;
    let change = Change::Settings(input.settings.0);
    single(context, RequestedChange(input.id, input.if_version, change)).await
}

async fn single(context: &Context<'_>, asked: RequestedChange) -> Result<UpdateChatUserPayload> {
    let mode = Mode {
        together: true,
        dry_run: false,
    };
    let mut outcome = make(context, vec![asked], mode, |_| Vec::new()).await?;
    Ok(UpdateChatUserPayload {
        chat_user: outcome.users.pop().flatten(),
        user_errors: outcome.errors,
    })
}

/// Changes several profiles.
pub(super) async fn many(
    context: &Context<'_>,
    input: UpdateChatUsersInput,
) -> Result<UpdateChatUsersPayload> {
    within("input.changes", input.changes.len())?;
    for (at, change) in input.changes.iter().enumerate() {
        change.is_for(context, &format!("input.changes.{at}"))?;
    }
    let path = |at: usize| vec!["changes".to_owned(), at.to_string()];
    let asked = input
        .changes
        .into_iter()
        .map(UpdateChatUserInput::requested_change);
    let mode = Mode {
        together: input.all_or_nothing,
        dry_run: input.dry_run,
    };
    let outcome = make(context, asked.collect(), mode, path).await?;
    Ok(UpdateChatUsersPayload {
        chat_users: outcome.users,
        user_errors: outcome.errors,
    })
}

/// Changes the tags of several users, each by itself; with `dry_run`, says what would come of it.
pub(super) async fn tags(
    context: &Context<'_>,
    ids: Vec<ID>,
    change: &Change,
    dry_run: bool,
) -> Result<Made> {
    within("input.ids", ids.len())?;
    let asked = ids
        .into_iter()
        .map(|id| RequestedChange(id, None, change.clone()));
    let path = |at: usize| vec!["ids".to_owned(), at.to_string()];
    let mode = Mode {
        together: false,
        dry_run,
    };
    make(context, asked.collect(), mode, path).await
}

fn within(argument: &'static str, count: usize) -> Result<()> {
    if count <= MAX_CHANGES {
        return Ok(());
    }
    let reason = format!("lists {count}, and takes at most {MAX_CHANGES}");
    Err(Error::bad_input(argument, reason))
}

/// A change as it was asked for: whom, which version of them, what.
struct RequestedChange(ID, Option<i64>, Change);

/// What came of changes.
pub(super) struct Made {
    /// How many users are others than before, or would be.
    pub(super) count: i64,
    /// The users as they are now.
    pub(super) users: Vec<Option<ChatUser>>,
    pub(super) errors: Vec<UserError>,
}

/// How changes are made.
#[derive(Clone, Copy)]
struct Mode {
    /// All of them, or none.
    together: bool,
    /// None of them: only what would come of them is wanted.
    dry_run: bool,
}

/// Makes changes. What was in the way of one is told at the path that `path` gives its place.
async fn make(
    context: &Context<'_>,
    asked: Vec<RequestedChange>,
    mode: Mode,
    path: impl Fn(usize) -> Vec<String>,
) -> Result<Made> {
    let ids: Vec<_> = asked
        .iter()
        .map(|asked| ObjectKind::ChatUser.decode(&asked.0))
        .collect();
    let mut errors: Vec<(usize, UserError)> = Vec::new();
    let mut changes = Vec::new();
    let mut seen = HashSet::new();
    for (at, RequestedChange(_, if_version, change)) in asked.into_iter().enumerate() {
        let twice = ids[at].is_some_and(|id| !seen.insert(id));
        let checked = if twice {
            Err(vec![Invalid::new("id", "is in the list twice")])
        } else {
            change.normalise()
        };
        match checked {
            Ok(change) => {
                let id = ids[at].unwrap_or_default();
                changes.push((
                    at,
                    UserChange {
                        id,
                        if_version,
                        change,
                    },
                ));
            }
            Err(wrong) => errors.extend(wrong.into_iter().map(|wrong| (at, wrong.into()))),
        }
    }
    if mode.together && !errors.is_empty() {
        let others = changes
            .drain(..)
            .map(|(at, _)| (at, Refused::Together.into()));
        errors.extend(others);
    }
    let (places, changes): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
    let mut count = 0;
    let users = if changes.is_empty() {
        users(context, &ids).await?
    } else {
        let (outcomes, users) = change(context, &changes, mode, &ids).await?;
        for (&at, fate) in places.iter().zip(outcomes) {
            match fate {
                Ok(is_new) => count += i64::from(is_new),
                Err(refused) => errors.push((at, refused.into())),
            }
        }
        users
    };
    errors.sort_by_key(|(at, _)| *at);
    let errors = errors.into_iter().map(|(at, error)| UserError {
        field: [path(at), error.field].concat(),
        ..error
    });
    Ok(Made {
        count,
        users,
        errors: errors.collect(),
    })
}

/// Makes changes that can be, as far as the users let them. What came of each, and the users with these ids as they are then.
async fn change(
    context: &Context<'_>,
    changes: &[UserChange],
    mode: Mode,
    ids: &[Option<Uuid>],
) -> Result<(Vec<Result<bool, Refused>>, Vec<Option<ChatUser>>)> {
    type User = entity::chat_user::Entity;
    let (by, reader) = (caller(context), reader(context));
    let asked: Vec<_> = ids.iter().copied().flatten().collect();
    let columns = Columns::<User>::all().seen_by(reader);
    let question = columns.statement(reader, batch::of_ids::<User>(reader, &asked));
    let work = ChangeUsers {
        changes,
        together: mode.together,
        dry_run: mode.dry_run,
        by,
    };
    let (outcomes, rows) = writer(context)
        .transaction_returning(&work, Some(&question))
        .await?;
    loaders(context).forget();
    let users = batch::with_former::<User>(reader, &asked, columns.brought(&rows)?).await?;
    let user = |id: &Option<Uuid>| users.get(&(*id)?).cloned().map(ChatUser::from);
    Ok((outcomes, ids.iter().map(user).collect()))
}

/// The payload of what was done to one user.
pub(super) async fn payload(
    context: &Context<'_>,
    id: &str,
    user_errors: Vec<UserError>,
) -> Result<UpdateChatUserPayload> {
    let id = ObjectKind::ChatUser.decode(id);
    Ok(UpdateChatUserPayload {
        chat_user: users(context, &[id]).await?.pop().flatten(),
        user_errors,
    })
}

/// The users with these ids.
async fn users(context: &Context<'_>, ids: &[Option<Uuid>]) -> Result<Vec<Option<ChatUser>>> {
    let users = ids.iter().map(async |id| match id {
        Some(id) => {
            loaders(context)
                .by_id::<entity::chat_user::Entity>(*id)
                .await
        }
        None => Ok(None),
    });
    let users = try_join_all(users).await?;
    Ok(users
        .into_iter()
        .map(|user| user.map(ChatUser::from))
        .collect())
}

impl UpdateChatUserInput {
    /// Refuses personal values from those who may not see what they would overwrite.
    fn is_for(&self, context: &Context<'_>, path: &str) -> Result<()> {
        let given = [
            ("name", &self.name),
            ("email", &self.email),
            ("phoneNumber", &self.phone_number),
            ("profilePictureUrl", &self.profile_picture_url),
        ];
        given
            .into_iter()
            .filter(|(_, value)| !value.is_undefined())
            .try_for_each(|(field, _)| pii::for_who_sees_it(context, &format!("{path}.{field}")))
    }

    fn requested_change(self) -> RequestedChange {
        let change = Change::Profile(ProfilePatch {
            name: patch(self.name),
            email: patch(self.email),
            phone_number: patch(self.phone_number),
            profile_picture_url: patch(self.profile_picture_url),
            language: patch(self.language),
        });
        RequestedChange(self.id, self.if_version, change)
    }
}

/// What is to become of a value, by an input's field.
pub(super) fn patch(given: MaybeUndefined<String>) -> Patch {
    match given {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

impl UserError {
    /// Something in the way of one field of the input.
    pub(super) fn new(code: UserErrorCode, reason: &str, field: &str) -> Self {
        Self {
            code,
            message: format!("{field}: {reason}"),
            field: vec![field.to_owned()],
        }
    }
}

impl From<Invalid> for UserError {
    fn from(Invalid { field, reason }: Invalid) -> Self {
        Self::new(UserErrorCode::Invalid, &reason, field)
    }
}

impl From<Refused> for UserError {
    fn from(refused: Refused) -> Self {
        let (code, message, field) = match refused {
            Refused::NotFound => (UserErrorCode::NotFound, "nobody has this id", "id"),
            Refused::Erased => (
                UserErrorCode::Invalid,
                "the user was erased, and there is no profile to change",
                "id",
            ),
            Refused::Conflict => (
                UserErrorCode::Conflict,
                "somebody else has changed the profile since: look at what it is now",
                "ifVersion",
            ),
            Refused::TooManyTags => (
                UserErrorCode::Invalid,
                "the user would have more than 100 tags",
                "tags",
            ),
            Refused::SettingsTooLarge => (
                UserErrorCode::Invalid,
                "the settings would be larger than 64 KiB",
                "settings",
            ),
            Refused::Twice => (UserErrorCode::Invalid, "is in the list twice", "id"),
            Refused::TooManySubscriptions => (
                UserErrorCode::Invalid,
                "the user would have more than 1,000 subscriptions",
                "tag",
            ),
            Refused::Together => (
                UserErrorCode::NotApplied,
                "another change of the list cannot be made, and all or none were to be",
                "id",
            ),
        };
        Self::new(code, message, field)
    }
}
