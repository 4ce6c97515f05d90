//! `GET /images/{id}/file`

use actix_web::{HttpResponse, get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::ApiError;

/// One of your own synthetic images as a DICOM file that says of itself that it is synthetic.
#[utoipa::path(
    tag = "images",
    params(("id" = String, Path, description = "Identifier")),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/dicom"),
        Refusals,
    ),
)]
#[get("/images/{id}/file")]
pub(super) async fn file(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let records = access.read(Entry::of(Action::Export, "image", &id)).await?;
    let image = super::own(records.db(), &access.user().id, &id).await?;
    let bytes = domain.storage.get(&image.object_key_dicom).await?;
    Ok(crate::controllers::download(bytes, "application/dicom", &format!("{id}.dcm")))
}
