//! `AuditEntry`: who changed what and who read what, and when.

use std::sync::Arc;

use async_graphql::{Context, EmptyMutation, ID, InputObject, Object, SimpleObject};
use macros::fast_fields;
use serde::Deserialize;

use super::agent::Agent;
use super::chat_user::ChatUser;
use super::connection::{Listed, OrderDirection, PageArguments};
use super::fast_path::List;
use super::scalar::Json;
use super::{loaders, stored};
use crate::clock::Timestamp;
use crate::entity;
use crate::entity::audit_entry::{AuditAction, Entity, Model};
use crate::error::Result;
use crate::id::ObjectKind;
use crate::read::Scope;
use crate::read::audit_entry::{AuditEntryFilter, AuditEntryOrderField, AuditEntryWhere};
use crate::read::page::Order;

/// A list of audit entries.
pub(super) type AuditEntryConnection = List<Entity>;

/// An audit entry.
pub(super) struct AuditEntry(Arc<Model>);

impl From<Arc<Model>> for AuditEntry {
    fn from(row: Arc<Model>) -> Self {
        Self(row)
    }
}

impl Listed for Entity {
    type Node = AuditEntry;
    type Extras = EmptyMutation;
    const NAME: &'static str = "AuditEntry";
    const FIELD_COLUMNS: &'static [(&'static str, &'static [&'static str])] =
        &[("agent", &["agent_id"]), ("chatUser", &["chat_user_id"])];

    fn extras(_: Scope, _: &AuditEntryFilter) -> EmptyMutation {
        EmptyMutation
    }
}

/// How a list of audit entries is ordered. Entries of the same instant are ordered by id.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct AuditEntryOrder {
    /// What to order by.
    pub(super) field: AuditEntryOrderField,
    /// The direction. When absent: the newest first.
    pub(super) direction: Option<OrderDirection>,
}

/// A list of audit entries, from the arguments of its field.
pub(super) fn list(
    context: &Context<'_>,
    scope: Scope,
    conditions: Option<Box<AuditEntryWhere>>,
    order_by: Option<AuditEntryOrder>,
    page: PageArguments,
) -> Result<AuditEntryConnection> {
    let default = Order {
        field: AuditEntryOrderField::At,
        descending: true,
    };
    let order = order_by.map_or(default, |order| {
        OrderDirection::order(order.direction, order.field)
    });
    let filter = AuditEntryFilter {
        r#where: conditions,
    };
    List::new(context, scope, filter, order, page)
}

/// Who changed what or read personal data, and when. Entries are added and never changed.
#[fast_fields]
#[Object]
impl AuditEntry {
    /// The id: opaque, and unique in the whole graph.
    pub(super) fn id(&self) -> ID {
        ObjectKind::AuditEntry.encode(self.0.id).into()
    }

    /// What was done.
    fn action(&self) -> AuditAction {
        self.0.action
    }

    /// Who did it.
    fn actor(&self) -> &str {
        &self.0.actor
    }

    /// When.
    fn at(&self) -> Timestamp {
        self.0.at
    }

    /// The id of the request that asked for it, as in its answer's `x-request-id`.
    fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The name of the operation that asked for it, where it has one.
    fn operation(&self) -> Option<&str> {
        self.0.operation.as_deref()
    }

    /// The users whose personal data was read, at most a thousand: a request that reads of more has several entries. Empty
    /// for a change.
    fn chat_user_ids(&self) -> Result<Vec<ID>> {
        stored(&self.0.chat_user_ids)
    }

    /// What changed, in alphabetical order; empty for a read. Without `users:pii` personal values are told by their shapes (`j•••@e•••.com`, `•••`).
    fn changes(&self) -> Result<Vec<AuditChange>> {
        stored(&self.0.changes)
    }

    /// The agent concerned.
    async fn agent(&self, context: &Context<'_>) -> Result<Option<Agent>> {
        let Some(id) = self.0.agent_id else {
            return Ok(None);
        };
        Ok(loaders(context)
            .load_selected::<entity::agent::Entity>(context, id)
            .await?
            .map(Agent::from))
    }

    /// The user concerned.
    async fn chat_user(&self, context: &Context<'_>) -> Result<Option<ChatUser>> {
        let Some(id) = self.0.chat_user_id else {
            return Ok(None);
        };
        Ok(loaders(context)
            .load_selected::<entity::chat_user::Entity>(context, id)
            .await?
            .map(ChatUser::from))
    }
}

/// One thing that changed.
#[fast_fields]
#[derive(SimpleObject, Deserialize)]
pub(super) struct AuditChange {
    /// The field, as the graph calls it.
    field: String,
    /// Its value before; null when it had none.
    #[serde(default)]
    before: Option<Json>,
    /// Its value after; null when it has none.
    #[serde(default)]
    after: Option<Json>,
}
