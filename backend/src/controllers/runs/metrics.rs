//! `GET /runs/{id}/metrics`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::Refusals;
use crate::error::ApiError;
use crate::models;
use crate::views::shapes::TrainEvent;

/// What a run told so far: the engine's events in their order. Of very long runs some 2,000 steps
/// are kept.
#[utoipa::path(
    tag = "runs",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The events", body = Vec<TrainEvent>), Refusals),
)]
#[get("/runs/{id}/metrics")]
pub(super) async fn metrics(
    access: MlEngineer,
    id: web::Path<String>,
) -> Result<web::Json<Vec<serde_json::Value>>, ApiError> {
    let records = access.read(Entry::of(Action::OrderRead, "run", &id)).await?;
    models::runs::get(records.db(), &id).await?.ok_or(ApiError::NotFound("run"))?;
    Ok(web::Json(models::runs::metrics(records.db(), &id).await?))
}
