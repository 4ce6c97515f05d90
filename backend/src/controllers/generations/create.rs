//! `POST /generations`

use actix_web::{HttpResponse, post, web};
use sea_orm::ConnectionTrait;
use skiagraph_compliance::audit::Action;
use uuid::Uuid;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::domain::{Domain, drawn_seed};
use crate::controllers::{Body, Refusals};
use crate::error::{ApiError, Problem};
use crate::models;
use crate::models::work::Kind;
use crate::views::generations::{GenerationView, NewGeneration};

/// Asks for synthetic images. A job makes them one by one; what is finished stays whatever
/// happens.
#[utoipa::path(
    tag = "generations",
    request_body = NewGeneration,
    responses(
        (status = 202, description = "They will be made", body = GenerationView),
        (status = 503, description = "No model is loaded", body = Problem),
        Refusals,
    ),
)]
#[post("/generations")]
pub(super) async fn create(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    body: Body<NewGeneration>,
) -> Result<HttpResponse, ApiError> {
    let id = Uuid::now_v7().to_string();
    let card = domain.model()?.card();
    let (steps, guidance_scale) = (card.default_steps, card.default_guidance_scale);
    let request = body.read().await?.checked(steps, guidance_scale, drawn_seed())?;
    let change = access.change().await?;
    check_adapter(change.db(), request.adapter_id.as_deref()).await?;
    let model = models::generations::insert(change.db(), &id, &request, &access.user().id).await?;
    change.commit(Entry::of(Action::OrderCreated, "generation", &id)).await?;
    domain.queue.push(Kind::Generation, &id).await?;
    Ok(HttpResponse::Accepted().json(super::view(model)?))
}

/// The adapter is there and promoted.
async fn check_adapter(db: &impl ConnectionTrait, adapter: Option<&str>) -> Result<(), ApiError> {
    let Some(adapter) = adapter else { return Ok(()) };
    match models::runs::get(db, adapter).await? {
        Some(run) if run.promoted_at.is_some() => Ok(()),
        Some(_) | None => {
            Err(ApiError::invalid("adapter_id", "there is no promoted adapter of this identifier"))
        }
    }
}
