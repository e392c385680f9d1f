//! Agents that someone makes or describes, from input to payload.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, SimpleObject};
use uuid::Uuid;

use super::agent::Agent;
use super::update::{UserError, UserErrorCode, patch};
use super::{caller, loaders, now, writer};
use crate::entity;
use crate::error::Result;
use crate::id::Noun;
use crate::write::agent_change::{AgentPatch, CreateAgent, UpdateAgent};
use crate::write::event;
use crate::write::profile::Refused;

/// An agent that is to be made.
#[derive(Debug, InputObject)]
pub(super) struct CreateAgentInput {
    /// Its id in the system that its data comes from; no other agent has it.
    external_id: String,
    /// The name.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
}

/// A change of an agent. What is absent stays as it is; null, or nothing but spaces, clears.
#[derive(Debug, InputObject)]
pub(super) struct UpdateAgentInput {
    /// The agent.
    id: ID,
    /// The name.
    name: MaybeUndefined<String>,
    /// What it is for.
    description: MaybeUndefined<String>,
}

/// What came of it.
#[derive(SimpleObject)]
pub(super) struct AgentPayload {
    /// The agent as it is now, whether anything was done or not. Null when there is none.
    agent: Option<Agent>,
    /// Why nothing was done; empty when it was.
    user_errors: Vec<UserError>,
}

/// Makes an agent.
pub(super) async fn create(context: &Context<'_>, input: CreateAgentInput) -> Result<AgentPayload> {
    if let Err(rejection) = event::id("externalId", &input.external_id) {
        let error = UserError::new(UserErrorCode::Invalid, &rejection.reason, &rejection.key);
        return payload(context, None, vec![error]).await;
    }
    let wanted = AgentPatch {
        name: Some(input.name),
        description: Some(input.description),
    };
    let wanted = match wanted.normalise() {
        Ok(wanted) => wanted,
        Err(wrong) => {
            let errors = wrong.into_iter().map(UserError::from).collect();
            return payload(context, None, errors).await;
        }
    };
    let work = CreateAgent {
        external_id: &input.external_id,
        patch: wanted,
        now: now(context),
        by: caller(context),
    };
    let (id, new) = writer(context).transaction(&work).await?;
    loaders(context).forget();
    let mut errors = Vec::new();
    if !new {
        let reason = "is the external id of an agent that is there already";
        errors.push(UserError::new(
            UserErrorCode::Conflict,
            reason,
            "externalId",
        ));
    }
    payload(context, id, errors).await
}

/// Changes an agent.
pub(super) async fn update(context: &Context<'_>, input: UpdateAgentInput) -> Result<AgentPayload> {
    let id = Noun::Agent.decode(&input.id);
    let wanted = AgentPatch {
        name: patch(input.name),
        description: patch(input.description),
    };
    let errors = match (wanted.normalise(), id) {
        (Err(wrong), _) => wrong.into_iter().map(UserError::from).collect(),
        (Ok(_), None) => vec![Refused::NotFound.into()],
        (Ok(patch), Some(id)) => {
            let by = caller(context);
            let work = UpdateAgent { id, patch, by };
            let refused = writer(context).transaction(&work).await?.err();
            loaders(context).forget();
            refused.into_iter().map(UserError::from).collect()
        }
    };
    payload(context, id, errors).await
}

async fn payload(
    context: &Context<'_>,
    id: Option<Uuid>,
    user_errors: Vec<UserError>,
) -> Result<AgentPayload> {
    let row = match id {
        Some(id) => loaders(context).by_id::<entity::agent::Entity>(id).await?,
        None => None,
    };
    Ok(AgentPayload {
        agent: row.map(Agent::from),
        user_errors,
    })
}
