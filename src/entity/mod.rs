//! The tables as Rust types, one file per noun. `migration/` makes the tables; a test holds the two together.

#![expect(
    clippy::disallowed_methods,
    reason = "what derives an entity names every way to read it"
)]

pub mod agent;
pub mod audit_entry;
pub mod chat_user;
pub mod deletion;
pub mod mask;
pub mod message;
pub mod pii;
pub mod platform;
pub mod role;
pub mod session;
pub mod subscription;
pub mod token;
