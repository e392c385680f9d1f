//! Rows to JSON, without the executor: what a list is asked for is planned once, read with one statement for each level, and
//! written in one go (docs/decisions/0028).
//!
//! A field is defined once, as a method of its noun. Where that method is not `async` nothing has to be waited for, and
//! `#[plain_fields]` lets it be called here. All other fields, and all that goes wrong, are the executor's, which resolves
//! the same methods.

mod children;
mod list;
mod list_plan;
mod pages;
mod plain;
mod plan;
mod rows;

pub(super) use children::Children;
pub(super) use list::List;
pub(super) use plain::{NotPlain, Plain, PlainField, PlainFields};
pub(super) use rows::Rows;
