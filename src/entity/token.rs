//! `tokens`: who may come in, and with what rights. The secret itself is nowhere.

use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;

/// One token.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tokens")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What its owner is called in the log; unique among the tokens that are not revoked.
    pub name: String,
    /// Names of roles: a JSON array.
    pub roles: String,
    /// Ids of the agents it is limited to: a JSON array; absent for one that is for all of them.
    pub agents: Option<String>,
    /// Hash of the secret (`secret::Fingerprint`).
    pub hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Since when it is good for nothing.
    pub revoked_at: Option<Timestamp>,
    /// The latest use that was written down.
    pub last_used_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The names of its roles. What cannot be read gives no rights.
    pub fn role_names(&self) -> Vec<String> {
        serde_json::from_str(&self.roles).unwrap_or_default()
    }

    /// The ids of the agents it is limited to; `None` when it is for all of them. What cannot be read is no agent.
    pub fn agent_ids(&self) -> Option<Vec<String>> {
        let agents = self.agents.as_deref()?;
        Some(serde_json::from_str(agents).unwrap_or_default())
    }
}
