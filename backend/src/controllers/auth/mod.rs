//! Sessions: login, renewal, logout, one's own record and password.

mod cookie;
mod login;
mod logout;
mod me;
mod password;
mod refresh;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of this noun.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(login::login)
        .service(refresh::refresh)
        .service(logout::logout)
        .service(me::me)
        .service(password::password);
}
