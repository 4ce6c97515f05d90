//! `DELETE /destinations/{id}`

use actix_web::{HttpResponse, delete, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::Admin;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::{ApiError, Problem};
use crate::models;

/// Removes an archive, and what opens it. Transfers of before keep its name.
#[utoipa::path(
    tag = "transfers",
    params(("id" = String, Path, description = "Name of the archive")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "It stands in the configuration, or images are on their way to it", body = Problem),
        Refusals,
    ),
)]
#[delete("/destinations/{id}")]
pub(super) async fn remove(
    access: Admin,
    domain: web::Data<Domain>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let change = access.change().await?;
    let model = super::record(&domain.destinations, change.db(), &id).await?;
    if models::transfers::unfinished_to(change.db(), &model.name).await? > 0 {
        let cause = "images are on their way to it; try again when they are there";
        return Err(ApiError::conflict("destination", cause));
    }
    models::destinations::remove(change.db(), &model.name).await?;
    let entry = Entry::of(Action::NetworkConfigured, "destination", &model.name);
    change.commit(entry.detail("change", "removed")).await?;
    super::forget(&domain.destinations, model.secret).await;
    Ok(HttpResponse::NoContent().finish())
}
