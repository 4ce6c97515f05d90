//! `PATCH /users/{id}`

use actix_web::{patch, web};
use chrono::Utc;
use skiagraph_compliance::audit::Action;

use crate::audit::{Change, Entry, role_words};
use crate::auth::Admin;
use crate::controllers::Refusals;
use crate::controllers::body::Body;
use crate::error::{ApiError, Problem};
use crate::models;
use crate::models::users::Changes;
use crate::views::accounts::{ChangeUser, UserView};

/// Changes a user. Who is disabled has no session from now on; roles count from the next request.
#[utoipa::path(
    tag = "users",
    params(("id" = String, Path, description = "Identifier")),
    request_body = ChangeUser,
    responses(
        (status = 200, description = "The user", body = UserView),
        (status = 409, description = "Nobody would be left to manage users", body = Problem),
        Refusals,
    ),
)]
#[patch("/users/{id}")]
pub(super) async fn change(
    access: Admin,
    id: web::Path<String>,
    body: Body<ChangeUser>,
) -> Result<web::Json<UserView>, ApiError> {
    let body = body.read().await?.check()?;
    let change = access.change().await?;
    let before = models::users::get(change.db(), &id).await?.ok_or(ApiError::NotFound("user"))?;
    let mut changed: Vec<&str> = Vec::new();
    if body.display_name.is_some() {
        changed.push("display_name");
    }
    if let Some(disabled) = body.disabled {
        changed.push(if disabled { "disabled" } else { "enabled" });
    }
    let roles = body.roles.clone();
    let changes = Changes {
        display_name: body.display_name,
        disabled: body.disabled,
        roles: body.roles,
        ..Changes::default()
    };
    models::users::change(change.db(), &id, changes).await?;
    if body.disabled == Some(true) {
        models::sessions::revoke_user(change.db(), &id, Utc::now()).await?;
    }
    refuse_without_administrator(&change, roles.is_some(), body.disabled).await?;
    let after = models::users::get(change.db(), &id).await?.ok_or(ApiError::NotFound("user"))?;
    if roles.is_some() {
        let entry = Entry::of(Action::RolesChanged, "user", &id)
            .detail("from", role_words(&before.roles))
            .detail("to", role_words(&after.roles));
        change.note(entry).await?;
    }
    change.commit(Entry::of(Action::UserChanged, "user", &id).detail("changed", changed)).await?;
    Ok(web::Json(after.into()))
}

/// The last administrator cannot be disabled or made something else.
async fn refuse_without_administrator(
    open: &Change,
    roles: bool,
    disabled: Option<bool>,
) -> Result<(), ApiError> {
    if models::users::active_administrators(open.db()).await? > 0 {
        return Ok(());
    }
    let field = if disabled == Some(true) || !roles { "disabled" } else { "roles" };
    Err(ApiError::conflict(field, "nobody would be left to manage users"))
}
