//! Whether the process lives, and whether it can answer.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;

use super::Server;

/// The process answers.
pub(super) async fn live() -> &'static str {
    "live\n"
}

/// The database answers too, and nobody has asked us to stop.
pub(super) async fn ready(State(server): State<Server>) -> (StatusCode, &'static str) {
    if server.0.draining.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    match tokio::time::timeout(
        std::time::Duration::from_secs(2),
        server.0.services.database.reader.ping(),
    )
    .await
    {
        Ok(Ok(())) => (StatusCode::OK, "ready\n"),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer\n",
        ),
    }
}
