//! `Token`: what somebody comes in with; made and revoked from input to payload.

use std::sync::Arc;

use async_graphql::{Context, EmptyMutation, ID, InputObject, Object, SimpleObject};
use macros::fast_fields;
use uuid::Uuid;

use super::agent::Agent;
use super::connection::{Listed, OrderDirection, PageArguments};
use super::fast_path::List;
use super::update::{UserError, UserErrorCode};
use super::viewer::agents;
use super::{caller, loaders, now, roles, writer};
use crate::caller::Permission;
use crate::clock::Timestamp;
use crate::entity::token::{Entity, Model};
use crate::error::{Result, permitted};
use crate::id::ObjectKind;
use crate::read::Scope;
use crate::read::page::Order;
use crate::read::token::{TokenFilter, TokenOrderField, TokenWhere};
use crate::secret::Secret;
use crate::write::token::{CreateToken, Draft, Refused, RevokeToken};

/// A list of tokens.
pub(super) type TokenConnection = List<Entity>;

/// A token.
pub(super) struct Token(Arc<Model>);

impl From<Arc<Model>> for Token {
    fn from(row: Arc<Model>) -> Self {
        Self(row)
    }
}

impl Listed for Entity {
    type Node = Token;
    type Extras = EmptyMutation;
    const NAME: &'static str = "Token";
    const FIELD_COLUMNS: &'static [(&'static str, &'static [&'static str])] = &[];

    fn extras(_: Scope, _: &TokenFilter) -> EmptyMutation {
        EmptyMutation
    }
}

/// How a list of tokens is ordered. Those of the same instant are ordered by id.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct TokenOrder {
    /// What to order by.
    pub(super) field: TokenOrderField,
    /// The direction. When absent: the newest first.
    pub(super) direction: Option<OrderDirection>,
}

/// A token that is to be made.
#[derive(Debug, InputObject)]
pub(super) struct CreateTokenInput {
    /// What its owner is called in the log: up to 64 letters, digits, spaces, `-`, `_` and `.`. No other token that is not
    /// revoked has it.
    name: String,
    /// Its roles: VIEWER, ANALYST, SUPPORT, EDITOR, INGEST, ADMIN, or one of the configuration. They may let its owner do
    /// nothing that you may not do.
    roles: Vec<String>,
    /// The agents it is limited to, up to 100 of those that you see. When absent: all of them, and those to come.
    agents: Option<Vec<ID>>,
    /// When it ends by itself. When absent: when it is revoked.
    expires_at: Option<Timestamp>,
}

/// A token that is to be revoked.
#[derive(Debug, InputObject)]
pub(super) struct RevokeTokenInput {
    /// The token.
    id: ID,
}

/// What came of making a token.
#[derive(SimpleObject)]
pub(super) struct CreateTokenPayload {
    /// What its owner sends as `Authorization: Bearer …`. It is told this once, and kept nowhere: when the request is sent
    /// again with its `Idempotency-Key`, it is null.
    secret: Option<String>,
    /// The token. Null when none was made.
    token: Option<Token>,
    /// Why none was made; empty when one was.
    user_errors: Vec<UserError>,
}

/// What came of revoking a token.
#[derive(SimpleObject)]
pub(super) struct RevokeTokenPayload {
    /// The token as it is now. Null when there is none.
    token: Option<Token>,
    /// Why nothing was done; empty when it was.
    user_errors: Vec<UserError>,
}

/// What a program, or somebody without another proof of who they are, comes in with. The secret itself is not kept.
#[fast_fields]
#[Object]
impl Token {
    /// The id: opaque, and unique in the whole graph.
    pub(super) fn id(&self) -> ID {
        ObjectKind::Token.encode(self.0.id).into()
    }

    /// What its owner is called in the log.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The names of its roles.
    fn roles(&self) -> Vec<String> {
        self.0.role_names()
    }

    /// The agents that it is limited to. Null when it is for all of them.
    async fn agents(&self, context: &Context<'_>) -> Result<Option<Vec<Agent>>> {
        let Some(ids) = self.0.agent_ids() else {
            return Ok(None);
        };
        let ids = ids.iter().filter_map(|id| ObjectKind::Agent.decode(id));
        agents(context, ids).await.map(Some)
    }

