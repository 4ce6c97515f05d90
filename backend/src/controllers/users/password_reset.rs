//! `POST /users/{id}/password-reset`

use actix_web::{post, web};
use chrono::Utc;
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::{Admin, hash_password, one_time_password};
use crate::controllers::Refusals;
use crate::error::ApiError;
use crate::models;
use crate::models::users::Changes;
use crate::views::accounts::NewPasswordView;

/// Gives a user a new one-time password and ends their sessions.
#[utoipa::path(
    tag = "users",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The user and the password", body = NewPasswordView), Refusals),
)]
#[post("/users/{id}/password-reset")]
pub(super) async fn password_reset(
    access: Admin,
    id: web::Path<String>,
) -> Result<web::Json<NewPasswordView>, ApiError> {
    let one_time_password = one_time_password()?;
    let hash = hash_password(one_time_password.clone()).await?;
    let change = access.change().await?;
    models::users::get(change.db(), &id).await?.ok_or(ApiError::NotFound("user"))?;
    let changes = Changes { password: Some((hash, true)), ..Changes::default() };
    models::users::change(change.db(), &id, changes).await?;
    models::sessions::revoke_user(change.db(), &id, Utc::now()).await?;
    let user = models::users::get(change.db(), &id).await?.ok_or(ApiError::NotFound("user"))?;
    let entry = Entry::of(Action::UserChanged, "user", &id).detail("changed", "password reset");
    change.commit(entry).await?;
    Ok(web::Json(NewPasswordView { user: user.into(), one_time_password }))
}
