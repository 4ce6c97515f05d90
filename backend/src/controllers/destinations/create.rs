//! `POST /destinations`

use actix_web::{HttpResponse, post, web};
use skiagraph_compliance::audit::Action;

use crate::audit::{Change, Entry};
use crate::auth::Admin;
use crate::controllers::domain::Domain;
use crate::controllers::{Body, Refusals};
use crate::destinations::Known;
use crate::entities::destinations::Model;
use crate::error::{ApiError, Problem};
use crate::models;
use crate::views::destinations::{DestinationView, NewDestination};

/// Makes an archive that images may be sent to. What opens it is kept in a file of the platform's and is
/// in no answer.
#[utoipa::path(
    tag = "transfers",
    request_body = NewDestination,
    responses(
        (status = 201, description = "The archive", body = DestinationView),
        (status = 409, description = "The name is taken", body = Problem),
        Refusals,
    ),
)]
#[post("/destinations")]
pub(super) async fn create(
    access: Admin,
    domain: web::Data<Domain>,
    body: Body<NewDestination>,
) -> Result<HttpResponse, ApiError> {
    let (name, settings) = body.read().await?.checked()?;
    let change = access.change().await?;
    if domain.destinations.find(change.db(), &name).await?.is_some() {
        return Err(ApiError::conflict("name", "is taken"));
    }
    let (settings, secret) = settings.without_secret();
    let secret = super::keep(&domain.destinations, secret).await?;
    let model = settings.model(name, secret.clone(), &access.user().id);
    match insert(change, model).await {
        Ok(model) => {
            let name = model.name.clone();
            let view = DestinationView::of(name, &Known::Record(Box::new(model)), true);
            Ok(HttpResponse::Created().json(view.map_err(ApiError::Internal)?))
        }
        Err(error) => {
            super::forget(&domain.destinations, secret).await;
            Err(error)
        }
    }
}

async fn insert(change: Change, model: Model) -> Result<Model, ApiError> {
    let model = models::destinations::insert(change.db(), model).await?;
    let entry = Entry::of(Action::NetworkConfigured, "destination", &model.name)
        .detail("change", "created")
        .detail("kind", model.kind.as_str())
        .detail("accepts_synthetic", model.accepts_synthetic);
    change.commit(entry).await?;
    Ok(model)
}
