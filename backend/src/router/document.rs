//! The API's description (OpenAPI 3.1) and the page to read it.

use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::pages;
use crate::error::{ApiError, FieldError, Problem};

/// The name of the way to say who one is.
const BEARER: &str = "access_token";
/// The reader's script among the embedded pages.
const READER: &str = "vendor/scalar.js";

/// The page to read it. The script is ours to bring: a hospital's network ends at its walls.
const PAGE: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Skiagraph API</title></head>\
    <body><script id=\"api-reference\" data-url=\"/api/openapi.json\" \
    data-configuration='{\"withDefaultFonts\":false,\"telemetry\":false,\"agent\":{\"disabled\":true},\
    \"hideClientButton\":true,\"showDeveloperTools\":\"never\",\"mcp\":{\"disabled\":true}}'></script>\
    <script src=\"/api/docs/scalar.js\"></script></body></html>";

const PAGE_WITHOUT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Skiagraph API</title>\
    <h1>Skiagraph API</h1><p>This program was built without its pages, and so without the reader. \
    <a href=\"/api/openapi.json\">The description itself</a> is here.</p></html>";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Skiagraph",
        description = "Makes synthetic X-rays to order, and proves what they are.\n\n\
            Every failure is a problem document (RFC 9457). Lists answer `{items,total,page,page_size}`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem, FieldError)),
    security(("access_token" = [])),
)]
struct Frame;

/// The description before its paths.
pub(super) fn frame() -> OpenApi {
    let mut openapi = Frame::openapi();
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.bearer_format = Some("JWT".to_owned());
    bearer.description = Some("From POST /api/v1/auth/login".to_owned());
    openapi
        .components
        .get_or_insert_default()
        .add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    openapi
}

/// The description and its page as routes.
pub(super) fn routes(openapi: &OpenApi) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let json = openapi.to_json().map_err(|error| error.to_string());
    move |config| {
        let description = move || {
            let json = json.clone();
            async move {
                let json = json.map_err(ApiError::Internal)?;
                Ok::<_, ApiError>(HttpResponse::Ok().content_type("application/json").body(json))
            }
        };
        config
            .route("/api/openapi.json", web::get().to(description))
            .route("/api/docs", web::get().to(page))
            .route("/api/docs/scalar.js", web::get().to(reader));
    }
}

async fn page() -> HttpResponse {
    let page = if pages::file(READER).is_some() { PAGE } else { PAGE_WITHOUT };
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page)
}

async fn reader(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let file = pages::file(READER).ok_or(ApiError::NoRoute)?;
    Ok(pages::send(&request, READER, file))
}
