//! INSERT, UPDATE, DELETE and nothing else. [`apply()`] is the transaction that all events go through: import and demo end there.

mod agent;
pub mod agent_change;
mod apply;
pub mod audit;
pub mod authorized;
pub mod block;
pub mod bot_opt_out;
mod chat_user;
pub mod deletion;
pub mod event;
pub mod idempotency;
pub mod merge;
mod message;
pub mod message_change;
mod parallel;
mod platforms;
pub mod profile;
pub mod read_audit;
pub mod refold;
pub mod resessionize;
mod session;
pub mod session_gap;
pub mod subscription;
pub mod tagging;
pub mod token;
pub mod verify;

pub use apply::{Batch, EventOutcome, Outcome, apply};
pub use parallel::apply_in_lanes;

/// Tags as they are stored, whichever way they come in: a JSON array of distinct texts without blanks around them, sorted.
fn tags(tags: &[String]) -> String {
    let tags: std::collections::BTreeSet<_> = tags.iter().map(|tag| tag.trim()).collect();
    serde_json::to_string(&tags).unwrap_or_else(|_| "[]".to_owned())
}
