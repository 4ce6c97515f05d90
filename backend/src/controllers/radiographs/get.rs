//! `GET /radiographs/{id}`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::Refusals;
use crate::error::ApiError;
use crate::models;
use crate::views::uploads::RadiographView;

/// A radiograph.
#[utoipa::path(
    tag = "radiographs",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The record", body = RadiographView), Refusals),
)]
#[get("/radiographs/{id}")]
pub(super) async fn get(
    access: MlEngineer,
    id: web::Path<String>,
) -> Result<web::Json<RadiographView>, ApiError> {
    let records = access.read(Entry::of(Action::InstancesAccessed, "radiograph", &id)).await?;
    let model = models::radiographs::get(records.db(), &id)
        .await?
        .ok_or(ApiError::NotFound("radiograph"))?;
    Ok(web::Json(super::view(model)))
}
