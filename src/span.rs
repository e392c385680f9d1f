//! Spans of a trace: one a request, one a statement, with the attributes of OpenTelemetry's semantic conventions. While
//! nobody collects them they cost a comparison.

use axum::http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::field::Empty;
use tracing::{Span, trace_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// What spans go by, for filters.
pub const TARGET: &str = "parlour::span";

/// The span of a request; part of the caller's trace when the headers name one (W3C Trace Context).
pub fn request(headers: &HeaderMap) -> Span {
    let span = trace_span!(
        target: TARGET,
        "request",
        otel.kind = "server",
        otel.status_code = Empty,
        error.r#type = Empty,
        http.response.status_code = Empty,
        graphql.operation.r#type = Empty,
        graphql.operation.name = Empty,
        parlour.request.id = Empty,
        parlour.caller = Empty,
    );
    if !span.is_disabled() {
        let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        // Fails only for a span that has been entered.
        span.set_parent(parent).ok();
    }
    span
}

/// Names a span after what its request turned out to be.
pub fn rename(span: &Span, name: &str) {
    span.context().span().update_name(name.to_owned());
}

/// The span of a statement: its text has no values in it.
pub fn statement(system: &'static str, text: &str) -> Span {
    let word = text.split_whitespace().next().unwrap_or_default();
    trace_span!(
        target: TARGET,
        "statement",
        otel.kind = "client",
        otel.name = word,
        otel.status_code = Empty,
        db.system.name = system,
        db.query.text = text,
        db.response.returned_rows = Empty,
    )
}
