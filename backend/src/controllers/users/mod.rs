//! Users, for administrators.

mod change;
mod create;
mod get;
mod list;
mod password_reset;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of this noun.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list::list)
        .service(create::create)
        .service(get::get)
        .service(change::change)
        .service(password_reset::password_reset);
}
