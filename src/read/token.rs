//! Tokens: what their list can be filtered and ordered by, and the look-ups of those who check one.

use async_graphql::{Enum, InputObject};
use sea_orm::DbErr;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query};
use uuid::Uuid;

use super::columns::{Columns, Row};
use super::filter::{Builder, Column, DateTimeFilter, IdFilter, StringFilter, Where};
use super::page::{Key, SortColumn, SortField};
use super::{Filter, Noun};
use crate::caller::{Agents, Permission};
use crate::clock::Timestamp;
use crate::db::Reader;
use crate::entity::token::{Entity, Model};
use crate::error::Result;
use crate::id;
use crate::secret::Fingerprint;

impl Noun for Entity {
    type Filter = TokenFilter;
    type Field = TokenOrderField;
    const NOUN: id::ObjectKind = id::ObjectKind::Token;
    const TABLE: &'static str = "tokens";
    const READ: &'static [Permission] = &[Permission::TokensWrite];

    fn id(row: &Model) -> Uuid {
        row.id
    }

    fn decode(row: &Row<'_>) -> Result<Model, DbErr> {
        Ok(Model {
            id: row.next()?,
            name: row.next()?,
            roles: row.next()?,
            agents: row.next()?,
            hash: row.next()?,
            created_at: row.next()?,
            created_by: row.next()?,
            expires_at: row.next()?,
            revoked_at: row.next()?,
            last_used_at: row.next()?,
        })
    }

    fn parent_column(_: id::ObjectKind) -> Option<&'static str> {
        None
    }

    /// Those that whoever is limited could have made: none that is for an agent beyond their own.
    fn own(agents: &Agents) -> Option<Expr> {
        let Agents::Only(own) = agents else {
            return None;
        };
        let own = own.iter().map(|&agent| id::ObjectKind::Agent.encode(agent));
        let beyond = Query::select()
            .expr(Expr::cust("1"))
            .from("token_agents")
            .and_where(Expr::cust("token_agents.token_id = tokens.id"))
            .and_where(Expr::col(("token_agents", "agent")).is_not_in(own))
            .to_owned();
        let limited = Expr::col((Self::TABLE, "agents")).is_not_null();
        Some(limited.and(Expr::exists(beyond).not()))
    }
}

/// The token whose secret has this hash.
pub async fn by_hash(reader: &Reader, hash: &Fingerprint) -> Result<Option<Model>> {
    one(
        reader,
        Expr::col((Entity::TABLE, "hash")).eq(hash.to_string()),
    )
    .await
}

/// The token of this name that is not revoked.
pub async fn by_name(reader: &Reader, name: &str) -> Result<Option<Model>> {
    let named = Expr::col((Entity::TABLE, "name")).eq(name);
    let revoked = Expr::col((Entity::TABLE, "revoked_at")).is_null();
    one(reader, named.and(revoked)).await
}

/// Whether there is a token that lets somebody in.
pub async fn any_good(reader: &Reader, now: Timestamp) -> Result<bool> {
    let end = Expr::col((Entity::TABLE, "expires_at"));
    let revoked = Expr::col((Entity::TABLE, "revoked_at")).is_null();
    let good = revoked.and(end.clone().is_null().or(end.gt(now.0)));
    Ok(one(reader, good).await?.is_some())
}

/// Every token, the newest first.
pub async fn all(reader: &Reader) -> Result<Vec<Model>> {
    let mut select = Entity::visible(reader.principal());
    for column in ["created_at", "id"] {
        select.order_by((Entity::TABLE, column), sea_orm::Order::Desc);
    }
    Columns::<Entity>::all().fetch(reader, select).await
}

async fn one(reader: &Reader, condition: Expr) -> Result<Option<Model>> {
    let mut select = Entity::visible(reader.principal());
    select.and_where(condition).limit(1);
    let rows = Columns::<Entity>::all().fetch(reader, select).await?;
    Ok(rows.into_iter().next())
}

/// What a list of tokens is filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TokenFilter {
    /// Conditions.
    pub r#where: Option<Box<TokenWhere>>,
}

impl Filter for TokenFilter {
    fn condition(&self, reader: &Reader) -> Result<Condition> {
        Builder::condition(reader, self.r#where.as_deref())
    }

    fn is_open(&self) -> bool {
        self.r#where.is_some()
    }
}

/// Conditions on a token; all that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct TokenWhere {
    /// All of these hold.
    pub and: Option<Vec<TokenWhere>>,
    /// At least one of these holds.
    pub or: Option<Vec<TokenWhere>>,
    /// This does not hold.
    pub not: Option<Box<TokenWhere>>,
    /// The id.
    pub id: Option<IdFilter>,
    /// The name.
    pub name: Option<StringFilter>,
    /// When it was made.
    pub created_at: Option<DateTimeFilter>,
    /// By whom.
    pub created_by: Option<StringFilter>,
    /// When it ends by itself.
    pub expires_at: Option<DateTimeFilter>,
    /// Since when it is revoked.
    pub revoked_at: Option<DateTimeFilter>,
    /// When it was last used.
    pub last_used_at: Option<DateTimeFilter>,
}

impl Where for TokenWhere {
    fn fields(&self, builder: &mut Builder) -> Result<Condition> {
        let (of, nullable) = (Column::of, Column::nullable);
        Ok(Condition::all()
            .add(builder.field("id", self.id.as_ref(), of("tokens.id"))?)
            .add(builder.field("name", self.name.as_ref(), of("tokens.name"))?)
            .add(builder.field(
                "createdAt",
                self.created_at.as_ref(),
                of("tokens.created_at"),
            )?)
            .add(builder.field(
                "createdBy",
                self.created_by.as_ref(),
                of("tokens.created_by"),
            )?)
            .add(builder.field(
                "expiresAt",
                self.expires_at.as_ref(),
                nullable("tokens.expires_at"),
            )?)
            .add(builder.field(
                "revokedAt",
                self.revoked_at.as_ref(),
                nullable("tokens.revoked_at"),
            )?)
            .add(builder.field(
                "lastUsedAt",
                self.last_used_at.as_ref(),
                nullable("tokens.last_used_at"),
            )?))
    }

    fn logic(&self) -> (Option<&[Self]>, Option<&[Self]>, Option<&Self>) {
        (self.and.as_deref(), self.or.as_deref(), self.not.as_deref())
    }
}

/// What a list of tokens can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum TokenOrderField {
    /// When it was made.
    CreatedAt,
}

impl SortField for TokenOrderField {
    type Row = Model;

    fn column(self) -> SortColumn {
        SortColumn::Int("created_at")
    }

    fn key(self, row: &Model) -> Option<Key> {
        Some(row.created_at.into())
    }

    fn naturally_descending(self) -> bool {
        true
    }

    fn is_time(self) -> bool {
        true
    }
}
