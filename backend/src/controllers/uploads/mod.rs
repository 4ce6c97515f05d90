//! Uploads: radiographs come in.

mod create;
mod decisions;
mod get;
mod list;

use utoipa_actix_web::service_config::ServiceConfig;

use crate::entities::uploads;
use crate::views::uploads::UploadView;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config.service(create::create).service(list::list).service(get::get).service(decisions::decide);
}

/// An upload's record on the wire; `pending` of its radiographs wait for a decision.
fn view(model: uploads::Model, pending: u64) -> UploadView {
    UploadView {
        id: model.id,
        name: model.name,
        created_at: model.created_at,
        created_by: model.created_by,
        radiograph_count: model.radiograph_count.unsigned_abs(),
        pending_count: pending,
    }
}
