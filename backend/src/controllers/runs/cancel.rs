//! `POST /runs/{id}/cancel`

use actix_web::{post, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::{ApiError, Problem};
use crate::models;
use crate::models::work::Kind;
use crate::views::runs::RunView;

/// Asks a run to stop. It stops at its next step and does not go on after a restart.
#[utoipa::path(
    tag = "runs",
    params(("id" = String, Path, description = "Identifier")),
    responses(
        (status = 200, description = "It is cancelled", body = RunView),
        (status = 409, description = "It was over before", body = Problem),
        Refusals,
    ),
)]
#[post("/runs/{id}/cancel")]
pub(super) async fn cancel(
    access: MlEngineer,
    domain: web::Data<Domain>,
    id: web::Path<String>,
) -> Result<web::Json<RunView>, ApiError> {
    let change = access.change().await?;
    let cancelled = models::work::cancel(change.db(), Kind::Run, &id).await?;
    let model = models::runs::get(change.db(), &id).await?.ok_or(ApiError::NotFound("run"))?;
    if !cancelled {
        return Err(ApiError::conflict("state", format!("the run is {} already", model.state)));
    }
    let entry = Entry::of(Action::OrderChanged, "run", &id);
    change.commit(entry.detail("change", "cancelled")).await?;
    domain.progress.tell(&id, None);
    Ok(web::Json(super::view(model)?))
}
