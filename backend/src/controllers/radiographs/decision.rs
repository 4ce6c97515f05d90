//! `POST /radiographs/{id}/decision`

use actix_web::{post, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::{Body, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::models::check_state::CheckState;
use crate::views::uploads::{NewDecision, RadiographView};

/// Decides about a radiograph that quality control doubts; a later decision supersedes an earlier one.
#[utoipa::path(
    tag = "radiographs",
    params(("id" = String, Path, description = "Identifier")),
    request_body = NewDecision,
    responses((status = 200, description = "The record", body = RadiographView), Refusals),
)]
#[post("/radiographs/{id}/decision")]
pub(super) async fn decide(
    access: MlEngineer,
    id: web::Path<String>,
    body: Body<NewDecision>,
) -> Result<web::Json<RadiographView>, ApiError> {
    let decision = body.read().await?.checked()?;
    let change = access.change().await?;
    let before = models::radiographs::get(change.db(), &id)
        .await?
        .ok_or(ApiError::NotFound("radiograph"))?;
    if before.check_state == CheckState::Clear.word() {
        return Err(ApiError::conflict("decision", "nothing speaks against this radiograph"));
    }
    let state = decision.check_state().word();
    let model = models::radiographs::decide(change.db(), &id, state, &access.user().id).await?;
    let entry = Entry::of(Action::ReviewCreated, "radiograph", &id);
    change.commit(entry.detail("decision", decision.word())).await?;
    Ok(web::Json(super::view(model)))
}
