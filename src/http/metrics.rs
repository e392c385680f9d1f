//! `/metrics`: what the server has done, for Prometheus. Label values are few: words of ours, and the names of operations up to a limit.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Server, authenticate, refuse_outside};
use crate::telemetry::RequestLine;

/// Names of operations that have figures of their own; all others are `other` together.
const MAX_NAMES: usize = 200;

/// The figures.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    names: Mutex<HashSet<String>>,
    requests: Family<Request, Counter>,
    errors: Family<Code, Counter>,
    refusals: Family<Limit, Counter>,
    unauthenticated: Family<Why, Counter>,
    duration: Family<Operation, Histogram>,
    statements: Family<Operation, Histogram>,
    rows: Family<Operation, Histogram>,
    waited: Family<Operation, Histogram>,
    documents: Family<Found, Counter>,
    kept_or_not: [Counter; 2],
    pub(super) panics: Counter,
    pub(super) in_flight: Gauge,
    kept_documents: Gauge,
    kept_bytes: Gauge,
    connections: Family<Pool, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    operation: String,
    kind: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Limit {
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    cause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Found {
    kept: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pool {
    pool: &'static str,
    state: &'static str,
}

/// The figures of one operation: found once by its name, and then at hand.
#[derive(Debug)]
pub(super) struct Series {
    operation: String,
    kind: String,
    /// Requests that were answered with 200.
    fine: OnceLock<Counter>,
    duration: Histogram,
    statements: Histogram,
    rows: Histogram,
    waited: Histogram,
}

/// Counts refusals of one kind.
#[derive(Debug)]
pub(super) struct Refused([Counter; 3]);

impl Refused {
    /// Counts one.
    pub(super) fn inc(&self) {
        for counter in &self.0 {
            counter.inc();
        }
    }
}

/// From a tenth of a millisecond to ten seconds.
fn seconds() -> Histogram {
    Histogram::new([
        0.0001, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0,
    ])
}

fn counts() -> Histogram {
    Histogram::new([0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0])
}

fn many() -> Histogram {
    Histogram::new([0.0, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5])
}

impl Default for Metrics {
    fn default() -> Self {
        let documents = Family::default();
        let kept_or_not = ["yes", "no"];
        let mut metrics = Self {
            kept_or_not: kept_or_not.map(|kept| documents.get_or_create_owned(&Found { kept })),
            registry: Registry::with_prefix("parlour"),
            names: Mutex::default(),
            requests: Family::default(),
            errors: Family::default(),
            refusals: Family::default(),
            unauthenticated: Family::default(),
            duration: Family::new_with_constructor(seconds),
            statements: Family::new_with_constructor(counts),
            rows: Family::new_with_constructor(many),
            waited: Family::new_with_constructor(seconds),
            documents,
            panics: Counter::default(),
            in_flight: Gauge::default(),
            kept_documents: Gauge::default(),
            kept_bytes: Gauge::default(),
            connections: Family::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let to = &mut self.registry;
        to.register("requests", "Requests to the graph", self.requests.clone());
        to.register("errors", "Errors in answers, by code", self.errors.clone());
        to.register(
            "refusals",
            "Requests refused, by limit",
            self.refusals.clone(),
        );
        to.register(
            "unauthenticated",
            "Requests of which nobody knows who sent them, by cause",
            self.unauthenticated.clone(),
        );
        to.register(
            "request_duration_seconds",
            "From the first byte to the last",
            self.duration.clone(),
        );
        to.register(
            "request_statements",
            "Statements sent for a request",
            self.statements.clone(),
        );
        to.register("request_rows", "Rows read for a request", self.rows.clone());
        to.register(
            "request_database_seconds",
            "Time spent waiting for the database",
            self.waited.clone(),
        );
        to.register(
            "documents",
            "Documents asked for, by whether they were kept",
            self.documents.clone(),
        );
        to.register(
            "panics",
            "Requests that ended in a panic",
            self.panics.clone(),
        );
        to.register(
            "requests_in_flight",
            "Requests being answered",
            self.in_flight.clone(),
        );
        to.register(
            "document_cache_entries",
            "Documents kept",
            self.kept_documents.clone(),
        );
        to.register(
            "document_cache_bytes",
            "Their weight",
            self.kept_bytes.clone(),
        );
        to.register(
            "pool_connections",
            "Connections to the database",
            self.connections.clone(),
        );
    }

    /// Counts a request that has been answered. What is kept of its operation is found there again.
    pub(super) fn answered(
        &self,
        line: &RequestLine<'_>,
        limit: Option<&'static str>,
        kept: &OnceLock<Series>,
    ) {
        let series =
            kept.get_or_init(|| self.series(line.operation_name, line.operation_type.to_owned()));
        if line.status == StatusCode::OK {
            let fine = || self.request(series, line.status);
            series.fine.get_or_init(fine).inc();
        } else {
            self.request(series, line.status).inc();
        }
        for code in line.errors.split(',').filter(|code| !code.is_empty()) {
            let code = code.to_owned();
            self.errors.get_or_create(&Code { code }).inc();
        }
        if let Some(limit) = limit {
            self.refusals.get_or_create(&Limit { limit }).inc();
        }
        if let Some(cause) = line.cause {
            self.unauthenticated.get_or_create(&Why { cause }).inc();
        }
        let figures = &line.figures;
        series.duration.observe(line.duration.as_secs_f64());
        series.waited.observe(figures.waited.as_secs_f64());
        series.statements.observe(float(figures.statements));
        series.rows.observe(float(figures.rows));
    }

    fn series(&self, name: &str, kind: String) -> Series {
        let operation = self.name(name);
        let by = Operation {
            operation: operation.clone(),
        };
        Series {
            operation,
            kind,
            fine: OnceLock::new(),
            duration: self.duration.get_or_create_owned(&by),
            statements: self.statements.get_or_create_owned(&by),
            rows: self.rows.get_or_create_owned(&by),
            waited: self.waited.get_or_create_owned(&by),
        }
    }

    fn request(&self, series: &Series, status: u16) -> Counter {
        self.requests.get_or_create_owned(&Request {
            operation: series.operation.clone(),
            kind: series.kind.clone(),
            status,
        })
    }

    /// Counters of requests that are refused before anything is known of them.
    pub(super) fn refused(&self, status: StatusCode, code: &str, limit: &'static str) -> Refused {
        let request = Request {
            operation: String::new(),
            kind: String::new(),
            status: status.as_u16(),
        };
        let code = Code {
            code: code.to_owned(),
        };
        Refused([
            self.requests.get_or_create_owned(&request),
            self.errors.get_or_create_owned(&code),
            self.refusals.get_or_create_owned(&Limit { limit }),
        ])
    }

    /// Counts a document that was kept, or was not.
    pub(super) fn document(&self, kept: bool) {
        let [yes, no] = &self.kept_or_not;
        if kept { yes } else { no }.inc();
    }

    /// The name of an operation, as long as there are not too many of them.
    fn name(&self, name: &str) -> String {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.contains(name) {
            return name.to_owned();
        }
        if names.len() >= MAX_NAMES {
            return "other".to_owned();
        }
        names.insert(name.to_owned());
        name.to_owned()
    }
}

/// A count as the number that Prometheus keeps.
fn float(count: u64) -> f64 {
    Duration::from_secs(count).as_secs_f64()
}

/// The figures as text, for whoever is let in, unless they are for everybody.
pub(super) async fn show(State(server): State<Server>, headers: HeaderMap) -> Response {
    let shared = &server.0;
    if !shared.open_metrics
        && let Err(refusal) = authenticate::principal(shared, &headers).await
    {
        return refuse_outside(shared, &headers, refusal);
    }
    let metrics = &shared.metrics;
    let (documents, bytes) = shared.documents.kept();
    metrics
        .kept_documents
        .set(i64::try_from(documents).unwrap_or(i64::MAX));
    metrics
        .kept_bytes
        .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    for (pool, open, idle) in shared.services.database.connections() {
        for (state, count) in [
            ("open", i64::from(open)),
            ("idle", i64::try_from(idle).unwrap_or(i64::MAX)),
        ] {
            let gauge = metrics.connections.get_or_create(&Pool { pool, state });
            gauge.set(count);
        }
    }
    let mut text = String::new();
    encode(&mut text, &metrics.registry).ok();
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], text).into_response()
}
