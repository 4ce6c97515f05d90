//! `POST /runs/{id}/promote`

use actix_web::{post, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::Refusals;
use crate::error::{ApiError, Problem};
use crate::models;
use crate::models::state::State;
use crate::views::runs::RunView;

/// Makes a finished run's adapter selectable for generations. A second time changes nothing.
#[utoipa::path(
    tag = "runs",
    params(("id" = String, Path, description = "Identifier")),
    responses(
        (status = 200, description = "It is promoted", body = RunView),
        (status = 409, description = "It has not succeeded", body = Problem),
        Refusals,
    ),
)]
#[post("/runs/{id}/promote")]
pub(super) async fn promote(
    access: MlEngineer,
    id: web::Path<String>,
) -> Result<web::Json<RunView>, ApiError> {
    let change = access.change().await?;
    let model = models::runs::get(change.db(), &id).await?.ok_or(ApiError::NotFound("run"))?;
    if model.state != State::Succeeded.word() {
        let cause = format!("the run is {}; only one that has succeeded is promoted", model.state);
        return Err(ApiError::conflict("state", cause));
    }
    let model = models::runs::promote(change.db(), model).await?;
    let entry = Entry::of(Action::OrderChanged, "run", &id);
    change.commit(entry.detail("change", "promoted")).await?;
    Ok(web::Json(super::view(model)?))
}
