//! `POST /auth/logout`

use actix_web::{HttpResponse, post};

use super::cookie;
use crate::auth::{self, SignedIn};
use crate::controllers::Refusals;
use crate::error::ApiError;

/// Ends the session: its access and refresh tokens are good for nothing from now on.
#[utoipa::path(tag = "auth", responses((status = 204, description = "It has ended"), Refusals))]
#[post("/auth/logout")]
pub(super) async fn logout(access: SignedIn) -> Result<HttpResponse, ApiError> {
    auth::logout(&access).await?;
    Ok(HttpResponse::NoContent().cookie(cookie::removal(&access.state().config)).finish())
}
