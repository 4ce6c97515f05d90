//! Transfers: released images go to an archive.

mod create;
mod events;
mod get;
mod list;

use utoipa_actix_web::service_config::ServiceConfig;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config.service(create::create).service(list::list).service(get::get).service(events::events);
}

/// A transfer's record on the wire.
fn view(
    model: crate::entities::transfers::Model,
) -> Result<crate::views::transfers::TransferView, crate::error::ApiError> {
    Ok(crate::views::transfers::TransferView {
        image_ids: crate::models::transfers::images(&model)?,
        id: model.id,
        destination: model.destination,
        state: super::state(&model.state)?,
        progress: super::progress(model.progress_step, model.progress_total),
        error: model.error,
        warning: model.warning,
        created_at: model.created_at,
    })
}
