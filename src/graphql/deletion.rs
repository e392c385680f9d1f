//! Users who are deleted and restored, the receipt, and the check that nothing is left.

use std::sync::Arc;

use async_graphql::{Context, EmptyMutation, Enum, ID, InputObject, Object, SimpleObject};
use macros::fast_fields;

use super::chat_user::ChatUser;
use super::connection::{Listed, PageArguments};
use super::fast_path::List;
use super::update::{UpdateChatUserPayload, UserError, payload};
use super::{caller, loaders, reader, stored, writer};
use crate::clock::Timestamp;
use crate::entity::chat_user;
use crate::entity::deletion::{DeletionMode, Entity, Model};
use crate::entity::platform::Platform;
use crate::error::Result;
use crate::id::ObjectKind;
use crate::read::deletion::{DeletionFilter, DeletionOrderField};
use crate::read::page::Order;
use crate::read::{Scope, erasure};
use crate::write::deletion::{self, DeleteUser, RestoreUser, UniqueViolation};
use crate::write::profile::Refused;

/// The user who is to be deleted, and how.
#[derive(Debug, InputObject)]
pub(super) struct DeleteChatUserInput {
    /// The user.
    id: ID,
    /// What is to become of them.
    mode: DeletionMode,
    /// The `version` that you have seen, as in `updateChatUser`.
    if_version: Option<i64>,
}

/// The user who is to be restored.
#[derive(Debug, InputObject)]
pub(super) struct RestoreChatUserInput {
    /// The user.
    id: ID,
}

/// What came of a deletion.
#[derive(SimpleObject)]
pub(super) struct DeleteChatUserPayload {
    /// The deletion: a receipt that can be looked at again. Null when nobody has the id.
    deletion: Option<Deletion>,
    /// Why nothing is deleted; empty when it is.
    user_errors: Vec<UserError>,
}

/// What came of restoring a user.
#[derive(SimpleObject)]
pub(super) struct RestoreChatUserPayload {
    /// The user. Null when nobody has the id.
    chat_user: Option<ChatUser>,
    /// Why the user is not restored; empty when they are.
    user_errors: Vec<UserError>,
}

/// A list of deletions.
pub(super) type DeletionConnection = List<Entity>;

/// The deletion of a user: who asked for it and how, how far it is, and what it was.
pub(super) struct Deletion(Arc<Model>);

impl From<Arc<Model>> for Deletion {
    fn from(row: Arc<Model>) -> Self {
        Self(row)
    }
}

impl Listed for Entity {
    type Node = Deletion;
    type Extras = EmptyMutation;
    const NAME: &'static str = "Deletion";
    const FIELD_COLUMNS: &'static [(&'static str, &'static [&'static str])] = &[
        ("chatUserId", &["chat_user_id"]),
        ("hiddenChatUser", &["chat_user_id", "mode"]),
        ("rows", &["counts"]),
        ("status", &["finished_at"]),
    ];

    fn extras(_: Scope, _: &DeletionFilter) -> EmptyMutation {
        EmptyMutation
    }
}

/// A list of deletions, the newest first.
pub(super) fn list(
    context: &Context<'_>,
    scope: Scope,
    filter: DeletionFilter,
    page: PageArguments,
) -> Result<DeletionConnection> {
    let order = Order {
        field: DeletionOrderField::RequestedAt,
        descending: true,
    };
    List::new(context, scope, filter, order, page)
}

/// A user who was deleted softly: hidden everywhere else, and kept. `restoreChatUser` shows them again.
pub(super) struct HiddenChatUser(Arc<chat_user::Model>);

/// A user who was deleted softly: hidden everywhere else, and kept. `restoreChatUser` shows them again.
#[Object]
impl HiddenChatUser {
    /// The user's id.
    async fn id(&self) -> ID {
        ObjectKind::ChatUser.encode(self.0.id).into()
    }

    /// The name. Masked without `users:pii`.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The e-mail address. Masked without `users:pii`.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// The platform.
    async fn platform(&self) -> Platform {
        self.0.platform
    }

    /// When the user last wrote, or last began a session.
    async fn last_interaction_at(&self) -> Timestamp {
        self.0.last_interaction_at
    }
}

/// How far a deletion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum DeletionStatus {
    /// The user cannot be seen any more, and there are rows left to do. A server does them, also after a crash.
    Running,
    /// There is nothing left to do.
    Done,
}

/// A table, and a number of its rows.
#[fast_fields]
#[derive(SimpleObject)]
pub(super) struct TableRows {
    /// The table.
    table: String,
    /// The number.
    rows: i64,
}

