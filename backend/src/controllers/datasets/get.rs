//! `GET /datasets/{id}`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::Refusals;
use crate::error::ApiError;
use crate::models;
use crate::views::datasets::DatasetView;

/// A data set: where its building stands, and its card once it is built.
#[utoipa::path(
    tag = "datasets",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The record", body = DatasetView), Refusals),
)]
#[get("/datasets/{id}")]
pub(super) async fn get(
    access: MlEngineer,
    id: web::Path<String>,
) -> Result<web::Json<DatasetView>, ApiError> {
    let records = access.read(Entry::of(Action::OrderRead, "dataset", &id)).await?;
    let model =
        models::datasets::get(records.db(), &id).await?.ok_or(ApiError::NotFound("dataset"))?;
    let links = models::datasets::uploads_of(records.db(), [id.as_str()]).await?;
    let upload_ids = links.into_iter().map(|(_, upload)| upload).collect();
    Ok(web::Json(super::view(model, upload_ids)?))
}
