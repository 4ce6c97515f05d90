//! `GET /images/{id}`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::Refusals;
use crate::error::ApiError;
use crate::views::images::ImageView;

/// One of your own synthetic images.
#[utoipa::path(
    tag = "images",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The record", body = ImageView), Refusals),
)]
#[get("/images/{id}")]
pub(super) async fn get(
    access: ClinicianOrMlEngineer,
    id: web::Path<String>,
) -> Result<web::Json<ImageView>, ApiError> {
    let records = access.read(Entry::of(Action::InstancesAccessed, "image", &id)).await?;
    let model = super::own(records.db(), &access.user().id, &id).await?;
    Ok(web::Json(super::view(model)?))
}
