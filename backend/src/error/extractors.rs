//! Errors of extractors as problems. What serde says may repeat input, so only the place and the
//! kind of a fault go out.

use actix_web::HttpRequest;
use actix_web::error::{
    Error, JsonPayloadError, PathError, PayloadError, QueryPayloadError, UrlencodedError,
};
use serde_json::error::Category;

use super::{ApiError, FieldError};

/// A JSON body that cannot be read.
pub fn json(error: JsonPayloadError, _: &HttpRequest) -> Error {
    let too_large = |limit: usize| ApiError::too_large("body", format!("at most {limit} bytes"));
    match error {
        JsonPayloadError::OverflowKnownLength { limit, .. }
        | JsonPayloadError::Overflow { limit } => too_large(limit),
        JsonPayloadError::ContentType => {
            ApiError::MediaType(FieldError::new("content-type", "must be application/json"))
        }
        JsonPayloadError::Deserialize(error) => deserialize(&error),
        JsonPayloadError::Payload(PayloadError::Overflow) => {
            ApiError::too_large("body", "longer than allowed")
        }
        // The type is open: whatever else there is could not be read either.
        _ => ApiError::malformed("body", "could not be read to its end"),
    }
    .into()
}

fn deserialize(error: &serde_json::Error) -> ApiError {
    match error.classify() {
        Category::Data => {
            let (field, cause) = data_fault(&error.to_string());
            ApiError::invalid(&field, cause)
        }
        Category::Syntax | Category::Eof | Category::Io => ApiError::malformed(
            "body",
            format!("is not JSON at line {}, column {}", error.line(), error.column()),
        ),
    }
}

/// Field and cause of what serde says, as far as it holds no input.
fn data_fault(said: &str) -> (String, String) {
    let quoted = |rest: &str| rest.split('`').nth(1).unwrap_or("body").to_owned();
    let place = said.rfind(" at line ").map_or("", |start| &said[start..]);
    if said.starts_with("missing field") {
        (quoted(said), "is missing".to_owned())
    } else if said.starts_with("unknown variant") {
        let known = said.split_once("expected").map_or("", |(_, rest)| rest);
        let known = known.strip_suffix(place).unwrap_or(known).trim();
        ("body".to_owned(), format!("an unknown word{place}; it must be {known}"))
    } else if said.starts_with("unknown field") {
        ("body".to_owned(), format!("an unknown field{place}"))
    } else if said.starts_with("duplicate field") {
        (quoted(said), "is given twice".to_owned())
    } else if let Some((_, expected)) = said.rsplit_once("expected ") {
        let expected = expected.strip_suffix(place).unwrap_or(expected);
        ("body".to_owned(), format!("a value of the wrong type{place}; expected {expected}"))
    } else {
        ("body".to_owned(), format!("a value that cannot be used{place}"))
    }
}

/// A path whose parts cannot be read.
pub fn path(_: PathError, _: &HttpRequest) -> Error {
    ApiError::malformed("path", "a part of the address cannot be read").into()
}

/// A query string that cannot be read.
pub fn query(error: QueryPayloadError, _: &HttpRequest) -> Error {
    let said = error.to_string();
    let field = if said.contains("missing field") {
        said.split('`').nth(1).unwrap_or("query").to_owned()
    } else {
        "query".to_owned()
    };
    ApiError::invalid(&field, "is missing or of the wrong type").into()
}

/// A form that cannot be read.
pub fn form(_: UrlencodedError, _: &HttpRequest) -> Error {
    ApiError::malformed("body", "the form cannot be read").into()
}
