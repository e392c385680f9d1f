//! INSERT, UPDATE, DELETE and nothing else. [`apply`] is the only transaction: GraphQL, import and demo all end there.

mod agent;
mod apply;
mod chat_user;
pub mod event;
mod message;
mod session;
pub mod verify;

pub use apply::{Fate, Outcome, apply};
