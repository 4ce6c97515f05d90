//! What every guarded endpoint may answer beside its own answers.

use utoipa::IntoResponses;

use crate::error::Problem;

/// What every guarded endpoint may answer.
#[derive(Debug, IntoResponses)]
pub enum Refusals {
    /// No valid access token.
    #[response(status = 401)]
    Unauthenticated(#[to_schema] Problem),
    /// The user has none of the roles.
    #[response(status = 403)]
    Forbidden(#[to_schema] Problem),
    /// There is no such record, or not for this user.
    #[response(status = 404)]
    NotFound(#[to_schema] Problem),
    /// Fields cannot be used; `errors` names each with its cause.
    #[response(status = 422)]
    Invalid(#[to_schema] Problem),
}
