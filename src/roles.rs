//! Roles by their names: those that are there without being configured, and those of the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::Iterable;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;

use crate::caller::{Permission, Permissions, Role};

/// Longest name of a role, in characters.
const MAX_NAME: usize = 64;

/// What each role lets one do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(Arc<BTreeMap<String, Permissions>>);

impl Default for Roles {
    fn default() -> Self {
        Self(Arc::new(built_in().collect()))
    }
}

fn built_in() -> impl Iterator<Item = (String, Permissions)> {
    Role::iter().map(|role| (role.name(), role.permissions()))
}

impl Roles {
    /// These roles, each with the names of its permissions, beside those that are always there. An error names what cannot be.
    pub fn with(configured: &BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        let mut roles: BTreeMap<_, _> = built_in().collect();
        for (name, permissions) in configured {
            if built_in().any(|(taken, _)| taken.eq_ignore_ascii_case(name)) {
                return Err(format!(
                    "`{name}` is the name of a role that is always there"
                ));
            }
            if !is_name(name) {
                return Err(format!(
                    "`{}` is no name for a role: 1 to {MAX_NAME} letters, digits, `-` and `_`",
                    name.escape_debug()
                ));
            }
            let permissions = permissions
                .iter()
                .map(|permission| known(permission).map_err(|reason| format!("{name}: {reason}")));
            roles.insert(name.clone(), permissions.collect::<Result<_, _>>()?);
        }
        Ok(Self(Arc::new(roles)))
    }

    /// What a role lets one do; `None` for a name that no role has.
    pub fn permissions(&self, role: &str) -> Option<Permissions> {
        self.0.get(role).copied()
    }

    /// What several roles let one do together. A name that no role has lets one do nothing.
    pub fn of<'a>(&self, roles: impl IntoIterator<Item = &'a str>) -> Permissions {
        roles
            .into_iter()
            .filter_map(|role| self.permissions(role))
            .fold(Permissions::default(), Permissions::and)
    }

    /// All names, in alphabetical order.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The permission of this name.
fn known(name: &str) -> Result<Permission, String> {
    let name: serde::de::value::StrDeserializer<'_, Error> = name.into_deserializer();
    Permission::deserialize(name).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::Roles;
    use crate::caller::{Permission, Permissions, Role};
    use std::collections::BTreeMap;

    fn with(name: &str, permissions: &[&str]) -> Result<Roles, String> {
        let permissions = permissions.iter().map(|&one| one.to_owned()).collect();
        Roles::with(&BTreeMap::from([(name.to_owned(), permissions)]))
    }

    #[test]
    fn own_roles_stand_beside_the_built_in_ones() {
        let roles = with("auditor", &["audit:read", "export"]).unwrap();
        let auditor = Permissions::from_iter([Permission::AuditRead, Permission::Export]);
        assert_eq!(roles.permissions("auditor"), Some(auditor));
        assert_eq!(
            roles.permissions("VIEWER"),
            Some(Role::Viewer.permissions())
        );
        assert_eq!(
            roles.of(["INGEST", "auditor", "gone"]),
            auditor.and(Role::Ingest.permissions())
        );
        assert_eq!(roles.names().len(), 7);
    }

    #[test]
    fn what_cannot_be_is_named() {
        for name in ["ADMIN", "admin"] {
            assert!(with(name, &[]).unwrap_err().contains(name));
        }
        for name in ["", "a b", "ä", &"a".repeat(65)] {
            assert!(with(name, &[]).unwrap_err().contains("is no name"));
        }
        let error = with("auditor", &["audit:raed"]).unwrap_err();
        assert!(
            error.contains("auditor")
                && error.contains("audit:raed")
                && error.contains("audit:read"),
            "{error}"
        );
    }
}
