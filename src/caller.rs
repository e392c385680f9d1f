//! Who asks, and what they may see and do.

use std::sync::Arc;

use async_graphql::Enum;
use sea_orm::Iterable;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;

/// Something that one may do. Roles are made of them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Enum, sea_orm::EnumIter, Serialize, Deserialize,
)]
pub enum Permission {
    /// `users:read`: chat users and their sessions.
    #[serde(rename = "users:read")]
    UsersRead,
    /// `users:pii`: names, addresses, phone numbers, ids on platforms, and whatever else is personal.
    #[serde(rename = "users:pii")]
    UsersPii,
    /// `messages:read`: what was said.
    #[serde(rename = "messages:read")]
    MessagesRead,
    /// `users:write`: changing, tagging, blocking and merging users.
    #[serde(rename = "users:write")]
    UsersWrite,
    /// `users:delete`: hiding, erasing and removing users.
    #[serde(rename = "users:delete")]
    UsersDelete,
    /// `events:write`: recording messages.
    #[serde(rename = "events:write")]
    EventsWrite,
    /// `agents:write`: making, changing and archiving agents.
    #[serde(rename = "agents:write")]
    AgentsWrite,
    /// `figures:read`: totals, costs and how lists divide.
    #[serde(rename = "figures:read")]
    FiguresRead,
    /// `export`: taking whole audiences out.
    #[serde(rename = "export")]
    Export,
    /// `audit:read`: who changed what, and who read what.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// `tokens:write`: making and revoking tokens.
    #[serde(rename = "tokens:write")]
    TokensWrite,
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u16);

/// A role that is there without being configured.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Enum, sea_orm::EnumIter, Serialize, Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Sees users and figures, nothing personal and nothing that was said.
    Viewer,
    /// Sees users, figures and what was said, nothing personal; may take all of it out.
    Analyst,
    /// Sees everything about users, and changes them.
    Support,
    /// What support may, and deletes users, changes agents, exports and reads the audit log.
    Editor,
    /// Records messages, and sees nothing.
    Ingest,
    /// May do everything.
    Admin,
}

/// The agents that somebody may see and change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agents {
    /// Every one, also those to come.
    All,
    /// These, in ascending order. For whoever is limited to them nothing else exists.
    Only(Arc<[Uuid]>),
}

/// Somebody, as far as they have proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// What the audit log calls them. Unique: idempotency keys and limits are theirs under it.
    pub name: String,
    /// Their roles, by name.
    pub roles: Vec<String>,
    /// What these let them do.
    pub permissions: Permissions,
    /// With whom.
    pub agents: Agents,
    /// When what they proved it with ends.
    pub expires_at: Option<Timestamp>,
}

/// Somebody who asks for something.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Arc<Principal>,
    /// The request's id.
    pub request_id: String,
    /// The name of the operation, where it has one.
    pub operation: Option<String>,
}

impl Permission {
    /// Its name, as in `users:read`.
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

impl Role {
    /// What it lets one do.
    pub fn permissions(self) -> Permissions {
        use Permission::{
            AgentsWrite, AuditRead, EventsWrite, Export, FiguresRead, MessagesRead, UsersDelete,
            UsersPii, UsersRead, UsersWrite,
        };
        let own: &[_] = match self {
            Self::Viewer => &[UsersRead, FiguresRead],
            Self::Analyst => &[UsersRead, FiguresRead, MessagesRead, Export],
            Self::Support => &[UsersRead, FiguresRead, MessagesRead, UsersPii, UsersWrite],
            Self::Editor => &[UsersDelete, AgentsWrite, Export, AuditRead],
            Self::Ingest => &[EventsWrite],
            Self::Admin => return Permissions::all(),
        };
        let beneath = match self {
            Self::Editor => Self::Support.permissions(),
            _ => Permissions::default(),
        };
        own.iter().copied().collect::<Permissions>().and(beneath)
    }

    /// Its name, as in `VIEWER`.
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

impl Permissions {
    /// Every permission.
    pub fn all() -> Self {
        Permission::iter().collect()
    }

