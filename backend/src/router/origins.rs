//! Viewers on other origins, which use DICOMweb from pages of their own (the Fetch standard's CORS).
//!
//! Only origins that the configuration names, only under `/dicom-web`, and never with cookies: a viewer
//! shows its bearer token.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use crate::state::AppState;

/// Seconds that a browser may remember an answer to its preflight.
const REMEMBERED: &str = "600";

pub(super) async fn share(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(origin) = allowed(&request) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        let answer = HttpResponse::NoContent()
            .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
            .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, "accept, authorization, content-type"))
            .insert_header((ACCESS_CONTROL_MAX_AGE, REMEMBERED))
            .finish();
        request.into_response(answer)
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    name(response.headers_mut(), origin);
    Ok(response)
}

/// The request's origin, where it may use DICOMweb.
fn allowed(request: &ServiceRequest) -> Option<HeaderValue> {
    if !request.path().starts_with("/dicom-web/") {
        return None;
    }
    let origin = request.headers().get(ORIGIN)?;
    let state = request.app_data::<web::Data<AppState>>()?;
    let known = &state.config.dicomweb_origins;
    known.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn name(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("warning"));
    headers.append(VARY, HeaderValue::from_static("origin"));
}
