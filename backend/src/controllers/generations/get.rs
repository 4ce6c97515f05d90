//! `GET /generations/{id}`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::Refusals;
use crate::error::ApiError;
use crate::models::state::State;
use crate::models::work::{self, Kind};
use crate::views::generations::GenerationView;

/// One of your own generations: what was asked for, and where it stands.
#[utoipa::path(
    tag = "generations",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The record", body = GenerationView), Refusals),
)]
#[get("/generations/{id}")]
pub(super) async fn get(
    access: ClinicianOrMlEngineer,
    id: web::Path<String>,
) -> Result<web::Json<GenerationView>, ApiError> {
    let records = access.read(Entry::of(Action::OrderRead, "generation", &id)).await?;
    let model = super::own(records.db(), &access.user().id, &id).await?;
    let mut view = super::view(model)?;
    if view.state == State::Queued {
        view.ahead = Some(work::ahead(records.db(), Kind::Generation, &id).await?);
    }
    Ok(web::Json(view))
}
