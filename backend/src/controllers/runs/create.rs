//! `POST /runs`

use actix_web::{HttpResponse, post, web};
use skiagraph_compliance::audit::Action;
use uuid::Uuid;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::domain::Domain;
use crate::controllers::{Body, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::models::state::State;
use crate::models::work::Kind;
use crate::views::runs::{NewRun, RunView};

/// Trains an adapter on a data set. A job does it, and goes on from its last checkpoint after a
/// restart.
#[utoipa::path(
    tag = "runs",
    request_body = NewRun,
    responses((status = 202, description = "It will be trained", body = RunView), Refusals),
)]
#[post("/runs")]
pub(super) async fn create(
    access: MlEngineer,
    domain: web::Data<Domain>,
    body: Body<NewRun>,
) -> Result<HttpResponse, ApiError> {
    let body = body.read().await?;
    let (name, config) = body.checked()?;
    let id = Uuid::now_v7().to_string();
    domain.model()?;
    let change = access.change().await?;
    let dataset = models::datasets::get(change.db(), &body.dataset_id).await?;
    let dataset =
        dataset.ok_or_else(|| ApiError::invalid("dataset_id", "there is no such data set"))?;
    if dataset.state != State::Succeeded.word() {
        return Err(ApiError::invalid("dataset_id", "the data set is not built"));
    }
    let user = &access.user().id;
    let model = models::runs::insert(change.db(), &id, &name, &dataset.id, &config, user).await?;
    let entry = Entry::of(Action::OrderCreated, "run", &id);
    change.commit(entry.detail("dataset", dataset.id)).await?;
    domain.queue.push(Kind::Run, &id).await?;
    Ok(HttpResponse::Accepted().json(super::view(model)?))
}