    /// When it was made.
    fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// By whom.
    fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// When it ends by itself; null when it does not.
    fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at
    }

    /// Since when it is revoked; null when it is not.
    fn revoked_at(&self) -> Option<Timestamp> {
        self.0.revoked_at
    }

    /// When it was last used, to two seconds; written down every half a minute. Null when it never was.
    fn last_used_at(&self) -> Option<Timestamp> {
        self.0.last_used_at
    }
}

/// A list of tokens, from the arguments of its field.
pub(super) fn list(
    context: &Context<'_>,
    conditions: Option<Box<TokenWhere>>,
    order_by: Option<TokenOrder>,
    page: PageArguments,
) -> Result<TokenConnection> {
    permitted(&caller(context).principal, Permission::TokensWrite)?;
    let default = Order {
        field: TokenOrderField::CreatedAt,
        descending: true,
    };
    let order = order_by.map_or(default, |order| {
        OrderDirection::order(order.direction, order.field)
    });
    let filter = TokenFilter {
        r#where: conditions,
    };
    List::new(context, Scope::All, filter, order, page)
}

/// Makes a token.
pub(super) async fn create(
    context: &Context<'_>,
    input: CreateTokenInput,
) -> Result<CreateTokenPayload> {
    permitted(&caller(context).principal, Permission::TokensWrite)?;
    let decoded = |ids: Vec<ID>| {
        let ids = ids.into_iter();
        ids.map(|id| ObjectKind::Agent.decode(&id).ok_or(id))
            .collect::<Result<Vec<_>, _>>()
    };
    let agents = match input.agents.map(decoded).transpose() {
        Ok(agents) => agents,
        Err(id) => return Ok(not_made(vec![no_agent(&id)])),
    };
    let draft = Draft {
        name: input.name,
        roles: input.roles,
        agents,
        expires_at: input.expires_at,
    };
    let secret = Secret::random()?;
    let hash = secret.fingerprint();
    let (roles, now, by) = (roles(context), now(context), caller(context));
    let work = match CreateToken::new(draft, hash, roles, now, by)? {
        Ok(work) => work,
        Err(wrong) => return Ok(not_made(wrong.into_iter().map(UserError::from).collect())),
    };
    // The secret is kept nowhere: whoever sends the request again does not get it.
    let created = match writer(context).transaction(&work).await? {
        Ok(created) => created,
        Err(refused) => return Ok(not_made(vec![refused.into()])),
    };
    loaders(context).forget();
    Ok(CreateTokenPayload {
        secret: (created.hash == hash.to_string()).then(|| secret.reveal()),
        token: find(context, created.id).await?,
        user_errors: Vec::new(),
    })
}

fn not_made(user_errors: Vec<UserError>) -> CreateTokenPayload {
    CreateTokenPayload {
        secret: None,
        token: None,
        user_errors,
    }
}

/// Revokes a token.
pub(super) async fn revoke(
    context: &Context<'_>,
    input: RevokeTokenInput,
) -> Result<RevokeTokenPayload> {
    let id = ObjectKind::Token.decode(&input.id);
    let work = RevokeToken::new(id.unwrap_or_default(), now(context), caller(context))?;
    let refused = match id {
        Some(_) => writer(context).transaction(&work).await?,
        None => Err(Refused::NotFound),
    };
    loaders(context).forget();
    Ok(RevokeTokenPayload {
        token: match (&refused, id) {
            (Ok(()), Some(id)) => find(context, id).await?,
            _ => None,
        },
        user_errors: refused.err().into_iter().map(UserError::from).collect(),
    })
}

async fn find(context: &Context<'_>, id: Uuid) -> Result<Option<Token>> {
    Ok(loaders(context).by_id::<Entity>(id).await?.map(Token::from))
}

fn no_agent(id: &str) -> UserError {
    let reason = format!("no agent has the id `{id}`");
    UserError::new(UserErrorCode::NotFound, &reason, "agents")
}

impl From<Refused> for UserError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NameTaken => {
                let reason = "is the name of another token; revoke that one first";
                Self::new(UserErrorCode::Conflict, reason, "name")
            }
            Refused::NoAgent(id) => no_agent(&ObjectKind::Agent.encode(id)),
            Refused::Over => Self::new(UserErrorCode::Invalid, "is over already", "expiresAt"),
            Refused::NotFound => Self::new(UserErrorCode::NotFound, "no token has this id", "id"),
        }
    }
}
