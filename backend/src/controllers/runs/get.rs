//! `GET /runs/{id}`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::Refusals;
use crate::error::ApiError;
use crate::models;
use crate::views::runs::RunView;

/// A run: where it stands, and what it came to.
#[utoipa::path(
    tag = "runs",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The record", body = RunView), Refusals),
)]
#[get("/runs/{id}")]
pub(super) async fn get(
    access: MlEngineer,
    id: web::Path<String>,
) -> Result<web::Json<RunView>, ApiError> {
    let records = access.read(Entry::of(Action::OrderRead, "run", &id)).await?;
    let model = models::runs::get(records.db(), &id).await?.ok_or(ApiError::NotFound("run"))?;
    Ok(web::Json(super::view(model)?))
}
