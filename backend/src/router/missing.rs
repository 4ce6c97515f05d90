//! What no route takes: another method of a known address (405), a page, or nothing (404).

use actix_web::dev::ResourceDef;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::OpenApi;

use super::pages;
use crate::error::ApiError;

/// The addresses of the API and the methods that they know.
#[derive(Debug, Clone)]
pub(super) struct Routes(Vec<(ResourceDef, String)>);

impl Routes {
    /// As the document has them.
    pub(super) fn of(openapi: &OpenApi) -> Self {
        let routes = openapi.paths.paths.iter().map(|(path, item)| {
            let methods = [
                (item.get.is_some(), "GET"),
                (item.post.is_some(), "POST"),
                (item.put.is_some(), "PUT"),
                (item.patch.is_some(), "PATCH"),
                (item.delete.is_some(), "DELETE"),
            ];
            let known: Vec<_> =
                methods.into_iter().filter_map(|(known, word)| known.then_some(word)).collect();
            (ResourceDef::new(path.as_str()), known.join(", "))
        });
        Self(routes.collect())
    }

    fn methods(&self, path: &str) -> Option<&str> {
        let found = self.0.iter().find(|(address, _)| address.is_match(path));
        found.map(|(_, methods)| methods.as_str())
    }
}

pub(super) async fn answer(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let path = request.path();
    if let Some(methods) = request.app_data::<Routes>().and_then(|routes| routes.methods(path)) {
        return Err(ApiError::NotAllowed(methods.to_owned()));
    }
    if ["/api", "/dicom-web"].iter().any(|root| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }) {
        return Err(ApiError::NoRoute);
    }
    match *request.method() {
        Method::GET | Method::HEAD => pages::answer(&request),
        _ => Err(ApiError::NoRoute),
    }
}