    /// Whether this one is among them.
    pub const fn has(self, permission: Permission) -> bool {
        self.0 >> permission as u16 & 1 == 1
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// One by one, in their order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::iter().filter(move |permission| self.has(*permission))
    }

    /// Those that are missing from `held`.
    #[must_use]
    pub const fn beyond(self, held: Self) -> Self {
        Self(self.0 & !held.0)
    }

    /// Whether one of these is among `others`.
    pub const fn meet(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions
            .into_iter()
            .fold(Self::default(), |all, one| Self(all.0 | 1 << one as u16))
    }
}

impl Agents {
    /// These agents.
    pub fn only(agents: impl IntoIterator<Item = Uuid>) -> Self {
        let agents: std::collections::BTreeSet<_> = agents.into_iter().collect();
        Self::Only(agents.into_iter().collect())
    }

    /// Whether this agent is among them.
    pub fn has(&self, agent: Uuid) -> bool {
        match self {
            Self::All => true,
            Self::Only(agents) => agents.binary_search(&agent).is_ok(),
        }
    }

    /// The agent, if it is among them; else an id that no agent has. What lies outside is then looked for like what is not
    /// there, in the same words and in the same time.
    pub fn own(&self, agent: Uuid) -> Uuid {
        if self.has(agent) { agent } else { Uuid::nil() }
    }
}

impl Principal {
    /// What whoever comes is called where nobody has to say who they are.
    pub const ANYONE: &str = "anyone";

    /// Whoever asks where nobody has to say who they are: on their own machine, everybody may do everything.
    pub fn anyone() -> Self {
        Self::unlimited(Self::ANYONE)
    }

    /// The program itself: what it does at a command or on its own account.
    pub fn program() -> Self {
        Self::unlimited("parlour")
    }

    fn unlimited(name: &str) -> Self {
        Self::with_role(name, Role::Admin, Agents::All)
    }

    /// Somebody with one role.
    pub fn with_role(name: &str, role: Role, agents: Agents) -> Self {
        Self {
            name: name.to_owned(),
            roles: vec![role.name()],
            permissions: role.permissions(),
            agents,
            expires_at: None,
        }
    }

    /// Whether they may do this.
    pub const fn may(&self, permission: Permission) -> bool {
        self.permissions.has(permission)
    }

    /// The same, with one more permission: for what the program looks up to answer them, and does not show.
    #[must_use]
    pub fn with(&self, permission: Permission) -> Self {
        let one = std::iter::once(permission).collect();
        Self {
            permissions: self.permissions.and(one),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Agents, Permission, Permissions};
    use uuid::Uuid;

    #[test]
    fn permissions_are_told_by_their_names() {
        let names: Vec<_> = Permissions::all().iter().map(Permission::name).collect();
        assert_eq!(names.len(), 11);
        assert_eq!(
            (names[0].as_str(), names[8].as_str()),
            ("users:read", "export")
        );
        assert_eq!(
            serde_json::from_str::<Permission>("\"users:pii\"").unwrap(),
            Permission::UsersPii
        );
    }

    #[test]
    fn what_is_missing_is_told() {
        let read = Permissions::from_iter([Permission::UsersRead]);
        let both = read.and(Permissions::from_iter([Permission::UsersPii]));
        assert!(both.has(Permission::UsersPii) && !read.has(Permission::UsersPii));
        assert_eq!(
            both.beyond(read).iter().collect::<Vec<_>>(),
            [Permission::UsersPii]
        );
        assert_eq!(read.beyond(both), Permissions::default());
    }

    #[test]
    fn an_agent_is_among_those_named() {
        let [one, other] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        assert!(Agents::All.has(one));
        assert!(Agents::only([other, one]).has(one));
        assert!(!Agents::only([other]).has(one));
        assert_eq!(Agents::only([other]).own(other), other);
        assert_eq!(Agents::only([other]).own(one), Uuid::nil());
    }
}
