//! What can be wrong with an upload.

use crate::error::{ApiError, FieldError};

/// One thing that is wrong: where, and why. Free of file names and attribute values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The place, for example `files[0]/entry 12`.
    pub field: String,
    /// The cause, as a sentence without its full stop.
    pub cause: String,
}

impl Fault {
    /// A fault at a place.
    pub fn new(field: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { field: field.into(), cause: cause.into() }
    }
}

/// Why an upload is not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// More than the limits allow: HTTP 413.
    #[error("{}: {}", .0.field, .0.cause)]
    TooLarge(Fault),
    /// Not a `multipart/form-data` body as RFC 7578 has it: HTTP 400.
    #[error("{}: {}", .0.field, .0.cause)]
    Malformed(Fault),
    /// Well-formed, with content that is refused: HTTP 422. Never empty.
    #[error("{} files are refused", .0.len())]
    Refused(Vec<Fault>),
    /// The scratch folder failed: HTTP 500.
    #[error("the scratch folder failed: {0}")]
    Io(#[from] std::io::Error),
}

impl IntakeError {
    pub(super) fn too_large(field: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::TooLarge(Fault::new(field, cause))
    }

    pub(super) fn malformed(field: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::Malformed(Fault::new(field, cause))
    }
}

impl From<Fault> for FieldError {
    fn from(fault: Fault) -> Self {
        Self { field: fault.field, cause: fault.cause }
    }
}

impl From<IntakeError> for ApiError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::TooLarge(fault) => Self::TooLarge(fault.into()),
            IntakeError::Malformed(fault) => Self::Malformed(fault.into()),
            IntakeError::Refused(faults) => {
                Self::Invalid(faults.into_iter().map(Into::into).collect())
            }
            IntakeError::Io(_) => Self::Internal(error.to_string()),
        }
    }
}
