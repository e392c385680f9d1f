//! Bytes in, bytes out. A request to `/graphql` goes through the files in this order: negotiate → guard → document → execute → respond.

mod document;
mod execute;
mod guard;
mod health;
mod negotiate;
mod playground;
mod respond;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tokio::net::TcpListener;

use crate::config::ServeSettings;
use crate::db::Database;
use crate::db::tally::TALLY;
use crate::error::Result;
use crate::graphql::{self, Graph, PageLimits};
use crate::telemetry::RequestLine;

/// What every request needs.
#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
    database: Database,
    graph: Graph,
    pages: PageLimits,
    body_limit: usize,
    request_timeout: Duration,
    drain_timeout: Duration,
    draining: AtomicBool,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// A server over a database.
    pub fn new(database: Database, settings: &ServeSettings) -> Self {
        Self(Arc::new(Shared {
            database,
            graph: graphql::schema(),
            pages: settings.pages(),
            body_limit: settings.body_limit(),
            request_timeout: settings.request_timeout(),
            drain_timeout: settings.drain_timeout(),
            draining: AtomicBool::new(false),
        }))
    }

    /// Every route there is.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/graphql", any(graphql_request))
            .route(
                "/schema.graphql",
                get(async || {
                    (
                        [(CONTENT_TYPE, "text/plain; charset=utf-8")],
                        graphql::sdl(),
                    )
                }),
            )
            .route("/health/live", get(health::live))
            .route("/health/ready", get(health::ready))
            .merge(playground::routes())
            .with_state(self.clone())
    }

    /// Serves until `stop` resolves; then requests under way have their time to end.
    pub async fn run(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()> {
        let (stopping, stopped) = tokio::sync::oneshot::channel();
        let shared = self.0.clone();
        let serving = axum::serve(listener, self.routes()).with_graceful_shutdown(async move {
            stop.await;
            shared.draining.store(true, Ordering::Relaxed);
            stopping.send(()).ok();
        });
        // Connections that never end must not keep the process: the deadline counts from the signal.
        let deadline = async {
            stopped.await.ok();
            tokio::time::sleep(self.0.drain_timeout).await;
        };
        tokio::select! {
            served = serving => served?,
            () = deadline => tracing::warn!("requests were still under way at the end of the drain timeout"),
        }
        Ok(())
    }
}

/// One request to the graph, step by step.
async fn graphql_request(State(server): State<Server>, request: Request) -> Response {
    let start = Instant::now();
    let id = negotiate::request_id(request.headers());
    let form = negotiate::answer_form(request.headers());
    // A test that counts statements brings its own tally.
    let tally = TALLY.try_with(Arc::clone).unwrap_or_default();
    let mut operation = document::Operation::default();
    let answer = TALLY
        .scope(tally.clone(), answer(&server.0, request, &mut operation))
        .await;
    let answer = answer.unwrap_or_else(respond::Answer::from);
    let response = respond::respond(answer, form, &id);
    RequestLine {
        id: &id,
        operation_type: operation.kind,
        operation_name: &operation.name,
        status: response.status,
        errors: &response.codes,
        figures: tally.figures(),
        duration: start.elapsed(),
    }
    .log();
    response.into_response()
}

async fn answer(
    shared: &Shared,
    request: Request,
    operation: &mut document::Operation,
) -> Result<respond::Answer, respond::Refusal> {
    let method = request.method().clone();
    let question = negotiate::question(request, shared.body_limit).await?;
    guard::check(&question)?;
    let document = document::parse(&question)?;
    *operation = document::operation(&document, question.operation_name.as_deref(), &method)?;
    execute::execute(shared, question, document).await
}
