//! Middleware around every route: the origin guard, compression and CORS.

use axum::Router;
use axum::http::Method;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::validate_request::ValidateRequestHeaderLayer;

use super::idempotency::{KEY, REPLAYED};
use super::negotiate::{COST, REQUEST_ID};
use super::{Server, origin_guard, rate};

/// Answers shorter than this are sent as they are, in bytes: a packet holds them anyway.
const WORTH_COMPRESSING: u64 = 1_024;
/// How long a browser may remember what another origin is allowed, in seconds.
const REMEMBER: u64 = 600;

/// Puts the layers around routes, in one go: the router pays for each time. Without origins nobody else's pages are let in.
pub(super) fn around(routes: Router<Server>, server: &Server) -> Router<Server> {
    let origins = &server.0.cors;
    let compression = CompressionLayer::new().compress_when(SizeAbove::new(WORTH_COMPRESSING));
    let local = ValidateRequestHeaderLayer::custom(origin_guard::Only(server.clone()));
    if origins.is_empty() {
        return routes.layer((compression, local));
    }
    let from = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().cloned())
    };
    let cors = CorsLayer::new()
        .allow_origin(from)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([CONTENT_TYPE, AUTHORIZATION, REQUEST_ID, COST, KEY])
        .expose_headers(
            [REQUEST_ID, RETRY_AFTER, REPLAYED]
                .into_iter()
                .chain(rate::HEADERS)
                .collect::<Vec<_>>(),
        )
        .max_age(std::time::Duration::from_secs(REMEMBER));
    routes.layer((cors, compression, local))
}
