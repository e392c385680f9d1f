//! Subscriptions: what their lists can be filtered and ordered by.

use async_graphql::Enum;
use sea_orm::DbErr;
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use uuid::Uuid;

use super::agent_scope::of_user;
use super::columns::Row;
use super::page::{Key, SortColumn, SortField};
use super::{Filter, Noun, visibility};
use crate::caller::Permission;
use crate::clock::Timestamp;
use crate::db::Reader;
use crate::entity::subscription::{Entity, Model};
use crate::error::Result;
use crate::id;

impl Noun for Entity {
    type Filter = SubscriptionFilter;
    type Field = SubscriptionOrderField;
    const NOUN: id::ObjectKind = id::ObjectKind::Subscription;
    const TABLE: &'static str = "subscriptions";
    const READ: &'static [Permission] = &[Permission::UsersRead];
    const AGENT: &'static str = of_user!("subscriptions.chat_user_id");

    fn id(row: &Model) -> Uuid {
        row.id
    }

    fn decode(row: &Row<'_>) -> Result<Model, DbErr> {
        Ok(Model {
            id: row.next()?,
            chat_user_id: row.next()?,
            tag: row.next()?,
            subscribed_at: row.next()?,
            expires_at: row.next()?,
        })
    }

    fn shown() -> Option<String> {
        Some(visibility::shown("subscriptions.chat_user_id"))
    }

    fn parent_column(parent: id::ObjectKind) -> Option<&'static str> {
        (parent == id::ObjectKind::ChatUser).then_some("chat_user_id")
    }
}

/// What a list of subscriptions is filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubscriptionFilter {
    /// Those that hold at this time.
    pub hold_at: Option<Timestamp>,
}

impl Filter for SubscriptionFilter {
    fn condition(&self, _: &Reader) -> Result<Condition> {
        let Some(at) = self.hold_at else {
            return Ok(Condition::all());
        };
        let expires_at = || Expr::col((Entity::TABLE, "expires_at"));
        Ok(Condition::any()
            .add(expires_at().is_null())
            .add(expires_at().gt(at)))
    }

    fn is_open(&self) -> bool {
        false
    }
}

/// What a list of subscriptions is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum SubscriptionOrderField {
    /// What they are to.
    Tag,
}

impl SortField for SubscriptionOrderField {
    type Row = Model;

    fn column(self) -> SortColumn {
        SortColumn::Text("tag")
    }

    fn key(self, row: &Model) -> Option<Key> {
        Some((&row.tag).into())
    }

    fn naturally_descending(self) -> bool {
        false
    }

    fn is_time(self) -> bool {
        false
    }
}
