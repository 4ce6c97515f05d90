//! Archives that the configuration names.

mod echo;
mod list;

use utoipa_actix_web::service_config::ServiceConfig;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list::list).service(echo::echo);
}
