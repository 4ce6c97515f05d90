//! `GET /images/{id}/png`

use actix_web::{HttpResponse, get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::ApiError;

/// One of your own synthetic images as PNG with its provenance.
#[utoipa::path(
    tag = "images",
    params(("id" = String, Path, description = "Identifier")),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "image/png"),
        Refusals,
    ),
)]
#[get("/images/{id}/png")]
pub(super) async fn png(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let records = access.read(Entry::of(Action::InstancesAccessed, "image", &id)).await?;
    let image = super::own(records.db(), &access.user().id, &id).await?;
    let bytes = domain.storage.get(&image.object_key_png).await?;
    Ok(crate::controllers::download(bytes, "image/png", &format!("{id}.png")))
}
