//! What the client sees: the schema, and one file per noun. A type is a newtype over its row; a field is its description and one line.

pub mod access;
mod agent;
mod agent_change;
mod audit_entry;
mod block;
mod chat_user;
mod connection;
mod deletion;
pub mod json;
pub mod loader;
mod merge;
mod message;
mod money;
mod mutation;
mod node;
mod personal;
mod query;
mod record;
mod render;
mod scalar;
mod session;
mod stopped;
mod subscription;
mod tagging;
mod token;
mod update;
mod viewer;

use std::sync::Arc;

use async_graphql::{EmptySubscription, Schema, ServerError, ValidationMode};

use crate::caller::Caller;
use crate::clock::Timestamp;
use crate::db::{Database, Disclosed, Reader};
use crate::error::{Error, Internal};
use crate::roles::Roles;
use crate::write::idempotency::Changes;
pub use crate::write::idempotency::{Kept, Once};
pub use crate::write::reading::{Keeper, ReadLog};
pub use connection::Limits as PageLimits;
use loader::{Batches, Loaders};
pub use money::Currency;
pub use render::{Repeats, repeats};

/// The schema, with nothing but types in it: the database comes with each request.
pub type Graph = Schema<query::Query, mutation::Mutation, EmptySubscription>;

/// Builds the schema.
pub fn schema() -> Graph {
    Schema::build(query::Query, mutation::Mutation, EmptySubscription)
        // Documents come here checked (http/document).
        .validation_mode(ValidationMode::Fast)
        .with_sorted_fields()
        .with_sorted_enums()
        .finish()
}

/// The schema in SDL: what `schema.graphql` holds.
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items();
    schema().sdl_with_options(options)
}

/// What requests are answered with.
#[derive(Clone, Debug)]
pub struct Means {
    /// The database.
    pub database: Database,
    /// How large pages are.
    pub pages: PageLimits,
    /// The currency of all costs.
    pub currency: Currency,
    /// What roles there are.
    pub roles: Roles,
    /// Where it is noted whose personal data was read, when that is wanted.
    pub reads: Option<ReadLog>,
}

/// Answers one request: its resolvers and the batches that they wait for run together, on one task. Its changes are made
/// once, when it came with a key. What it read of whom is noted before anybody has the answer.
pub async fn execute(
    graph: &Graph,
    means: &Means,
    caller: Caller,
    once: Option<Arc<Once>>,
    request: async_graphql::Request,
) -> async_graphql::Response {
    let batches = Batches::default();
    let Means {
        database, reads, ..
    } = means;
    let (disclosed, now) = (Arc::new(Disclosed::default()), Timestamp::now());
    let mut reader = database.reader.seen_by(caller.principal.clone());
    if reads.is_some() {
        reader = reader.noting(disclosed.clone());
    }
    let request = request
        .data(reader.clone())
        .data(Changes::new(database.writer.clone(), once))
        .data(caller.clone())
        .data(now)
        .data(means.pages)
        .data(means.currency)
        .data(means.roles.clone())
        .data(Arc::new(Loaders::new(reader, &batches)));
    let response = batches.drive(graph.execute(request)).await;
    let users = disclosed.take();
    if let Some(reads) = reads
        && !users.is_empty()
        && let Err(error) = Box::pin(reads.note(&caller, now, users)).await
    {
        return async_graphql::Response::from_errors(vec![unnoted(error)]);
    }
    response
}

/// Nobody gets an answer whose reads are not in the audit log.
fn unnoted(error: Error) -> ServerError {
    let mut told = ServerError::new(error.to_string(), None);
    told.source = Some(Arc::new(error));
    told
}

/// The reader of this request.
fn reader<'a>(context: &async_graphql::Context<'a>) -> &'a Reader {
    context.data_unchecked()
}

/// Where the changes of this request go.
fn writer<'a>(context: &async_graphql::Context<'a>) -> &'a Changes {
    context.data_unchecked()
}

/// When the request came: the same for all of it.
fn now(context: &async_graphql::Context<'_>) -> Timestamp {
    *context.data_unchecked()
}

/// Who asks.
fn caller<'a>(context: &async_graphql::Context<'a>) -> &'a Caller {
    context.data_unchecked()
}

/// What roles there are.
fn roles<'a>(context: &async_graphql::Context<'a>) -> &'a Roles {
    context.data_unchecked()
}

/// The loaders of this request.
fn loaders<'a>(context: &async_graphql::Context<'a>) -> &'a Loaders {
    context.data_unchecked::<Arc<Loaders>>()
}

/// What a text column holds as JSON.
fn stored<T: serde::de::DeserializeOwned>(json: &str) -> crate::error::Result<T> {
    // The error's own words may quote what is stored.
    serde_json::from_str(json).map_err(|error| {
        let (kind, column) = (error.classify(), error.column());
        Internal::Corrupt(format!("JSON with an error ({kind:?}) in column {column}")).into()
    })
}
