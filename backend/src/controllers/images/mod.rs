//! Synthetic images.

mod file;
mod get;
mod list;
mod png;

use utoipa_actix_web::service_config::ServiceConfig;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list::list).service(get::get).service(file::file).service(png::png);
}

/// An image's record on the wire.
fn view(
    model: crate::entities::images::Model,
) -> Result<crate::views::images::ImageView, crate::error::ApiError> {
    let review_state = crate::views::images::ReviewState::parse(&model.review_state);
    Ok(crate::views::images::ImageView {
        id: model.id,
        generation_id: model.generation_id,
        index: model.index.unsigned_abs(),
        seed: model.seed.unsigned_abs(),
        sha256: model.sha256,
        provenance: model.provenance,
        review_state: review_state.ok_or_else(|| {
            crate::error::ApiError::Internal("an unknown review state".to_owned())
        })?,
        created_at: model.created_at,
    })
}

/// The image, where this user asked for it; of others' not even the existence is told.
pub(super) async fn own(
    db: &impl sea_orm::ConnectionTrait,
    user_id: &str,
    id: &str,
) -> Result<crate::entities::images::Model, crate::error::ApiError> {
    let image = crate::models::images::get(db, id).await?;
    let image = image.ok_or(crate::error::ApiError::NotFound("image"))?;
    let generation = crate::models::generations::get(db, &image.generation_id).await?;
    if generation.is_some_and(|generation| generation.created_by == user_id) {
        Ok(image)
    } else {
        Err(crate::error::ApiError::NotFound("image"))
    }
}
