//! The router over a file, and what it takes to answer.

use std::path::Path;
use std::sync::Arc;

use allocation_counter::AllocationInfo;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, StatusCode};
use parlour::config::{LimitSettings, ServeSettings};
use parlour::db::query_stats::{QUERY_STATS, QueryStats};
use parlour::db::{Database, DatabaseOptions};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

use crate::question::Question;

/// Times that a request is asked before it is counted: documents are kept, statements prepared, buffers grown.
const BEFORE: usize = 3;
/// Times that it is counted; the least counts.
const TIMES: usize = 3;

/// One thread answers. It hands statements to another one, whose work is not counted.
pub(crate) struct Server {
    runtime: Runtime,
    router: Router,
}

impl Server {
    /// A server over this file.
    pub(crate) fn over(file: &Path) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let router = runtime.block_on(async {
            let options = DatabaseOptions::new(format!("sqlite://{}", file.display()));
            let database = Database::open(&options).await.unwrap();
            let limits = LimitSettings::default().limits();
            let settings = ServeSettings::default();
            let server = parlour::http::Server::new(database, &settings, limits).unwrap();
            server.routes()
        });
        Self { runtime, router }
    }

    /// Statements and allocations of a request that has been asked before.
    pub(crate) fn count(&self, question: &Question) -> (u64, AllocationInfo) {
        self.warm(question);
        let counted = (BEFORE..BEFORE + TIMES).map(|time| {
            let request = request(question.body(time));
            let tally = Arc::new(QueryStats::default());
            let mut answer = (StatusCode::OK, Bytes::new());
            let allocations = allocation_counter::measure(|| {
                answer = self
                    .runtime
                    .block_on(QUERY_STATS.scope(tally.clone(), self.answer(request)));
            });
            check(&question.name, &answer);
            (tally.figures().statements, allocations)
        });
        counted
            .min_by_key(|(_, it)| (it.count_total, it.bytes_total))
            .unwrap()
    }

    /// Asks until nothing is done for the first time.
    pub(crate) fn warm(&self, question: &Question) {
        for time in 0..BEFORE {
            let answer = self
                .runtime
                .block_on(self.answer(request(question.body(time))));
            check(&question.name, &answer);
        }
    }

    /// Asks once more, and does nothing else.
    pub(crate) fn ask(&self, request: Request<Body>) -> (StatusCode, Bytes) {
        self.runtime.block_on(self.answer(request))
    }

    async fn answer(&self, request: Request<Body>) -> (StatusCode, Bytes) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        (
            status,
            to_bytes(response.into_body(), usize::MAX).await.unwrap(),
        )
    }
}

/// A request with this body.
pub(crate) fn request(body: String) -> Request<Body> {
    Request::post("/graphql")
        .header("host", "localhost")
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap()
}

/// Whether it was an answer.
pub(crate) fn check(name: &str, (status, body): &(StatusCode, Bytes)) {
    let body = String::from_utf8_lossy(body);
    let fine =
        *status == StatusCode::OK && body.contains("\"data\":{") && !body.contains("\"errors\":[{");
    assert!(fine, "{name}: {status} {body}");
}
