//! The refresh token as a cookie: pages cannot read it, and other sites cannot make it be sent.

use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

use crate::auth::Session;
use crate::config::Config;
use crate::views::accounts::SessionView;

/// The cookie's name.
pub(super) const NAME: &str = "skiagraph_refresh";
/// It is sent to the endpoints of sessions alone.
const PATH: &str = "/api/v1/auth";

/// A session as an answer, its refresh token in the body and in the cookie.
pub(super) fn answer(config: &Config, session: Session) -> HttpResponse {
    let cookie = cookie(config, session.refresh_token.clone())
        .max_age(Duration::days(i64::from(config.session_days)))
        .finish();
    HttpResponse::Ok().cookie(cookie).json(SessionView {
        access_token: session.access_token,
        token_type: "Bearer",
        expires_in: config.access_token_seconds,
        refresh_token: session.refresh_token,
        user: session.user.into(),
    })
}

/// The cookie that removes the cookie.
pub(super) fn removal(config: &Config) -> Cookie<'static> {
    cookie(config, String::new()).max_age(Duration::ZERO).finish()
}

fn cookie(config: &Config, value: String) -> actix_web::cookie::CookieBuilder<'static> {
    Cookie::build(NAME, value)
        .path(PATH)
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(config.secure_cookies)
}
