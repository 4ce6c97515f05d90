//! `POST /users`

use actix_web::{HttpResponse, post};
use skiagraph_compliance::audit::Action;

use crate::audit::{Entry, role_words};
use crate::auth::{Admin, hash_password, one_time_password};
use crate::controllers::Refusals;
use crate::controllers::body::Body;
use crate::error::{ApiError, Problem};
use crate::models;
use crate::models::users::NewUser;
use crate::views::accounts::{CreateUser, NewPasswordView};

/// Makes a user with a one-time password, which is shown in this answer and never again.
#[utoipa::path(
    tag = "users",
    request_body = CreateUser,
    responses(
        (status = 201, description = "The user and the password", body = NewPasswordView),
        (status = 409, description = "The name is taken", body = Problem),
        Refusals,
    ),
)]
#[post("/users")]
pub(super) async fn create(
    access: Admin,
    body: Body<CreateUser>,
) -> Result<HttpResponse, ApiError> {
    let body = body.read().await?.check()?;
    let one_time_password = one_time_password()?;
    let password_hash = hash_password(one_time_password.clone()).await?;
    let change = access.change().await?;
    if models::users::by_name(change.db(), &body.username).await?.is_some() {
        return Err(ApiError::conflict("username", "is taken"));
    }
    let new = NewUser {
        username: &body.username,
        display_name: &body.display_name,
        password_hash,
        roles: &body.roles,
    };
    let user = models::users::insert(change.db(), new).await?;
    let entry = Entry::of(Action::UserCreated, "user", &user.row.id);
    change.commit(entry.detail("roles", role_words(&user.roles))).await?;
    Ok(HttpResponse::Created().json(NewPasswordView { user: user.into(), one_time_password }))
}
