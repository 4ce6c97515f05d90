//! `POST /generations/{id}/cancel`

use actix_web::{post, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::{ApiError, Problem};
use crate::models;
use crate::models::work::Kind;
use crate::views::generations::GenerationView;

/// Asks a generation to stop. It stops at its next step and does not go on after a restart.
#[utoipa::path(
    tag = "generations",
    params(("id" = String, Path, description = "Identifier")),
    responses(
        (status = 200, description = "It is cancelled", body = GenerationView),
        (status = 409, description = "It was over before", body = Problem),
        Refusals,
    ),
)]
#[post("/generations/{id}/cancel")]
pub(super) async fn cancel(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    id: web::Path<String>,
) -> Result<web::Json<GenerationView>, ApiError> {
    let change = access.change().await?;
    super::own(change.db(), &access.user().id, &id).await?;
    let cancelled = models::work::cancel(change.db(), Kind::Generation, &id).await?;
    let model = models::generations::get(change.db(), &id)
        .await?
        .ok_or(ApiError::NotFound("generation"))?;
    if !cancelled {
        return Err(ApiError::conflict(
            "state",
            format!("the generation is {} already", model.state),
        ));
    }
    let entry = Entry::of(Action::OrderChanged, "generation", &id);
    change.commit(entry.detail("change", "cancelled")).await?;
    domain.progress.tell(&id, None);
    Ok(web::Json(super::view(model)?))
}
