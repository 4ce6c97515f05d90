//! `GET /transfers/{id}/events`

use actix_web::{HttpResponse, get, web};
use futures::FutureExt;
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::domain::Domain;
use crate::controllers::{Refusals, snapshot};
use crate::error::ApiError;
use crate::models;
use crate::models::work::Kind;

/// How one of your own transfers goes: `progress` events, and `done` at the end.
#[utoipa::path(
    tag = "transfers",
    params(("id" = String, Path, description = "Identifier")),
    responses(
        (status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"),
        Refusals,
    ),
)]
#[get("/transfers/{id}/events")]
pub(super) async fn events(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let records = access.read(Entry::of(Action::OrderRead, "transfer", &id)).await?;
    let model = models::transfers::get(records.db(), &id).await?;
    let model = model.filter(|model| model.created_by == access.user().id);
    model.ok_or(ApiError::NotFound("transfer"))?;
    let id = id.into_inner();
    let (db, record) = (records.db().clone(), id.clone());
    let look = move || {
        let (db, record) = (db.clone(), record.clone());
        async move { snapshot(&db, Kind::Transfer, &record).await }.boxed()
    };
    Ok(crate::controllers::event_stream(id, &domain, look))
}
