//! What those may ask for and change who may not see what is personal (docs/decisions/0022).

use async_graphql::Context;

use super::{caller, reader};
use crate::caller::Permission;
use crate::entity::platform::Platform;
use crate::error::{Error, Result};

/// Refuses an argument to those who may not see what is personal: they would change it, or decide on it, blindly, and what
/// comes of that would tell them what was there.
pub(super) fn for_who_sees_it(context: &Context<'_>, argument: &str) -> Result<()> {
    let permission = Permission::UsersPii;
    if caller(context).principal.may(permission) {
        return Ok(());
    }
    Err(Error::forbidden(argument, permission.name()))
}

/// Refuses to look somebody up by their id on a platform, where such ids are personal. Whoever records what people write there
/// knows the ids.
pub(super) fn for_who_knows_ids(
    context: &Context<'_>,
    platform: Platform,
    argument: &str,
) -> Result<()> {
    let records = caller(context).principal.may(Permission::EventsWrite);
    if records || !reader(context).personal().has(platform) {
        return Ok(());
    }
    for_who_sees_it(context, argument)
}
