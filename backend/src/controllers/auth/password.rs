//! `POST /auth/password`

use actix_web::{HttpResponse, post};

use super::cookie;
use crate::auth::{self, SignedIn};
use crate::controllers::Refusals;
use crate::controllers::body::Body;
use crate::error::{ApiError, Problem};
use crate::views::accounts::PasswordRequest;

/// Changes one's own password, and ends all one's sessions: log in anew.
#[utoipa::path(
    tag = "auth",
    request_body = PasswordRequest,
    responses(
        (status = 204, description = "It is changed"),
        (status = 429, description = "Too many tries; see Retry-After", body = Problem),
        Refusals,
    ),
)]
#[post("/auth/password")]
pub(super) async fn password(
    access: SignedIn,
    body: Body<PasswordRequest>,
) -> Result<HttpResponse, ApiError> {
    let body = body.read().await?;
    auth::change_password(&access, body.current_password, body.new_password).await?;
    Ok(HttpResponse::NoContent().cookie(cookie::removal(&access.state().config)).finish())
}
