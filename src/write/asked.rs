//! Changes that somebody asks for: none of them runs before it is known that they may.

use crate::caller::{Permission, Principal};
use crate::db::Work;
use crate::error::{Result, permitted};

/// A change that somebody asks for. With whose agents is looked at in the transaction: what lies outside is not found.
pub trait Asked: Work {
    /// What it takes.
    const NEEDS: Permission;

    /// Who asks.
    fn by(&self) -> &Principal;

    /// Refuses whoever may not.
    fn permitted(&self) -> Result<()> {
        permitted(self.by(), Self::NEEDS)
    }
}
