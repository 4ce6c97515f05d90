//! `POST /destinations/{id}/echo`

use actix_web::{post, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MakerOrAdmin;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::ApiError;
use crate::views::destinations::EchoView;

/// Asks an archive whether it is there and lets this platform in: by C-ECHO, or by a search for one study
/// whose answer is not read.
#[utoipa::path(
    tag = "transfers",
    params(("id" = String, Path, description = "Name of the archive")),
    responses((status = 200, description = "What came of it", body = EchoView), Refusals),
)]
#[post("/destinations/{id}/echo")]
pub(super) async fn echo(
    access: MakerOrAdmin,
    domain: web::Data<Domain>,
    id: web::Path<String>,
) -> Result<web::Json<EchoView>, ApiError> {
    let records = access.read(Entry::of(Action::Query, "destination", &id)).await?;
    let known = domain.destinations.find(records.db(), &id).await?;
    let known = known.ok_or(ApiError::NotFound("destination"))?;
    let destinations = domain.destinations.clone();
    let cause = web::block(move || match destinations.archive(&known) {
        Ok(archive) => archive.echo().err().map(|error| error.to_string()),
        Err(error) => {
            tracing::error!(%error, "an archive cannot be opened");
            Some("its token or password cannot be read; set it anew".to_owned())
        }
    });
    let cause = cause.await?;
    Ok(web::Json(EchoView { answered: cause.is_none(), cause }))
}
