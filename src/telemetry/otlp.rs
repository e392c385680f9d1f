//! Traces by OTLP over HTTP, to a collector.

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::error::{Error, Result};
use crate::span;

/// What sends spans to a collector, in batches and beside the requests.
#[derive(Debug)]
pub(super) struct Collector(SdkTracerProvider);

impl Collector {
    /// A collector at `http://host:4318` or `https://…`, without the path that OTLP adds.
    pub(super) fn at(endpoint: &str) -> Result<Self> {
        if !(endpoint.starts_with("http://") || endpoint.starts_with("https://")) {
            return Err(Error::bad_input(
                "otlp-endpoint",
                format!("is `{endpoint}`, and must start with http:// or https://"),
            ));
        }
        // A second installation, as in tests, keeps the first.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()
            .map_err(|error| Error::bad_input("otlp-endpoint", error.to_string()))?;
        let resource = Resource::builder();
        // Whoever runs it may have another name for it.
        let resource = match std::env::var_os("OTEL_SERVICE_NAME") {
            Some(_) => resource,
            None => resource.with_service_name("parlour"),
        };
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Self(provider))
    }

    /// Hands the spans over that end.
    pub(super) fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> impl Layer<S> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("parlour"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(span::TARGET, LevelFilter::TRACE))
    }

    /// Sends what is left. Waits for the collector.
    pub(super) fn shut_down(&self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "some spans did not reach the collector");
        }
    }
}
