//! Reviews: a reader judges a synthetic image.

mod create;
mod list;

use utoipa_actix_web::service_config::ServiceConfig;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config.service(create::create).service(list::list);
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
