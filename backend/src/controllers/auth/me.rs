//! `GET /auth/me`

use actix_web::{get, web};

use crate::auth::SignedIn;
use crate::controllers::Refusals;
use crate::views::accounts::UserView;

/// Who asks.
#[utoipa::path(tag = "auth", responses((status = 200, description = "You", body = UserView), Refusals))]
#[get("/auth/me")]
pub(super) async fn me(access: SignedIn) -> web::Json<UserView> {
    web::Json(access.user().into())
}
