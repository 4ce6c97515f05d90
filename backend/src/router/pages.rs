//! The pages, embedded into the program.

use std::borrow::Cow;

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse};
use rust_embed::{Embed, EmbeddedFile};

use crate::error::ApiError;

#[derive(Embed)]
#[folder = "../web/dist"]
struct Pages;

/// What stands at `/` of a program that was built without pages.
const WITHOUT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Skiagraph</title>\
    <h1>Skiagraph</h1><p>The platform runs, but this program was built without its pages. <code>make build</code> \
    builds both; by hand it is <code>npm ci &amp;&amp; npm run build</code> in <code>web/</code>, and then the \
    program again.</p><p><a href=\"/api/docs\">The API</a> works.</p></html>";

/// A file of the pages, or their entrance for an address that the pages know themselves.
pub(super) fn answer(request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    let path = request.path().trim_start_matches('/');
    if !path.is_empty()
        && let Some(file) = Pages::get(path)
    {
        return Ok(send(request, path, file));
    }
    // A missing script or picture is missing; an address that a person opens is the pages' own.
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    if !path.is_empty() && !accept.is_some_and(|accept| accept.contains("text/html")) {
        return Err(ApiError::NoRoute);
    }
    Ok(match Pages::get("index.html") {
        Some(file) => send(request, "index.html", file),
        None => HttpResponse::Ok().content_type("text/html; charset=utf-8").body(WITHOUT),
    })
}

/// The script of the API's page, where the pages were built.
pub(super) fn file(path: &str) -> Option<EmbeddedFile> {
    Pages::get(path)
}

pub(super) fn send(request: &HttpRequest, path: &str, file: EmbeddedFile) -> HttpResponse {
    let tag = format!("\"{}\"", hex::encode(file.metadata.sha256_hash()));
    // Names under assets/ hold a hash of their content.
    let cache = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        return HttpResponse::NotModified().insert_header((ETAG, tag)).finish();
    }
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, media_type(path)))
        .insert_header((ETAG, tag))
        .insert_header((CACHE_CONTROL, cache));
    match file.data {
        Cow::Borrowed(bytes) => response.body(bytes),
        Cow::Owned(bytes) => response.body(bytes),
    }
}

/// The media types of what a build of the pages holds.
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}
