//! `GET /radiographs/{id}/file`

use actix_web::{HttpResponse, get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::ApiError;
use crate::models;

/// A radiograph's DICOM file, byte for byte as it was sent.
#[utoipa::path(
    tag = "radiographs",
    params(("id" = String, Path, description = "Identifier")),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/dicom"),
        Refusals,
    ),
)]
#[get("/radiographs/{id}/file")]
pub(super) async fn file(
    access: MlEngineer,
    domain: web::Data<Domain>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let records = access.read(Entry::of(Action::Export, "radiograph", &id)).await?;
    let radiograph = models::radiographs::get(records.db(), &id)
        .await?
        .ok_or(ApiError::NotFound("radiograph"))?;
    let bytes = domain.storage.get(&radiograph.object_key).await?;
    Ok(crate::controllers::download(bytes, "application/dicom", &format!("{id}.dcm")))
}
