//! The fast path: answers a list without the executor. Its selection is planned once, read with one statement for each level, and
//! written as JSON in one pass (docs/decisions/0028).
//!
//! A field is defined once, as a method of its noun. One that is not `async` is a value, and `#[fast_fields]` lets it be
//! asked for here; so it does with lists. All other fields, and all that goes wrong, are the executor's, which resolves the
//! same methods.

mod children;
mod list;
mod list_plan;
mod pages;
mod plain;
mod plan;
mod repeats;
mod rows;

pub(super) use children::{Children, at_once};
pub(super) use list::List;
pub(super) use plain::{FastField, FastFields, Plain};
pub(super) use repeats::repeats;
pub(super) use rows::Rows;
