//! `POST /auth/refresh`

use actix_web::{HttpRequest, HttpResponse, ResponseError, post, web};

use super::cookie;
use crate::auth;
use crate::controllers::body::Body;
use crate::error::{ApiError, Problem};
use crate::state::AppState;
use crate::views::accounts::{RefreshRequest, SessionView};

/// Renews a session with its refresh token, from the body or the cookie. The token works once; a
/// second use ends the session.
#[utoipa::path(
    tag = "auth",
    request_body = Option<RefreshRequest>,
    security(()),
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 401, description = "The session has ended", body = Problem),
    ),
)]
#[post("/auth/refresh")]
pub(super) async fn refresh(
    state: web::Data<AppState>,
    request: HttpRequest,
    body: Body<RefreshRequest>,
) -> Result<HttpResponse, ApiError> {
    let source = auth::source_address(&request, state.config.trust_proxy);
    let cookie = || request.cookie(cookie::NAME).map(|cookie| cookie.value().to_owned());
    let token = body.read_if_any().await?.and_then(|body| body.refresh_token).or_else(cookie);
    let token = token.filter(|token| !token.is_empty());
    let token = token.ok_or(ApiError::Unauthorized("there is no refresh token"))?;
    match auth::refresh(&state, source, &token).await {
        Ok(session) => Ok(cookie::answer(&state.config, session)),
        // A browser need not keep a token that is good for nothing.
        Err(error @ ApiError::Unauthorized(_)) => {
            let mut response = error.error_response();
            let removal = cookie::removal(&state.config);
            response.add_cookie(&removal).map_err(|error| ApiError::Internal(error.to_string()))?;
            Ok(response)
        }
        Err(error) => Err(error),
    }
}
