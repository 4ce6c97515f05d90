//! Errors of the framework's extractors as problems. What serde says may repeat input, so none of it
//! goes out. JSON bodies and query strings have extractors of their own, which name
//! fields: `controllers::{body, query}`.

use actix_web::HttpRequest;
use actix_web::error::{Error, JsonPayloadError, PathError, PayloadError, UrlencodedError};

use super::{ApiError, FieldError};

/// A JSON body that cannot be read by the framework's own extractor.
pub fn json(error: JsonPayloadError, _: &HttpRequest) -> Error {
    let too_large = |limit: usize| ApiError::too_large("body", format!("at most {limit} bytes"));
    match error {
        JsonPayloadError::OverflowKnownLength { limit, .. }
        | JsonPayloadError::Overflow { limit } => too_large(limit),
        JsonPayloadError::ContentType => {
            ApiError::MediaType(FieldError::new("content-type", "must be application/json"))
        }
        JsonPayloadError::Payload(PayloadError::Overflow) => {
            ApiError::too_large("body", "longer than allowed")
        }
        // The type is open: whatever else there is could not be read either.
        _ => ApiError::malformed("body", "is not the JSON that the endpoint reads"),
    }
    .into()
}

/// A path whose parts cannot be read.
pub fn path(_: PathError, _: &HttpRequest) -> Error {
    ApiError::malformed("path", "a part of the address cannot be read").into()
}

/// A form that cannot be read.
pub fn form(_: UrlencodedError, _: &HttpRequest) -> Error {
    ApiError::malformed("body", "the form cannot be read").into()
}
