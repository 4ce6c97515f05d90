//! The endpoints: `<noun>/<verb>.rs`.

pub mod audit;
pub mod auth;
mod body;
pub mod datasets;
pub mod destinations;
pub mod dicom_web;
pub mod domain;
pub mod findings;
pub mod generations;
pub mod health;
pub mod images;
pub mod models;
mod query;
pub mod radiographs;
mod refusals;
pub mod reviews;
pub mod runs;
pub mod transfers;
pub mod uploads;
pub mod users;
pub mod verify;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use bytes::Bytes;
use futures::future::BoxFuture;
use sea_orm::DatabaseConnection;
use serde_json::json;

pub use body::Body;
pub use query::Query;
pub use refusals::Refusals;

use crate::controllers::domain::Domain;
use crate::error::ApiError;
use crate::jobs::{self, Snapshot};
use crate::models::runs as models_runs;
use crate::models::state::{Progress, State};
use crate::models::work::{self, Kind};

/// A file to keep.
fn download(bytes: Bytes, content_type: &str, name: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(bytes)
}

/// The state of a record.
fn state(word: &str) -> Result<State, ApiError> {
    State::parse(word).ok_or_else(|| ApiError::Internal("an unknown state".to_owned()))
}

/// The progress of a record.
fn progress(step: i64, total: i64) -> Progress {
    Progress { step: step.unsigned_abs(), total: total.unsigned_abs() }
}

/// A record's moment for its events; of a run with its last loss.
async fn snapshot(db: &DatabaseConnection, kind: Kind, id: &str) -> Option<Snapshot> {
    let found = work::get(db, kind, id).await;
    let record = found.inspect_err(|error| tracing::warn!(%error, "a look at a record failed"));
    let record = record.ok()??;
    let mut data = json!({
        "state": record.state.word(),
        "step": record.step,
        "total_steps": record.total,
        "error": record.error,
    });
    if kind == Kind::Run
        && let Ok(Some(step)) = models_runs::last_step(db, id).await
    {
        for field in ["loss", "learning_rate", "seconds_left"] {
            data[field] = step.get(field).cloned().unwrap_or_default();
        }
    }
    Some(Snapshot { data, over: record.state.is_over() })
}

/// The answer that carries a record's events.
fn event_stream(
    id: String,
    domain: &Domain,
    look: impl FnMut() -> BoxFuture<'static, Option<Snapshot>> + 'static,
) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // Reverse proxies that gather answers would hold events back.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(jobs::stream(id, domain.progress.listen(), domain.shutdown.clone(), look))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use actix_web::App;
    use utoipa_actix_web::AppExt;

    /// Every endpoint says who may not call it, what goes wrong, and what it is.
    #[test]
    fn every_endpoint_is_documented() {
        let (_, api) = App::new()
            .into_utoipa_app()
            .configure(super::uploads::routes)
            .configure(super::radiographs::routes)
            .configure(super::datasets::routes)
            .configure(super::runs::routes)
            .configure(super::models::routes)
            .configure(super::findings::routes)
            .configure(super::generations::routes)
            .configure(super::images::routes)
            .configure(super::reviews::routes)
            .configure(super::transfers::routes)
            .configure(super::destinations::routes)
            .configure(super::dicom_web::routes)
            .configure(super::verify::routes)
            .split_for_parts();
        let api = serde_json::to_value(&api).unwrap();
        let mut count = 0;
        for (path, methods) in api["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                count += 1;
                assert!(operation["summary"].is_string(), "{method} {path}");
                for status in ["401", "403", "404", "422"] {
                    let response = &operation["responses"][status];
                    assert!(response.is_object(), "{method} {path} {status}");
                }
            }
        }
        assert_eq!(count, 66);
    }
}
