//! Authorization of mutations: a change names the permission that it needs, and runs only for a caller who has it.

use crate::caller::{Permission, Principal};
use crate::db::UnitOfWork;
use crate::error::{Result, permitted};

/// A change that somebody asks for. With whose agents is looked at in the transaction: what lies outside is not found.
pub trait AuthorizedMutation: UnitOfWork {
    /// What it takes.
    const NEEDS: Permission;

    /// Who asks.
    fn by(&self) -> &Principal;

    /// Refuses whoever may not.
    fn permitted(&self) -> Result<()> {
        permitted(self.by(), Self::NEEDS)
    }
}
