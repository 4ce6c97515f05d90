//! `GET /models`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::ApiError;
use crate::models;
use crate::views::models::{AdapterView, ModelView, ModelsView};

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list);
}

/// The model's card, and the adapters that were promoted.
#[utoipa::path(
    tag = "models",
    responses(
        (status = 200, description = "What there is to generate with", body = ModelsView),
        (status = 503, description = "No model is loaded", body = crate::error::Problem),
        Refusals,
    ),
)]
#[get("/models")]
async fn list(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
) -> Result<web::Json<ModelsView>, ApiError> {
    let records = access.read(Entry::new(Action::Query, "model")).await?;
    let card = domain.model()?.card().clone();
    let base = ModelView {
        name: card.name,
        version: card.version,
        image_size: card.image_size,
        findings: card.findings,
        default_steps: card.default_steps,
        default_guidance_scale: card.default_guidance_scale,
        licence: card.licence,
        attribution: card.attribution.join("; "),
        description: card.description,
        limits: card.limits,
        weights_sha256: card.weights_sha256,
    };
    let adapters = models::runs::promoted(records.db())
        .await?
        .into_iter()
        .filter_map(|run| {
            Some(AdapterView {
                id: run.id,
                name: run.name,
                dataset_id: run.dataset_id,
                promoted_at: run.promoted_at?,
                validation_loss_before: run.validation_loss_before.map(|loss| loss as f32),
                validation_loss_after: run.validation_loss_after.map(|loss| loss as f32),
            })
        })
        .collect();
    Ok(web::Json(ModelsView { base, adapters }))
}
