//! Uploads: radiographs come in.

mod create;
mod get;
mod list;

use utoipa_actix_web::service_config::ServiceConfig;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config.service(create::create).service(list::list).service(get::get);
}

/// An upload's record on the wire.
fn view(model: crate::entities::uploads::Model) -> crate::views::uploads::UploadView {
    crate::views::uploads::UploadView {
        id: model.id,
        name: model.name,
        created_at: model.created_at,
        created_by: model.created_by,
        radiograph_count: model.radiograph_count.unsigned_abs(),
    }
}
