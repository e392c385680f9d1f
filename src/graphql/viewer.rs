//! `Viewer`: who asks, as the server knows them.

use std::sync::Arc;

use async_graphql::{Context, Object};
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::agent::Agent;
use super::loaders;
use crate::caller::{Agents, Permission, Principal};
use crate::clock::Timestamp;
use crate::entity;
use crate::error::Result;

/// Who asks.
pub(super) struct Viewer(pub(super) Arc<Principal>);

/// Who asks, and what they may see and do.
#[Object]
impl Viewer {
    /// What the log calls you: the name of your token.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The names of your roles.
    fn roles(&self) -> &[String] {
        &self.0.roles
    }

    /// What these let you do.
    fn permissions(&self) -> Vec<Permission> {
        self.0.permissions.iter().collect()
    }

    /// The agents that you are limited to: nothing else is there for you. Null when you are not limited.
    async fn agents(&self, context: &Context<'_>) -> Result<Option<Vec<Agent>>> {
        match &self.0.agents {
            Agents::All => Ok(None),
            Agents::Only(ids) => agents(context, ids.iter().copied()).await.map(Some),
        }
    }

    /// When what you came in with ends; null when it does not end by itself.
    fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at
    }
}

/// The agents with these ids, those that are there.
pub(super) async fn agents(
    context: &Context<'_>,
    ids: impl Iterator<Item = Uuid>,
) -> Result<Vec<Agent>> {
    let loaders = loaders(context);
    let rows = try_join_all(ids.map(|id| loaders.by_id::<entity::agent::Entity>(id))).await?;
    Ok(rows.into_iter().flatten().map(Agent::from).collect())
}
