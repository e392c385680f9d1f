//! The whole product under test: the real router over real databases. One binary, one file per subject.
//!
//! Everything runs on `SQLite`; with `TEST_DATABASE_URL` the same runs on PostgreSQL and must give the same answers.
//! `UPDATE=1` rewrites committed answers instead of comparing with them.

mod cases;
mod entities;
mod harness;
mod schema;
mod starters;
