//! `GET /datasets/{id}/events`

use actix_web::{HttpResponse, get, web};
use futures::FutureExt;
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::controllers::snapshot;
use crate::error::ApiError;
use crate::models;
use crate::models::work::Kind;

/// How the building of a data set goes: `progress` events, and `done` at the end.
#[utoipa::path(
    tag = "datasets",
    params(("id" = String, Path, description = "Identifier")),
    responses(
        (status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"),
        Refusals,
    ),
)]
#[get("/datasets/{id}/events")]
pub(super) async fn events(
    access: MlEngineer,
    domain: web::Data<Domain>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let records = access.read(Entry::of(Action::OrderRead, "dataset", &id)).await?;
    models::work::state(records.db(), Kind::Dataset, &id)
        .await?
        .ok_or(ApiError::NotFound("dataset"))?;
    let id = id.into_inner();
    let (db, record) = (records.db().clone(), id.clone());
    let look = move || {
        let (db, record) = (db.clone(), record.clone());
        async move { snapshot(&db, Kind::Dataset, &record).await }.boxed()
    };
    Ok(crate::controllers::event_stream(id, &domain, look))
}
