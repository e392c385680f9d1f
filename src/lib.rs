//! Parlour: a GraphQL gateway to the people who talk to chatbots.
//!
//! ```text
//! bytes ─ http ─ graphql/query ─ read/<noun> ─ db::Reader ─ SQLite | PostgreSQL
//!                   │                └ filter → WHERE, page → keyset       ▲ db/dialect.rs: "how here?"
//!                   └ graphql/loader ── read/batch: one statement per level
//! bytes ─ http ─ graphql/mutation ─ write/<change> ──── db::Writer
//! files ─ cli/import, cli/demo ── write::apply(events) ─┘
//! ```
//!
//! A lower station never names a higher one, and the same noun has the same file name at each:
//! `agent`, `chat_user`, `session`, `message`. The whole picture: `docs/architecture.md`.

pub mod authentication; // who asks, by what they prove it with
pub mod caller; // who asks, and what they may see and do
pub mod cli; // one file per command; the only place that prints
pub mod clock; // time as it is stored
pub mod config; // settings: flag, environment, file
pub mod db; // connections, by what may be done with them; what differs between databases
pub mod decimal; // amounts as they are stored
pub mod demo; // made-up audiences
pub mod entity; // the tables as Rust types
pub mod error; // the client's mistakes and ours
pub mod exact; // JSON that is kept as it is written
pub mod graphql; // what the client sees
pub mod http; // bytes in, bytes out
pub mod id; // kinds of ids, their text, where new ones come from
pub mod import; // the exchange format, from files to events
pub mod read; // SELECT and nothing else
pub mod roles; // names of roles, and what they let one do
pub mod secret; // the text of a token
pub mod span; // spans of a trace: a request, a statement
pub mod telemetry; // the log, and where traces go
pub mod text; // text as it is compared and searched
pub mod write; // INSERT, UPDATE, DELETE and nothing else
