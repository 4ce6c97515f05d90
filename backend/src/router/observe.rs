//! Gives every request a number, a span and its place in the metrics, and every problem its
//! occurrence.

use std::sync::LazyLock;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};
use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{KeyValue, global};
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use crate::error::{ApiError, PROBLEM_JSON, from_status};

/// Names of OpenTelemetry's semantic conventions for HTTP.
static REQUESTS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("skiagraph")
        .u64_counter("http.server.requests")
        .with_description("Requests that were answered")
        .build()
});
static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    global::meter("skiagraph")
        .f64_histogram("http.server.request.duration")
        .with_unit("s")
        .with_description("Time from a request's head to its answer's head")
        .build()
});

pub(super) async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let number = format!("urn:uuid:{}", Uuid::now_v7());
    let method = request.method().as_str().to_owned();
    let span = info_span!(
        "request",
        otel.kind = "server",
        number,
        http.request.method = method,
        http.route = Empty,
        http.response.status_code = Empty,
    );
    let response = next.call(request).instrument(span.clone()).await?.map_into_boxed_body();
    let response = name_occurrence(response, &number);
    note(&span, &method, &response, began);
    Ok(response)
}

fn note(span: &Span, method: &str, response: &ServiceResponse, began: Instant) {
    let status = response.status().as_u16();
    // The pattern, never the path: an identifier is nobody's business here.
    let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    // A span that runs takes a new name only so.
    span.context().span().update_name(format!("{method} {route}"));
    span.record("http.route", &route);
    span.record("http.response.status_code", status);
    let seconds = began.elapsed().as_secs_f64();
    span.in_scope(|| tracing::info!(seconds, "answered"));
    let labels = [
        KeyValue::new("http.request.method", method.to_owned()),
        KeyValue::new("http.route", route),
        KeyValue::new("http.response.status_code", i64::from(status)),
    ];
    REQUESTS.add(1, &labels);
    DURATION.record(seconds, &labels);
}

/// Puts the request's number into a problem, and makes a problem of what the server refused by
/// itself.
fn name_occurrence(response: ServiceResponse, number: &str) -> ServiceResponse {
    let Some(error) = response.response().error() else { return response };
    let mut problem = match error.as_error::<ApiError>() {
        Some(error) => error.problem(),
        None => from_status(response.status()),
    };
    problem.instance = Some(number.to_owned());
    let (request, response) = response.into_parts();
    let mut response: HttpResponse = response.set_body(BoxBody::new(problem.to_json()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    ServiceResponse::new(request, response)
}
