//! Step four: the answer, in time, whatever happens inside.

use std::panic::AssertUnwindSafe;

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, Variables};
use axum::http::StatusCode;
use futures_util::FutureExt;
use serde_json::Value;

use super::Shared;
use super::negotiate::Question;
use super::respond::{Answer, Refusal};
use crate::graphql;

/// Runs an operation.
pub(super) async fn execute(
    shared: &Shared,
    question: Question,
    document: ExecutableDocument,
) -> Result<Answer, Refusal> {
    let mut request =
        Request::new("").variables(Variables::from_json(Value::Object(question.variables)));
    request.operation_name = question.operation_name;
    request.set_parsed_query(document);
    let running = AssertUnwindSafe(graphql::execute(
        &shared.graph,
        &shared.database,
        shared.pages,
        request,
    ))
    .catch_unwind();
    match tokio::time::timeout(shared.request_timeout, running).await {
        Ok(Ok(response)) => Ok(Answer::from(response)),
        Ok(Err(_)) => Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_SERVER_ERROR",
            "something went wrong on our side",
        )),
        Err(_) => {
            let limit = shared.request_timeout.as_millis();
            Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "TIMEOUT",
                format!("the request took longer than {limit} ms (request-timeout)"),
            ))
        }
    }
}
