//! Generations: images are asked for.

mod cancel;
mod create;
mod events;
mod get;
mod list;

use utoipa_actix_web::service_config::ServiceConfig;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(create::create)
        .service(list::list)
        .service(get::get)
        .service(events::events)
        .service(cancel::cancel);
}

/// A generation's record on the wire.
fn view(
    model: crate::entities::generations::Model,
) -> Result<crate::views::generations::GenerationView, crate::error::ApiError> {
    Ok(crate::views::generations::GenerationView {
        request: crate::models::generations::request(&model)?,
        id: model.id,
        created_at: model.created_at,
        created_by: model.created_by,
        state: crate::controllers::state(&model.state)?,
        progress: crate::controllers::progress(model.progress_step, model.progress_total),
        error: model.error,
        ahead: None,
    })
}

/// The generation, where it is this user's; of others' not even the existence is told.
async fn own(
    db: &impl sea_orm::ConnectionTrait,
    user_id: &str,
    id: &str,
) -> Result<crate::entities::generations::Model, crate::error::ApiError> {
    crate::models::generations::get(db, id)
        .await?
        .filter(|model| model.created_by == user_id)
        .ok_or(crate::error::ApiError::NotFound("generation"))
}
