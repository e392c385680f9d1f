//! Who asks, before anything else of a request is looked at.

use std::sync::Arc;

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};

use super::AppState;
use super::respond::Refusal;
use crate::authentication::{Authentication, Cause};
use crate::caller::Principal;

/// Who sent a request with these headers.
pub(super) async fn principal(
    shared: &AppState,
    headers: &HeaderMap,
) -> Result<Arc<Principal>, Refusal> {
    if let Authentication::Open(anyone) = &shared.authentication {
        return Ok(anyone.clone());
    }
    let asking = shared.authentication.principal(headers);
    tokio::time::timeout(shared.limits.request_timeout, asking)
        .await
        .unwrap_or(Err(Cause::Unavailable))
        .map_err(refusal)
}

/// The same words for every cause: whoever tries tokens out learns nothing from them.
fn refusal(cause: Cause) -> Refusal {
    let refusal = if cause == Cause::Unavailable {
        let message = "Authentication is not available right now; try again";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message)
            .header(RETRY_AFTER, "1")
    } else {
        let message =
            "Authentication required: send `Authorization: Bearer <token>` with a valid token";
        let challenge = match cause {
            Cause::Missing => "Bearer realm=\"parlour\"",
            _ => "Bearer realm=\"parlour\", error=\"invalid_token\"",
        };
        Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
            .header(WWW_AUTHENTICATE, challenge)
    };
    refusal.cause(cause)
}
