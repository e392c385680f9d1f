//! The hand-written endpoint: axum, sqlx and serde, for the same answers.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;

use crate::bare::Pool;
use crate::shapes::answer::Answer;
use crate::shapes::by_hand;
use crate::shapes::task::Task;

/// Where it answers.
pub(crate) const PATH: &str = "/by-hand";

#[derive(Serialize)]
struct Body {
    data: Answer,
}

/// The one route.
pub(crate) fn routes(pool: Pool) -> Router {
    Router::new().route(PATH, post(respond)).with_state(pool)
}

async fn respond(State(pool): State<Pool>, body: Bytes) -> Response {
    let Ok(task) = serde_json::from_slice::<Task>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match by_hand::answer(&pool, &task).await {
        Ok(data) => (
            [(CONTENT_TYPE, "application/json")],
            serde_json::to_vec(&Body { data }).unwrap_or_default(),
        )
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
