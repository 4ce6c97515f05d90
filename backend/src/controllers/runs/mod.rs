//! Runs: adapters are trained.

mod cancel;
mod create;
mod events;
mod get;
mod list;
mod metrics;
mod promote;

use utoipa_actix_web::service_config::ServiceConfig;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(create::create)
        .service(list::list)
        .service(get::get)
        .service(metrics::metrics)
        .service(events::events)
        .service(cancel::cancel)
        .service(promote::promote);
}

/// A run's record on the wire.
fn view(
    model: crate::entities::runs::Model,
) -> Result<crate::views::runs::RunView, crate::error::ApiError> {
    Ok(crate::views::runs::RunView {
        config: crate::models::runs::config(&model)?,
        id: model.id,
        name: model.name,
        created_at: model.created_at,
        created_by: model.created_by,
        state: crate::controllers::state(&model.state)?,
        progress: crate::controllers::progress(model.progress_step, model.progress_total),
        error: model.error,
        dataset_id: model.dataset_id,
        validation_loss_before: model.validation_loss_before.map(|loss| loss as f32),
        validation_loss_after: model.validation_loss_after.map(|loss| loss as f32),
        promoted_at: model.promoted_at,
    })
}
