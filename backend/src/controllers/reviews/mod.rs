//! Reviews: a reader judges a synthetic image.

mod create;
mod list;
mod report;

use sea_orm::ConnectionTrait;
use skiagraph_compliance::role::Role;
use utoipa_actix_web::service_config::ServiceConfig;

use super::images;
use crate::auth::ClinicianOrAuditor;
use crate::entities::images::Model;
use crate::error::ApiError;
use crate::models;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config.service(create::create).service(list::list).service(report::report);
}

/// The image whose reviews this user may see: any for an auditor, their own for a clinician.
async fn visible(
    access: &ClinicianOrAuditor,
    db: &impl ConnectionTrait,
    id: &str,
) -> Result<Model, ApiError> {
    if access.user().has(Role::Auditor) {
        models::images::get(db, id).await?.ok_or(ApiError::NotFound("image"))
    } else {
        images::own(db, &access.user().id, id).await
    }
}

/// A review's record on the wire.
fn view(
    model: crate::entities::reviews::Model,
    reviewer_name: String,
) -> Result<crate::views::images::ReviewView, crate::error::ApiError> {
    let verdict = crate::views::images::Verdict::parse(&model.verdict);
    Ok(crate::views::images::ReviewView {
        id: model.id,
        image_id: model.image_id,
        reviewer: model.reviewer,
        reviewer_name,
        verdict: verdict
            .ok_or_else(|| crate::error::ApiError::Internal("an unknown verdict".to_owned()))?,
        reason: model.reason,
        realism: model.realism.and_then(|realism| u8::try_from(realism).ok()),
        created_at: model.created_at,
    })
}
