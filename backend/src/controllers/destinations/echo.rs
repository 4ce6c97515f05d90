//! `POST /destinations/{id}/echo`

use actix_web::{post, web};
use skiagraph_compliance::audit::Action;
use skiagraph_engine::dicom::exchange;

use crate::audit::Entry;
use crate::auth::MakerOrAdmin;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::ApiError;
use crate::views::transfers::EchoView;

/// Asks an archive whether it is there and lets this platform in: C-ECHO.
#[utoipa::path(
    tag = "transfers",
    params(("id" = String, Path, description = "Name of the archive in the configuration")),
    responses((status = 200, description = "What came of it", body = EchoView), Refusals),
)]
#[post("/destinations/{id}/echo")]
pub(super) async fn echo(
    access: MakerOrAdmin,
    domain: web::Data<Domain>,
    id: web::Path<String>,
) -> Result<web::Json<EchoView>, ApiError> {
    let destination = domain.destinations.get(&*id);
    let peer = destination.ok_or(ApiError::NotFound("destination"))?.peer();
    access.read(Entry::of(Action::Query, "destination", &id)).await?;
    let answered = web::block(move || exchange::echo(&peer)).await?;
    let cause = answered.err().map(|error| error.to_string());
    Ok(web::Json(EchoView { answered: cause.is_none(), cause }))
}
