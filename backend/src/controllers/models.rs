//! `GET /models`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;
use skiagraph_engine::adapter::AdapterCard;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::entities::runs;
use crate::error::ApiError;
use crate::models;
use crate::storage::Folders;
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
    let runs = models::runs::promoted(records.db()).await?;
    let folders = domain.folders.clone();
    let adapters = web::block(move || adapters(runs, &folders)).await?;
    Ok(web::Json(ModelsView { base, adapters }))
}

/// Promoted runs with what their adapters' cards say of whom they are owed to.
fn adapters(runs: Vec<runs::Model>, folders: &Folders) -> Vec<AdapterView> {
    let view = |run: runs::Model| {
        let path = run.adapter_path.map(|path| folders.absolute(&path));
        // An adapter without a card serves nobody; the list of the others is shown all the same.
        let card = path.and_then(|path| AdapterCard::of(&path).ok().flatten()).unwrap_or_default();
        Some(AdapterView {
            id: run.id,
            name: run.name,
            dataset_id: run.dataset_id,
            licence: card.licence,
            attribution: card.attribution,
            promoted_at: run.promoted_at?,
            validation_loss_before: run.validation_loss_before.map(|loss| loss as f32),
            validation_loss_after: run.validation_loss_after.map(|loss| loss as f32),
        })
    };
    runs.into_iter().filter_map(view).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::Utc;

    use super::*;

    #[test]
    fn an_adapter_is_shown_with_whom_it_is_owed_to() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::new(folder.path());
        let result = folders.run("r1").join("result");
        std::fs::create_dir_all(&result).unwrap();
        let card = AdapterCard {
            licence: "no restriction on use; CC BY 4.0".to_owned(),
            attribution: vec!["adults: A".to_owned(), "children: B".to_owned()],
            ..AdapterCard::default()
        };
        std::fs::write(result.join("card.json"), serde_json::to_vec(&card).unwrap()).unwrap();
        let run = |id: &str| runs::Model {
            id: id.to_owned(),
            name: "adapter".to_owned(),
            dataset_id: "d1".to_owned(),
            config: serde_json::json!({}),
            state: "succeeded".to_owned(),
            progress_step: 1,
            progress_total: 1,
            error: None,
            validation_loss_before: Some(1.0),
            validation_loss_after: Some(0.5),
            adapter_path: Some(folders.relative(&folders.run(id).join("result"))),
            promoted_at: Some(Utc::now()),
            created_by: "u".to_owned(),
            created_at: Utc::now(),
        };
        let shown = adapters(vec![run("r1"), run("gone")], &folders);
        assert_eq!(shown[0].licence, card.licence);
        assert_eq!(shown[0].attribution, card.attribution);
        assert_eq!((shown[1].licence.as_str(), shown[1].attribution.len()), ("", 0));
    }
}
