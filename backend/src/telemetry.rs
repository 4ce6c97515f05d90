//! Logs, traces and metrics of the process. None of them holds patient data: requests go by their
//! route's pattern, never by path or query.

use std::io::IsTerminal;

use opentelemetry::global;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::Config;

/// The service's name at a collector.
const SERVICE: &str = "skiagraph";

/// Sends what is left when the process ends.
#[derive(Debug, Default)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

/// Begins to log, and to send traces and metrics where the settings name a collector.
///
/// # Errors
/// When the log filter or the collector's URL cannot be read.
pub fn start(config: &Config) -> anyhow::Result<Telemetry> {
    let filter = EnvFilter::try_new(&config.log)?;
    let lines = if config.log_json {
        fmt::layer().json().with_span_list(false).with_writer(std::io::stderr).boxed()
    } else {
        fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    let telemetry = match &config.otlp_endpoint {
        Some(endpoint) => collector(endpoint.trim_end_matches('/'))?,
        None => Telemetry::default(),
    };
    let spans = telemetry
        .traces
        .as_ref()
        .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer(SERVICE)));
    tracing_subscriber::registry().with(filter).with(lines).with(spans).try_init()?;
    Ok(telemetry)
}

fn collector(endpoint: &str) -> anyhow::Result<Telemetry> {
    let resource = Resource::builder().with_service_name(SERVICE).build();
    let spans = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .build()?;
    let traces = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(spans)
        .build();
    let numbers = MetricExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{endpoint}/v1/metrics"))
        .build()?;
    let metrics =
        SdkMeterProvider::builder().with_resource(resource).with_periodic_exporter(numbers).build();
    global::set_tracer_provider(traces.clone());
    global::set_meter_provider(metrics.clone());
    Ok(Telemetry { traces: Some(traces), metrics: Some(metrics) })
}

impl Telemetry {
    /// Sends what is left; a collector that does not answer is no reason to fail.
    pub fn end(self) {
        let traces = self.traces.map(|provider| provider.shutdown());
        let metrics = self.metrics.map(|provider| provider.shutdown());
        for ended in [traces, metrics].into_iter().flatten() {
            if let Err(error) = ended {
                tracing::warn!(%error, "the last traces or metrics could not be sent");
            }
        }
    }
}
