//! What the client sees: the schema, and one file per noun. A type is a newtype over its row; a field is its description and one line.

pub mod access;
mod agent;
mod agent_change;
mod audit_entry;
mod block;
mod bot_opt_out;
mod chat_user;
mod connection;
mod deletion;
mod executor;
mod fast_path;
pub mod json;
pub mod loader;
mod merge;
mod message;
mod message_change;
mod money;
mod mutation;
mod node;
mod pii;
mod query;
mod record;
mod scalar;
mod session;
mod subscription;
mod tagging;
mod token;
mod update;
mod viewer;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_graphql::{Data, ServerError, Variables};

use crate::caller::Caller;
use crate::clock::Timestamp;
use crate::db::{Database, DisclosureLog, Reader, Writer};
use crate::error::{Error, Internal};
use crate::roles::Roles;
use crate::write::idempotency::Changes;
pub use crate::write::idempotency::Once;
pub use crate::write::read_audit::{ReadAuditWriter, ReadLog};
pub use connection::Limits as PageLimits;
pub use executor::{Graph, Operation};
use loader::{Batches, Loaders};
pub use money::Currency;
pub use tagging::MAX_CHANGED;

/// What requests are answered with.
#[derive(Clone, Debug)]
pub struct GraphqlServices {
    /// The database.
    pub database: Database,
    /// How large pages are.
    pub pages: PageLimits,
    /// The currency of all costs.
    pub currency: Currency,
    /// What roles there are.
    pub roles: Roles,
    /// How far ahead of the clock the times of recorded events may be.
    pub clock_ahead: Duration,
    /// Where it is noted whose personal data was read, when that is wanted.
    pub reads: Option<ReadLog>,
}

/// What the fields of one request work with.
struct Request {
    reader: Reader,
    writer: Writer,
    /// The request as one that is done once, when it came with a key.
    once: Option<Arc<Once>>,
    caller: Caller,
    now: Timestamp,
    pages: PageLimits,
    currency: Currency,
    roles: Roles,
    clock_ahead: Duration,
    /// Whether it asks for an object twice under one key.
    repeats: bool,
    batches: Batches,
    /// Made when the first field wants them.
    loaders: OnceLock<Loaders>,
}

/// Answers one request: its resolvers and the batches that they wait for run together, on one task. Its changes are made
/// once, when it came with a key. What it read of whom is noted before anybody has the answer.
pub async fn execute(
    graph: &Graph,
    services: &GraphqlServices,
    caller: Caller,
    once: Option<Arc<Once>>,
    operation: &Operation,
    variables: Variables,
) -> async_graphql::Response {
    let batches = Batches::default();
    let GraphqlServices {
        database, reads, ..
    } = services;
    let now = Timestamp::now();
    let mut reader = database.reader.seen_by(caller.principal.clone());
    let noting = reads.as_ref().map(|reads| {
        let disclosed = Arc::new(DisclosureLog::default());
        (reads, caller.clone(), disclosed)
    });
    if let Some((_, _, disclosed)) = &noting {
        reader = reader.noting(disclosed.clone());
    }
    let mut data = Data::default();
    data.insert(Request {
        reader,
        writer: database.writer.clone(),
        once,
        caller,
        now,
        pages: services.pages,
        currency: services.currency,
        roles: services.roles.clone(),
        clock_ahead: services.clock_ahead,
        repeats: operation.repeats,
        batches: batches.clone(),
        loaders: OnceLock::new(),
    });
    let response = batches.drive(graph.run(operation, variables, data)).await;
    if let Some((reads, caller, disclosed)) = noting {
        let users = disclosed.take();
        if !users.is_empty()
            && let Err(error) = Box::pin(reads.note(&caller, now, users)).await
        {
            return async_graphql::Response::from_errors(vec![unnoted(error)]);
        }
    }
    response
}

/// Nobody gets an answer whose reads are not in the audit log.
fn unnoted(error: Error) -> ServerError {
    let mut told = ServerError::new(error.to_string(), None);
    told.source = Some(Arc::new(error));
    told
}

fn request<'a>(context: &async_graphql::Context<'a>) -> &'a Request {
    context.data_unchecked()
}

/// The reader of this request.
fn reader<'a>(context: &async_graphql::Context<'a>) -> &'a Reader {
    &request(context).reader
}

/// Where the changes of this field of the root go.
fn writer(context: &async_graphql::Context<'_>) -> Changes {
    let Request { writer, once, .. } = request(context);
    let field = context.path_node.map(|path| path.to_string());
    Changes::new(writer.clone(), once.clone(), field.unwrap_or_default())
}

/// When the request came: the same for all of it.
fn now(context: &async_graphql::Context<'_>) -> Timestamp {
    request(context).now
}

/// The latest time that an event may tell of.
fn latest(context: &async_graphql::Context<'_>) -> Timestamp {
    now(context).after(request(context).clock_ahead)
}

/// Who asks.
fn caller<'a>(context: &async_graphql::Context<'a>) -> &'a Caller {
    &request(context).caller
}

/// Whether the request asks for an object twice under one key.
fn repeats(context: &async_graphql::ContextSelectionSet<'_>) -> bool {
    context.data_unchecked::<Request>().repeats
}

/// How large pages are.
fn pages(context: &async_graphql::Context<'_>) -> PageLimits {
    request(context).pages
}

/// The currency of all costs.
fn currency(context: &async_graphql::Context<'_>) -> Currency {
    request(context).currency
}

/// What roles there are.
fn roles<'a>(context: &async_graphql::Context<'a>) -> &'a Roles {
    &request(context).roles
}

/// The loaders of this request.
fn loaders<'a>(context: &async_graphql::Context<'a>) -> &'a Loaders {
    let request = request(context);
    let new = || Loaders::new(request.reader.clone(), &request.batches);
    request.loaders.get_or_init(new)
}

/// What a text column holds as JSON.
fn stored<T: serde::de::DeserializeOwned>(json: &str) -> crate::error::Result<T> {
    // The error's own words may quote what is stored.
    serde_json::from_str(json).map_err(|error| {
        let (kind, column) = (error.classify(), error.column());
        Internal::Corrupt(format!("JSON with an error ({kind:?}) in column {column}")).into()
    })
}
