//! `POST /auth/login`

use actix_web::{HttpRequest, HttpResponse, post, web};

use super::cookie;
use crate::auth;
use crate::controllers::body::Body;
use crate::error::{ApiError, Problem};
use crate::state::AppState;
use crate::views::accounts::{LoginRequest, SessionView};

/// Begins a session.
#[utoipa::path(
    tag = "auth",
    request_body = LoginRequest,
    security(()),
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 401, description = "The name or the password is wrong", body = Problem),
        (status = 422, description = "Fields cannot be used", body = Problem),
        (status = 429, description = "Too many tries; see Retry-After", body = Problem),
    ),
)]
#[post("/auth/login")]
pub(super) async fn login(
    state: web::Data<AppState>,
    request: HttpRequest,
    body: Body<LoginRequest>,
) -> Result<HttpResponse, ApiError> {
    let body = body.read().await?;
    body.check()?;
    let source = auth::source_address(&request, state.config.trust_proxy);
    let session = auth::login(&state, source, &body.username, body.password).await?;
    Ok(cookie::answer(&state.config, session))
}
