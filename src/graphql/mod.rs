//! What the client sees: the schema, and one file per noun. A type is a newtype over its row; a field is its description and one line.

mod agent;
mod agent_change;
mod audit_entry;
mod block;
mod chat_user;
mod connection;
mod deletion;
pub mod loader;
mod message;
mod mutation;
mod node;
mod query;
mod record;
mod render;
mod scalar;
mod session;
mod subscription;
mod update;

use std::sync::Arc;

use async_graphql::{EmptySubscription, Schema, ValidationMode};

use crate::clock::Timestamp;
use crate::db::{Database, Reader, Writer};
use crate::error::Internal;
pub use crate::write::audit::Caller;
pub use connection::Limits as PageLimits;
use loader::{Batches, Loaders};

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

/// Answers one request: its resolvers and the batches that they wait for run together, on one task.
pub async fn execute(
    graph: &Graph,
    database: &Database,
    limits: PageLimits,
    caller: Caller,
    request: async_graphql::Request,
) -> async_graphql::Response {
    let batches = Batches::default();
    let request = request
        .data(database.reader.clone())
        .data(database.writer.clone())
        .data(caller)
        .data(Timestamp::now())
        .data(limits)
        .data(Arc::new(Loaders::new(database.reader.clone(), &batches)));
    batches.drive(graph.execute(request)).await
}

/// The reader of this request.
fn reader<'a>(context: &async_graphql::Context<'a>) -> &'a Reader {
    context.data_unchecked()
}

/// The writer of this request.
fn writer<'a>(context: &async_graphql::Context<'a>) -> &'a Writer {
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

/// The loaders of this request.
fn loaders<'a>(context: &async_graphql::Context<'a>) -> &'a Loaders {
    context.data_unchecked::<Arc<Loaders>>()
}

/// What a text column holds as JSON.
fn stored<T: serde::de::DeserializeOwned>(json: &str) -> crate::error::Result<T> {
    serde_json::from_str(json).map_err(|error| Internal::Corrupt(error.to_string()).into())
}
