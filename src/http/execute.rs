//! Step four: the answer, in time, whatever happens inside.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::FutureExt;

use super::AppState;
use super::negotiate::Variables;
use super::operation::Operation;
use super::respond::{Answer, Refusal};
use crate::graphql;

/// Runs an operation of a document that has been checked.
pub(super) async fn execute(
    shared: &AppState,
    operation: &Operation,
    variables: Variables,
    caller: &super::Caller<'_>,
    once: Option<Arc<graphql::Once>>,
) -> Result<Answer, Refusal> {
    let name = Some(operation.name()).filter(|name| !name.is_empty());
    // Its state is large, and connections that wait for a request need none of it.
    let answering = AssertUnwindSafe(Box::pin(graphql::execute(
        &shared.graph,
        &shared.services,
        crate::caller::Caller {
            principal: caller.principal.clone(),
            request_id: caller.id.to_owned(),
            operation: name.map(str::to_owned),
        },
        once,
        &operation.executable,
        variables,
    )))
    .catch_unwind();
    // Whoever waits for a turn in vain has waited for the whole of their time.
    let running = async {
        let _turn = shared.execution_permits.acquire().await;
        answering.await
    };
    let timeout = shared.limits.request_timeout;
    match tokio::time::timeout(timeout, running).await {
        Ok(Ok(response)) => Ok(Answer::from(response)),
        Ok(Err(_)) => {
            shared.metrics.panics.inc();
            Err(Refusal::internal())
        }
        Err(_) => Err(too_slow(timeout)),
    }
}

/// The refusal of a request that has had its time.
pub(super) fn too_slow(timeout: Duration) -> Refusal {
    let limit = timeout.as_millis();
    let message = format!("the request took longer than {limit} ms (request-timeout)");
    let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "TIMEOUT", message);
    refusal.limit("request-timeout", u64::try_from(limit).unwrap_or(u64::MAX))
}
