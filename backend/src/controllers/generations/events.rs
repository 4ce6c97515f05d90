//! `GET /generations/{id}/events`

use actix_web::{HttpResponse, get, web};
use futures::FutureExt;
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::controllers::snapshot;
use crate::error::ApiError;
use crate::models::work::Kind;

/// How one of your own generations goes: `progress` and `preview` events, and `done` at the end.
#[utoipa::path(
    tag = "generations",
    params(("id" = String, Path, description = "Identifier")),
    responses(
        (status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"),
        Refusals,
    ),
)]
#[get("/generations/{id}/events")]
pub(super) async fn events(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let records = access.read(Entry::of(Action::OrderRead, "generation", &id)).await?;
    super::own(records.db(), &access.user().id, &id).await?;
    let id = id.into_inner();
    let (db, record) = (records.db().clone(), id.clone());
    let look = move || {
        let (db, record) = (db.clone(), record.clone());
        async move { snapshot(&db, Kind::Generation, &record).await }.boxed()
    };
    Ok(crate::controllers::event_stream(id, &domain, look))
}
