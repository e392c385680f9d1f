//! What the server tells of itself: its log with one line a request, and traces for those who collect them.

mod otlp;

use std::io::IsTerminal;
use std::time::Duration;

use tracing::Span;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use crate::config::LogFormat;
use crate::db::query_stats::Figures;
use crate::error::{Error, Result};
use crate::span;
use otlp::Collector;

/// The log and the traces under way.
#[derive(Debug)]
pub struct Telemetry(Option<Collector>);

impl Telemetry {
    /// Starts the log, on standard error, and where a collector is named, the traces.
    pub fn start(filter: &str, format: LogFormat, otlp_endpoint: Option<&str>) -> Result<Self> {
        let filter = format!("{filter},{}=off", span::TARGET);
        let filter = EnvFilter::try_new(filter)
            .map_err(|error| Error::bad_input("log", error.to_string()))?;
        let log = fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal());
        let log = match format {
            LogFormat::Text => log.with_target(false).boxed(),
            LogFormat::Json => log.json().flatten_event(true).boxed(),
        };
        let collector = otlp_endpoint.map(Collector::at).transpose()?;
        // No layer where nobody collects: one that is absent would still have every span made.
        let traces = collector.as_ref().map(|one| one.layer().boxed());
        let layers: Vec<_> = std::iter::once(log.with_filter(filter).boxed())
            .chain(traces)
            .collect();
        let started = registry().with(layers).try_init();
        // A second start, as in tests, keeps the first log.
        if started.is_ok() {
            log_panics();
        }
        Ok(Self(collector))
    }

    /// Sends what has not been sent yet.
    pub async fn shut_down(self) {
        if let Some(collector) = self.0 {
            // Waits on a thread that may wait.
            tokio::task::spawn_blocking(move || collector.shut_down())
                .await
                .ok();
        }
    }
}

/// Makes a panic a line of the log. Its words are told when they stand in the program as they are; words that were put
/// together may quote data.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let words = panic.payload().downcast_ref::<&'static str>();
        let words = words.copied().unwrap_or("words that may quote data");
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place = place.as_deref(), words, "panic");
    }));
}

/// What is told of a request. Nothing personal: neither the document's text nor its variables.
#[derive(Debug)]
pub struct RequestLine<'a> {
    /// Request id.
    pub id: &'a str,
    /// The name of who asked; empty when nobody knows them.
    pub caller: &'a str,
    /// Why nobody knows them, when they were not let in for it.
    pub cause: Option<&'static str>,
    /// `query`, `mutation`, or empty when there was no valid document.
    pub operation_type: &'a str,
    /// Name of the operation.
    pub operation_name: &'a str,
    /// HTTP status.
    pub status: u16,
    /// Codes of the errors, each once.
    pub errors: &'a str,
    /// What it asked of the database.
    pub figures: Figures,
    /// From the first byte to the last.
    pub duration: Duration,
}

impl RequestLine<'_> {
    /// Writes the line, and the same into the request's span.
    pub fn log(&self) {
        self.trace(&Span::current());
        let Self {
            id,
            caller,
            cause,
            operation_type,
            operation_name,
            status,
            errors,
            figures,
            duration,
        } = self;
        tracing::info!(
            request.id = id,
            caller,
            cause,
            operation.r#type = operation_type,
            operation.name = operation_name,
            status,
            errors,
            statements = figures.statements,
            rows = figures.rows,
            db_ms = milliseconds(figures.waited),
            duration_ms = milliseconds(*duration),
            "request"
        );
    }

    fn trace(&self, span: &Span) {
        if span.is_disabled() {
            return;
        }
        let name = format!("{} {}", self.operation_type, self.operation_name);
        if !self.operation_type.is_empty() {
            span::rename(span, name.trim());
        }
        span.record("graphql.operation.type", self.operation_type);
        span.record("graphql.operation.name", self.operation_name);
        span.record("http.response.status_code", i64::from(self.status));
        span.record("parlour.request.id", self.id);
        if !self.caller.is_empty() {
            span.record("parlour.caller", self.caller);
        }
        if !self.errors.is_empty() {
            span.record("error.type", self.errors);
        }
        if self.status >= 500 {
            span.record("otel.status_code", "ERROR");
        }
    }
}

/// Milliseconds with three decimals.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
