//! The audit log, for auditors. Reading, exporting and verifying it are logged as well.

mod events;
mod export;
mod public_key;
mod verify;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of this noun.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(events::events)
        .service(export::export)
        .service(public_key::public_key)
        .service(verify::verify);
}
