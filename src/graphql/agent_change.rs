//! Agents that someone makes, describes or puts away, from input to payload.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, SimpleObject};
use uuid::Uuid;

use super::agent::Agent;
use super::update::{UserError, UserErrorCode, patch};
use super::{caller, loaders, now, writer};
use crate::clock::Timestamp;
use crate::entity;
use crate::error::Result;
use crate::id::ObjectKind;
use crate::write::agent_change::{AgentPatch, ArchiveAgent, CreateAgent, UpdateAgent};
use crate::write::event;
use crate::write::profile::Refused;
use crate::write::session_gap::Idle;

/// An agent that is to be made.
#[derive(Debug, InputObject)]
pub(super) struct CreateAgentInput {
    /// Its id in the system that its data comes from; no other agent has it.
    external_id: String,
    /// The name.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Minutes of silence after which a message that names no session opens one: 1 to 43,200. When absent: 30.
    session_idle_minutes: Option<i64>,
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
    /// Minutes of silence after which a message that names no session opens one: 1 to 43,200; null is 30. What is stored
    /// stays where it is.
    session_idle_minutes: MaybeUndefined<i64>,
}

/// An agent that is to be put away.
#[derive(Debug, InputObject)]
pub(super) struct ArchiveAgentInput {
    /// The agent.
    id: ID,
}

/// An agent that is to take new events again.
#[derive(Debug, InputObject)]
pub(super) struct UnarchiveAgentInput {
    /// The agent.
    id: ID,
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
        session_idle_minutes: input.session_idle_minutes,
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
    let id = ObjectKind::Agent.decode(&input.id);
    let wanted = AgentPatch {
        name: patch(input.name),
        description: patch(input.description),
        session_idle_minutes: match input.session_idle_minutes {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(Idle::DEFAULT_MINUTES),
            MaybeUndefined::Value(minutes) => Some(minutes),
        },
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

/// Puts an agent away.
pub(super) async fn archive(
    context: &Context<'_>,
    input: ArchiveAgentInput,
) -> Result<AgentPayload> {
    set_archived(context, &input.id, Some(now(context))).await
}

/// Lets an agent take new events again.
pub(super) async fn unarchive(
    context: &Context<'_>,
    input: UnarchiveAgentInput,
) -> Result<AgentPayload> {
    set_archived(context, &input.id, None).await
}

async fn set_archived(
    context: &Context<'_>,
    id: &str,
    archived_at: Option<Timestamp>,
) -> Result<AgentPayload> {
    let id = ObjectKind::Agent.decode(id);
    let refused = match id {
        None => Err(Refused::NotFound),
        Some(id) => {
            let work = ArchiveAgent {
                id,
                archived_at,
                by: caller(context),
            };
            writer(context).transaction(&work).await?
        }
    };
    loaders(context).forget();
    let errors = refused.err().into_iter().map(UserError::from).collect();
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
