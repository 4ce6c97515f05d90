//! `GET /uploads/{id}`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::Refusals;
use crate::error::ApiError;
use crate::models;
use crate::views::uploads::UploadView;

/// An upload.
#[utoipa::path(
    tag = "uploads",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The record", body = UploadView), Refusals),
)]
#[get("/uploads/{id}")]
pub(super) async fn get(
    access: MlEngineer,
    id: web::Path<String>,
) -> Result<web::Json<UploadView>, ApiError> {
    let records = access.read(Entry::of(Action::Query, "upload", &id)).await?;
    let model =
        models::uploads::get(records.db(), &id).await?.ok_or(ApiError::NotFound("upload"))?;
    let ids = std::slice::from_ref(&model.id);
    let pending = models::radiographs::pending(records.db(), ids).await?;
    let waiting = pending.values().copied().sum();
    Ok(web::Json(super::view(model, waiting)))
}
