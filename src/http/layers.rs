//! What goes around every route: compression, and other origins where they are let in.

use axum::Router;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::{HeaderValue, Method};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::idempotency::{KEY, REPLAYED};
use super::rate;

/// Answers shorter than this are sent as they are, in bytes: a packet holds them anyway.
const WORTH_COMPRESSING: u64 = 1_024;
/// How long a browser may remember what another origin is allowed, in seconds.
const REMEMBER: u64 = 600;

/// Puts the layers around routes. Without origins nobody else's pages are let in.
pub(super) fn around<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    origins: &[HeaderValue],
) -> Router<S> {
    let compression = CompressionLayer::new().compress_when(SizeAbove::new(WORTH_COMPRESSING));
    let routes = routes.layer(compression);
    if origins.is_empty() {
        return routes;
    }
    let from = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().cloned())
    };
    let request_id = HeaderName::from_static("x-request-id");
    let cost = HeaderName::from_static("x-graphql-cost");
    routes.layer(
        CorsLayer::new()
            .allow_origin(from)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([CONTENT_TYPE, AUTHORIZATION, request_id.clone(), cost, KEY])
            .expose_headers(
                [request_id, RETRY_AFTER, REPLAYED]
                    .into_iter()
                    .chain(rate::HEADERS)
                    .collect::<Vec<_>>(),
            )
            .max_age(std::time::Duration::from_secs(REMEMBER)),
    )
}
