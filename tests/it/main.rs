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
mod apart;
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
mod dice;
mod entities;
mod everything;
mod folding;
mod gate;
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
mod personal;
mod postgres;
mod rate;
mod reads;
mod record;
mod schema;
mod search;
mod selection;
mod served;
mod silence;
mod sqlite;
mod starters;
mod stopped;
mod tagging;
mod timeouts;
mod tls;
mod tokens;
mod traces;
mod unavailable;
mod updates;
