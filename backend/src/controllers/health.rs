//! `GET /healthz` and `GET /readyz`: for who watches over the process.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::AppState;

/// What works.
#[expect(clippy::struct_excessive_bools, reason = "each says of another part whether it works")]
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadyView {
    /// Whether everything does.
    pub ready: bool,
    /// Whether the database answers.
    pub database: bool,
    /// Whether object storage answers.
    pub storage: bool,
    /// Whether this process takes jobs.
    pub worker: bool,
    /// Whether a model is loaded.
    pub model: bool,
}

/// The process runs.
#[utoipa::path(
    tag = "health",
    security(()),
    responses((status = 200, description = "It runs", body = String)),
)]
#[get("/healthz")]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// What the process needs is there.
#[utoipa::path(
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "Everything works", body = ReadyView),
        (status = 503, description = "Something does not", body = ReadyView),
    ),
)]
#[get("/readyz")]
pub(crate) async fn readyz(state: web::Data<AppState>) -> HttpResponse {
    let (database, storage) = tokio::join!(state.ledger.reach(), state.storage.reach());
    let works = |part: &str, cause: Option<String>| match cause {
        None => true,
        Some(cause) => {
            tracing::warn!(part, %cause, "a part of the platform does not answer");
            false
        }
    };
    let database = works("database", database.err().map(|error| format!("{error:?}")));
    let storage = works("storage", storage.err().map(|error| error.to_string()));
    let (worker, model) = (state.readiness.worker(), state.readiness.model());
    let ready = database && storage && worker && model;
    let view = ReadyView { ready, database, storage, worker, model };
    if ready {
        HttpResponse::Ok().json(view)
    } else {
        HttpResponse::ServiceUnavailable().json(view)
    }
}