/// The deletion of a user: who asked for it and how, how far it is, and what it was.
#[fast_fields]
#[Object]
impl Deletion {
    /// The id: opaque, and unique in the whole graph.
    pub(super) fn id(&self) -> ID {
        ObjectKind::Deletion.encode(self.0.id).into()
    }

    /// The id of the user.
    fn chat_user_id(&self) -> ID {
        ObjectKind::ChatUser.encode(self.0.chat_user_id).into()
    }

    /// The user, while they are hidden and can be restored. Null for whoever was restored, erased or removed.
    async fn hidden_chat_user(&self, context: &Context<'_>) -> Result<Option<HiddenChatUser>> {
        if self.0.mode != DeletionMode::Soft {
            return Ok(None);
        }
        let user = loaders(context).restorable(self.0.chat_user_id).await?;
        Ok(user.map(HiddenChatUser))
    }

    /// What is to become of the user.
    fn mode(&self) -> DeletionMode {
        self.0.mode
    }

    /// How far it is.
    fn status(&self) -> DeletionStatus {
        match self.0.finished_at {
            Some(_) => DeletionStatus::Done,
            None => DeletionStatus::Running,
        }
    }

    /// Who asked for it.
    fn actor(&self) -> &str {
        &self.0.actor
    }

    /// The id of the request that asked for it, as in its answer's `x-request-id`.
    fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// When it was asked for.
    fn requested_at(&self) -> Timestamp {
        self.0.requested_at
    }

    /// When nothing was left to do; null while there is.
    fn finished_at(&self) -> Option<Timestamp> {
        self.0.finished_at
    }

    /// How many rows of each table were hidden, erased or removed so far.
    fn rows(&self) -> Result<Vec<TableRows>> {
        let counts: std::collections::BTreeMap<String, i64> = stored(&self.0.counts)?;
        let rows = counts.into_iter();
        Ok(rows
            .map(|(table, rows)| TableRows { table, rows })
            .collect())
    }
}

/// What is left of a user that is personal.
#[derive(SimpleObject)]
pub(super) struct ErasureCheck {
    /// How many rows hold something personal.
    total: i64,
    /// The same for each table, and for the search index (`chat_user_grams`).
    rows: Vec<TableRows>,
}

/// Deletes a user.
pub(super) async fn delete(
    context: &Context<'_>,
    input: DeleteChatUserInput,
) -> Result<DeleteChatUserPayload> {
    let taken = match ObjectKind::ChatUser.decode(&input.id) {
        None => Err(Refused::NotFound),
        Some(id) => {
            let work = DeleteUser {
                id,
                mode: input.mode,
                if_version: input.if_version,
                by: caller(context),
            };
            let taken = writer(context).transaction(&work).await?;
            if let Ok(UniqueViolation { user, .. }) = taken {
                deletion::work_on(writer(context).any(), user).await;
            }
            taken
        }
    };
    loaders(context).forget();
    Ok(match taken {
        Ok(UniqueViolation { deletion, .. }) => DeleteChatUserPayload {
            deletion: find(context, deletion).await?,
            user_errors: Vec::new(),
        },
        Err(refused) => DeleteChatUserPayload {
            deletion: None,
            user_errors: vec![refused.into()],
        },
    })
}

/// Restores a user.
pub(super) async fn restore(
    context: &Context<'_>,
    input: RestoreChatUserInput,
) -> Result<RestoreChatUserPayload> {
    let refused = match ObjectKind::ChatUser.decode(&input.id) {
        None => Err(Refused::NotFound),
        Some(id) => {
            let by = caller(context);
            writer(context).transaction(&RestoreUser { id, by }).await?
        }
    };
    loaders(context).forget();
    let errors = refused.err().into_iter().map(UserError::from).collect();
    let UpdateChatUserPayload {
        chat_user,
        user_errors,
    } = payload(context, &input.id, errors).await?;
    Ok(RestoreChatUserPayload {
        chat_user,
        user_errors,
    })
}

/// A deletion by its id.
pub(super) async fn find(context: &Context<'_>, id: uuid::Uuid) -> Result<Option<Deletion>> {
    let row = loaders(context).by_id::<Entity>(id).await?;
    Ok(row.map(Deletion::from))
}

/// What is left of a user; `None` for an id that is not a user's.
pub(super) async fn check(context: &Context<'_>, id: &str) -> Result<Option<ErasureCheck>> {
    let Some(id) = ObjectKind::ChatUser.decode(id) else {
        return Ok(None);
    };
    let left = erasure::left(reader(context), id).await?;
    Ok(Some(ErasureCheck {
        total: left.iter().map(|(_, rows)| rows).sum(),
        rows: left
            .into_iter()
            .map(|(table, rows)| TableRows {
                table: table.to_owned(),
                rows,
            })
            .collect(),
    }))
}
