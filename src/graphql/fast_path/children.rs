//! Lists that belong to the objects of another list: read for all of these together, written one by one.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::plain::Fallback;
use super::plan::FieldContext;
use crate::graphql::json::Json;
use crate::read::Scope;

/// The list of one object, which stands for those of all objects beside it.
pub(in crate::graphql) trait Children: Send + Sync {
    /// Whether all that is asked of such a list can be read for many objects together and then be written at once.
    fn is_plain(asked: &FieldContext<'_>) -> bool
    where
        Self: Sized;

    /// Whose list it is.
    fn scope(&self) -> Scope;

    /// Reads the lists of all these parents, and whatever belongs to their rows.
    fn read<'f, 'a: 'f>(
        &'f self,
        asked: &'f FieldContext<'a>,
        parents: &'f [Uuid],
    ) -> BoxFuture<'f, Result<Box<dyn Lists + 'a>, Fallback>>;
}

/// A list that need not be waited for.
pub(in crate::graphql) fn at_once<C: Children + 'static, E>(
    list: impl Future<Output = Result<C, E>>,
) -> Result<Box<dyn Children>, Fallback> {
    match list.now_or_never() {
        Some(Ok(list)) => Ok(Box::new(list)),
        // The executor waits for it, or tells what is wrong.
        Some(Err(_)) | None => Err(Fallback),
    }
}

/// Lists that have been read.
pub(in crate::graphql) trait Lists: Send + Sync {
    /// Writes the list of a parent, by its place among them.
    fn write(&self, parent: usize, json: &mut Json) -> Result<(), Fallback>;

    /// How many values all of them have, about.
    fn values(&self) -> usize;
}
