//! Problem documents (RFC 9457).

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Begins the `type` of every problem. A name, not an address to fetch.
const KINDS: &str = "https://skiagraph.example/problems/";

/// A field of a request, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field, for example `prompt.findings` or `files[3]`.
    pub field: String,
    /// The cause; it repeats no input.
    pub cause: String,
}

impl FieldError {
    /// A field and what is wrong with it.
    pub fn new(field: &str, cause: impl Into<String>) -> Self {
        Self { field: field.to_owned(), cause: cause.into() }
    }
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is; only its last part matters.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This occurrence in words.
    pub detail: String,
    /// This occurrence: the request's number, which is in the log as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The fields that are at fault.
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// A document.
    pub fn new(
        status: StatusCode,
        kind: &str,
        title: &str,
        detail: String,
        errors: Vec<FieldError>,
    ) -> Self {
        Self {
            kind: format!("{KINDS}{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail,
            instance: None,
            errors,
        }
    }

    /// The document's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The document of a status that the server answered by itself, before any handler.
pub fn from_status(status: StatusCode) -> Problem {
    let title = status.canonical_reason().unwrap_or("The request failed");
    let kind = title.to_ascii_lowercase().replace(' ', "-");
    Problem::new(status, &kind, title, "the request could not be read".to_owned(), Vec::new())
}

/// Every fault in one sentence.
pub(super) fn sentence(errors: &[FieldError]) -> String {
    let each: Vec<_> =
        errors.iter().map(|error| format!("{}: {}", error.field, error.cause)).collect();
    each.join("; ")
}
