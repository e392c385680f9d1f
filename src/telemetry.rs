//! The log: how it is set up, and the one line that each request leaves.

use std::io::IsTerminal;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use crate::db::tally::Figures;
use crate::error::{Error, Result};

/// Starts the log, on standard error.
pub fn start(filter: &str, format: LogFormat) -> Result<()> {
    let filter =
        EnvFilter::try_new(filter).map_err(|error| Error::bad_input("log", error.to_string()))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // A second start, as in tests, keeps the first log.
    started.ok();
    Ok(())
}

/// What is told of a request. Nothing personal: neither the document's text nor its variables.
#[derive(Debug)]
pub struct RequestLine<'a> {
    /// Request id.
    pub id: &'a str,
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
    /// Writes the line.
    pub fn log(&self) {
        let Self {
            id,
            operation_type,
            operation_name,
            status,
            errors,
            figures,
            duration,
        } = self;
        tracing::info!(
            request.id = id,
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
}

/// Milliseconds with three decimals.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
