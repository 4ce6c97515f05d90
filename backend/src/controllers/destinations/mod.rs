//! Archives that images may be sent to.

mod change;
mod create;
mod echo;
mod list;
mod remove;

use utoipa_actix_web::service_config::ServiceConfig;

use crate::destinations::{Destinations, Known};
use crate::entities::destinations::Model;
use crate::error::ApiError;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list::list)
        .service(create::create)
        .service(change::change)
        .service(remove::remove)
        .service(echo::echo);
}

/// The record of this name. What the configuration names is changed there alone.
async fn record(
    destinations: &Destinations,
    db: &impl sea_orm::ConnectionTrait,
    name: &str,
) -> Result<Model, ApiError> {
    match destinations.find(db, name).await? {
        Some(Known::Record(model)) => Ok(*model),
        Some(Known::Configured(_)) => {
            let cause = "stands in the configuration; change it there and start the platform anew";
            Err(ApiError::conflict("destination", cause))
        }
        None => Err(ApiError::NotFound("destination")),
    }
}

/// Keeps what opens an archive, where something is to be kept. Returns the file's name.
async fn keep(
    destinations: &Destinations,
    secret: Option<String>,
) -> Result<Option<String>, ApiError> {
    let Some(text) = secret else { return Ok(None) };
    let destinations = destinations.clone();
    let kept = actix_web::web::block(move || destinations.keep_secret(text)).await??;
    Ok(Some(kept))
}

/// Takes files away that no record names any more.
async fn forget(destinations: &Destinations, name: Option<String>) {
    let Some(name) = name else { return };
    let destinations = destinations.clone();
    // It is told to the log where it fails; here the record has changed already.
    let _ = actix_web::web::block(move || destinations.forget_secret(&name)).await;
}
