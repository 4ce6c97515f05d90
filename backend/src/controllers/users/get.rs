//! `GET /users/{id}`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::Admin;
use crate::controllers::Refusals;
use crate::error::ApiError;
use crate::models;
use crate::views::accounts::UserView;

/// A user.
#[utoipa::path(
    tag = "users",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The user", body = UserView), Refusals),
)]
#[get("/users/{id}")]
pub(super) async fn get(
    access: Admin,
    id: web::Path<String>,
) -> Result<web::Json<UserView>, ApiError> {
    let records = access.read(Entry::of(Action::UserRead, "user", &id)).await?;
    let user = models::users::get(records.db(), &id).await?.ok_or(ApiError::NotFound("user"))?;
    Ok(web::Json(user.into()))
}
