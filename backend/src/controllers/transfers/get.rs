//! `GET /transfers/{id}`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::Refusals;
use crate::error::ApiError;
use crate::models;
use crate::views::transfers::TransferView;

/// One of your own transfers.
#[utoipa::path(
    tag = "transfers",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The record", body = TransferView), Refusals),
)]
#[get("/transfers/{id}")]
pub(super) async fn get(
    access: ClinicianOrMlEngineer,
    id: web::Path<String>,
) -> Result<web::Json<TransferView>, ApiError> {
    let records = access.read(Entry::of(Action::OrderRead, "transfer", &id)).await?;
    let model = models::transfers::get(records.db(), &id).await?;
    let model = model.filter(|model| model.created_by == access.user().id);
    Ok(web::Json(super::view(model.ok_or(ApiError::NotFound("transfer"))?)?))
}
