//! Every route, and what stands around all of them.
//!
//! ```text
//! request → number, span, metrics → security headers → routes ─→ /api/v1/<noun> …
//!                                                              ├→ /dicom-web/studies …
//!                                                              ├→ /api/openapi.json, /api/docs
//!                                                              ├→ /healthz, /readyz
//!                                                              └→ pages, 404, 405
//! ```

mod document;
mod headers;
mod missing;
mod observe;
mod origins;
mod pages;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, web};
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_actix_web::{AppExt, scope};

use crate::controllers;
use crate::controllers::domain::Domain;
use crate::error;
use crate::state::AppState;

/// Bytes of a JSON body.
const JSON_BYTES: usize = 256 * 1024;

/// The nouns under `/api/v1`.
fn nouns(config: &mut ServiceConfig) {
    controllers::auth::routes(config);
    controllers::users::routes(config);
    controllers::uploads::routes(config);
    controllers::radiographs::routes(config);
    controllers::datasets::routes(config);
    controllers::runs::routes(config);
    controllers::models::routes(config);
    controllers::findings::routes(config);
    controllers::generations::routes(config);
    controllers::images::routes(config);
    controllers::reviews::routes(config);
    controllers::transfers::routes(config);
    controllers::destinations::routes(config);
    controllers::verify::routes(config);
    controllers::audit::routes(config);
}

/// The application of a worker thread.
pub fn app(
    state: web::Data<AppState>,
    domain: web::Data<Domain>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let (app, openapi) = App::new()
        .into_utoipa_app()
        .openapi(document::frame())
        .app_data(state)
        .app_data(domain)
        .app_data(web::JsonConfig::default().limit(JSON_BYTES).error_handler(error::json))
        .app_data(web::PathConfig::default().error_handler(error::path))
        .app_data(web::FormConfig::default().error_handler(error::form))
        .service(scope::scope("/api/v1").configure(nouns))
        .service(scope::scope("/dicom-web").configure(controllers::dicom_web::routes))
        .service(controllers::health::healthz)
        .service(controllers::health::readyz)
        .split_for_parts();
    app.app_data(missing::Routes::of(&openapi))
        .configure(document::routes(&openapi))
        .default_service(web::to(missing::answer))
        .wrap(from_fn(origins::share))
        .wrap(headers::security())
        .wrap(from_fn(observe::observe))
}
