//! The one error of the API, and the one map from it to HTTP (RFC 9457).

mod extractors;
mod problem;

#[cfg(test)]
mod tests;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};

pub use extractors::{form, json, path};
pub use problem::{FieldError, PROBLEM_JSON, Problem, from_status};

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is not of the form that the endpoint reads.
    #[error("{}: {}", .0.field, .0.cause)]
    Malformed(FieldError),
    /// There is no valid access token; the cause says what is wrong with what there is.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// The user has none of the roles that it takes.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The one-time password must be changed before anything else.
    #[error("the password must be changed first: POST /api/v1/auth/password")]
    PasswordChangeRequired,
    /// There is no such record, or not for this user.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// There is no such address.
    #[error("there is nothing at this address")]
    NoRoute,
    /// The address does not know the method; the methods that it knows.
    #[error("the address knows {0}")]
    NotAllowed(String),
    /// The record's state does not allow it.
    #[error("{}: {}", .0.field, .0.cause)]
    Conflict(FieldError),
    /// The request is larger than allowed.
    #[error("{}: {}", .0.field, .0.cause)]
    TooLarge(FieldError),
    /// The body's media type is not the one that the endpoint reads.
    #[error("{}: {}", .0.field, .0.cause)]
    MediaType(FieldError),
    /// None of the media types that the client reads is made here.
    #[error("{}: {}", .0.field, .0.cause)]
    NotAcceptable(FieldError),
    /// Fields of the request cannot be used. Never empty.
    #[error("{}", problem::sentence(.0))]
    Invalid(Vec<FieldError>),
    /// Too many tries; when the next one makes sense.
    #[error("too many tries; the next one in {seconds} seconds")]
    TooManyRequests {
        /// Seconds to wait.
        seconds: u64,
    },
    /// Something that the endpoint needs is not there now.
    #[error("{0}")]
    Unavailable(&'static str),
    /// Something below failed; the cause goes to the log alone.
    #[error("internal error")]
    Internal(String),
}

impl ApiError {
    /// One field that cannot be used.
    pub fn invalid(field: &str, cause: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, cause)])
    }

    /// A part of the request that cannot be read.
    pub fn malformed(field: &str, cause: impl Into<String>) -> Self {
        Self::Malformed(FieldError::new(field, cause))
    }

    /// A state that does not allow it.
    pub fn conflict(field: &str, cause: impl Into<String>) -> Self {
        Self::Conflict(FieldError::new(field, cause))
    }

    /// More than the limit.
    pub fn too_large(field: &str, cause: impl Into<String>) -> Self {
        Self::TooLarge(FieldError::new(field, cause))
    }

    /// Status, kind and title: the one map.
    fn map(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed(_) => {
                (StatusCode::BAD_REQUEST, "malformed", "The request is malformed")
            }
            Self::Unauthorized(_) => {
                (StatusCode::UNAUTHORIZED, "unauthorized", "A login is needed")
            }
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::PasswordChangeRequired => {
                (StatusCode::FORBIDDEN, "password-change-required", "The password must be changed")
            }
            Self::NotFound(_) | Self::NoRoute => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::NotAllowed(_) => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not allowed")
            }
            Self::Conflict(_) => {
                (StatusCode::CONFLICT, "conflict", "The record's state does not allow it")
            }
            Self::TooLarge(_) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large")
            }
            Self::MediaType(_) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "The media type is not read here",
            ),
            Self::NotAcceptable(_) => {
                (StatusCode::NOT_ACCEPTABLE, "not-acceptable", "No such media type is made here")
            }
            Self::Invalid(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Fields cannot be used")
            }
            Self::TooManyRequests { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many tries")
            }
            Self::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available now")
            }
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(errors) => errors.clone(),
            Self::Malformed(error)
            | Self::TooLarge(error)
            | Self::MediaType(error)
            | Self::NotAcceptable(error)
            | Self::Conflict(error) => vec![error.clone()],
            Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::PasswordChangeRequired
            | Self::NotFound(_)
            | Self::NoRoute
            | Self::NotAllowed(_)
            | Self::TooManyRequests { .. }
            | Self::Unavailable(_)
            | Self::Internal(_) => Vec::new(),
        }
    }

    /// The problem document; the router adds the occurrence.
    pub fn problem(&self) -> Problem {
        let (status, kind, title) = self.map();
        Problem::new(status, kind, title, self.to_string(), self.fields())
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.map().0
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((CONTENT_TYPE, PROBLEM_JSON));
        match self {
            Self::Internal(cause) => tracing::error!(%cause, "a request failed"),
            Self::Unauthorized(_) => {
                response.insert_header((WWW_AUTHENTICATE, "Bearer"));
            }
            Self::NotAllowed(methods) => {
                response.insert_header((ALLOW, methods.as_str()));
            }
            Self::TooManyRequests { seconds } => {
                response.insert_header((RETRY_AFTER, seconds.to_string()));
            }
            Self::Malformed(_)
            | Self::Forbidden(_)
            | Self::PasswordChangeRequired
            | Self::NotFound(_)
            | Self::NoRoute
            | Self::Conflict(_)
            | Self::TooLarge(_)
            | Self::MediaType(_)
            | Self::NotAcceptable(_)
            | Self::Invalid(_)
            | Self::Unavailable(_) => {}
        }
        response.body(self.problem().to_json())
    }
}

impl From<Vec<FieldError>> for ApiError {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::Invalid(errors)
    }
}

macro_rules! internal {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for ApiError {
            fn from(error: $error) -> Self {
                Self::Internal(error.to_string())
            }
        }
    )+};
}

internal!(
    sea_orm::DbErr,
    std::io::Error,
    actix_web::error::BlockingError,
    crate::storage::StorageError,
    crate::auth::PasswordError,
    crate::auth::TokenError,
    std::fmt::Error,
    skiagraph_compliance::audit::KeyError,
);
