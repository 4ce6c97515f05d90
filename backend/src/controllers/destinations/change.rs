//! `PUT /destinations/{id}`

use actix_web::{put, web};
use skiagraph_compliance::audit::Action;

use crate::audit::{Change, Entry};
use crate::auth::Admin;
use crate::controllers::domain::Domain;
use crate::controllers::{Body, Refusals};
use crate::destinations::Known;
use crate::entities::destinations::Model;
use crate::error::{ApiError, Problem};
use crate::models;
use crate::views::destinations::{DestinationSettings, DestinationView};

/// Gives an archive other settings, all of them. Only what opens it may be left out, and is kept then,
/// as long as the archive stays at its address.
#[utoipa::path(
    tag = "transfers",
    params(("id" = String, Path, description = "Name of the archive")),
    request_body = DestinationSettings,
    responses(
        (status = 200, description = "The archive", body = DestinationView),
        (status = 409, description = "It stands in the configuration", body = Problem),
        Refusals,
    ),
)]
#[put("/destinations/{id}")]
pub(super) async fn change(
    access: Admin,
    domain: web::Data<Domain>,
    id: web::Path<String>,
    body: Body<DestinationSettings>,
) -> Result<web::Json<DestinationView>, ApiError> {
    let settings = body.read().await?.checked()?;
    let change = access.change().await?;
    let before = super::record(&domain.destinations, change.db(), &id).await?;
    let keeps = settings.keeps_secret_of(&before)?;
    let (settings, secret) = settings.without_secret();
    let fresh = super::keep(&domain.destinations, secret).await?;
    let secret = if keeps { before.secret.clone() } else { fresh.clone() };
    let model = settings.model(before.name.clone(), secret, &before.created_by);
    let model = Model { created_at: before.created_at, ..model };
    match replace(change, &before, model).await {
        Ok(model) => {
            if !keeps {
                super::forget(&domain.destinations, before.secret).await;
            }
            let view = DestinationView::of(before.name, &Known::Record(Box::new(model)), true);
            Ok(web::Json(view.map_err(ApiError::Internal)?))
        }
        Err(error) => {
            super::forget(&domain.destinations, fresh).await;
            Err(error)
        }
    }
}

async fn replace(open: Change, before: &Model, model: Model) -> Result<Model, ApiError> {
    let model = models::destinations::replace(open.db(), model).await?;
    let mut changed = Vec::new();
    for (field, differs) in [
        ("kind", before.kind != model.kind),
        ("address", before.address != model.address),
        ("accepts_synthetic", before.accepts_synthetic != model.accepts_synthetic),
        ("ae_title", before.ae_title != model.ae_title),
        ("calling_ae_title", before.calling_ae_title != model.calling_ae_title),
        ("tls", before.tls != model.tls),
        ("authorities", before.authorities != model.authorities),
        ("server_name", before.server_name != model.server_name),
        ("timeout_seconds", before.timeout_seconds != model.timeout_seconds),
        ("authentication", before.authentication != model.authentication),
        ("username", before.username != model.username),
        ("secret", before.secret != model.secret),
    ] {
        if differs {
            changed.push(field);
        }
    }
    let entry = Entry::of(Action::NetworkConfigured, "destination", &model.name)
        .detail("change", "changed")
        .detail("changed", changed)
        .detail("accepts_synthetic", model.accepts_synthetic);
    open.commit(entry).await?;
    Ok(model)
}
