//! `POST /generations`

use actix_web::{HttpResponse, post, web};
use sea_orm::ConnectionTrait;
use skiagraph_compliance::audit::Action;
use skiagraph_engine::serve::{self, Service};
use uuid::Uuid;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::domain::{Domain, drawn_seed};
use crate::controllers::{Body, Refusals};
use crate::error::{ApiError, Problem};
use crate::models;
use crate::models::generations::{GenerationRequest, PromptNote};
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
    let model = domain.model()?;
    let card = model.card();
    let (steps, guidance_scale) = (card.default_steps, card.default_guidance_scale);
    let mut request = body.read().await?.checked(steps, guidance_scale, drawn_seed())?;
    request.notes = notes(model, &request);
    let change = access.change().await?;
    check_adapter(change.db(), request.adapter_id.as_deref()).await?;
    let record = models::generations::insert(change.db(), &id, &request, &access.user().id).await?;
    change.commit(Entry::of(Action::OrderCreated, "generation", &id)).await?;
    domain.queue.push(Kind::Generation, &id).await?;
    Ok(HttpResponse::Accepted().json(super::view(record)?))
}

/// What of a request's texts the model will not see, or not know. They are a service to the one who
/// asks: where they fail, the request's own check has the word.
fn notes(model: &Service, request: &GenerationRequest) -> Vec<PromptNote> {
    let found = model.notes(&request.sentence, request.negative.as_deref()).unwrap_or_default();
    let wire = |note: serve::PromptNote| PromptNote {
        field: note.field.to_owned(),
        unknown: note.unknown,
        beyond: note.beyond,
    };
    found.into_iter().map(wire).collect()
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
