//! `POST /uploads/{id}/decisions`

use actix_web::{post, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::{Body, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::views::uploads::{Decided, NewDecision};

/// Decides about all radiographs of an upload that wait for it.
#[utoipa::path(
    tag = "uploads",
    params(("id" = String, Path, description = "Identifier")),
    request_body = NewDecision,
    responses((status = 200, description = "How many there were", body = Decided), Refusals),
)]
#[post("/uploads/{id}/decisions")]
pub(super) async fn decide(
    access: MlEngineer,
    id: web::Path<String>,
    body: Body<NewDecision>,
) -> Result<web::Json<Decided>, ApiError> {
    let decision = body.read().await?.checked()?;
    let change = access.change().await?;
    models::uploads::get(change.db(), &id).await?.ok_or(ApiError::NotFound("upload"))?;
    let state = decision.check_state().word();
    let count =
        models::radiographs::decide_pending(change.db(), &id, state, &access.user().id).await?;
    let entry = Entry::of(Action::ReviewCreated, "upload", &id);
    change.commit(entry.detail("decision", decision.word()).detail("radiographs", count)).await?;
    Ok(web::Json(Decided { count }))
}
