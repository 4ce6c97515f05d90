//! Data sets.

mod create;
mod events;
mod get;
mod list;
mod samples;

use utoipa_actix_web::service_config::ServiceConfig;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(create::create)
        .service(list::list)
        .service(get::get)
        .service(samples::samples)
        .service(events::events);
}

/// A data set's record on the wire.
fn view(
    model: crate::entities::datasets::Model,
    upload_ids: Vec<String>,
) -> Result<crate::views::datasets::DatasetView, crate::error::ApiError> {
    Ok(crate::views::datasets::DatasetView {
        id: model.id,
        name: model.name,
        created_at: model.created_at,
        created_by: model.created_by,
        state: crate::controllers::state(&model.state)?,
        progress: crate::controllers::progress(model.progress_step, model.progress_total),
        error: model.error,
        upload_ids,
        counts: model.card.as_ref().and_then(crate::views::datasets::SplitCounts::from_card),
        card: model.card,
    })
}
