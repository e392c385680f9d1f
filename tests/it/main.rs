//! The whole product under test: the real router over real databases. One binary, one file per subject.
//!
//! Everything runs on `SQLite`; with `TEST_DATABASE_URL` the same runs on PostgreSQL and must give the same answers.
//! `UPDATE=1` rewrites committed answers instead of comparing with them.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on ends, and says where it was"
)]

mod access;
mod architecture;
mod arrival;
mod audience;
mod authentication;
mod cases;
mod cli;
mod conditions;
mod connection;
mod crash;
mod deletion;
mod entities;
mod folding;
mod harness;
mod hostile;
mod http;
mod idempotency;
mod idle;
mod ingest;
mod issuer;
mod jwt;
mod merges;
mod message_changes;
mod model;
mod oracle;
mod pii;
mod pii_leaks;
mod postgres;
mod rate;
mod reads;
mod record;
mod rng;
mod schema;
mod schema_walk;
mod search;
mod selection;
mod server_process;
mod sqlite;
mod starters;
mod stopped;
mod tagging;
mod tcp_proxy;
mod tenant_isolation;
mod timeouts;
mod tls;
mod tokens;
mod traces;
mod unavailable;
mod updates;
