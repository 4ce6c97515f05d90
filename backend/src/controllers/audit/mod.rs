//! The audit log, for auditors. Reading, exporting and verifying it are logged as well.

mod events;
mod export;
mod verify;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of this noun.
pub fn routes(config: &mut ServiceConfig) {
    config.service(events::events).service(export::export).service(verify::verify);
}
