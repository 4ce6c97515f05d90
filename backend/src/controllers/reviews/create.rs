//! `POST /images/{id}/reviews`

use actix_web::{HttpResponse, post, web};
use skiagraph_compliance::audit::Action;
use uuid::Uuid;

use crate::audit::Entry;
use crate::auth::Clinician;
use crate::controllers::{Body, Refusals, images};
use crate::error::ApiError;
use crate::models;
use crate::models::reviews;
use crate::views::images::{NewReview, ReviewView};

/// Releases or rejects a synthetic image. A later verdict supersedes an earlier one; the history
/// is kept.
#[utoipa::path(
    tag = "images",
    params(("id" = String, Path, description = "The image")),
    request_body = NewReview,
    responses((status = 201, description = "It is judged", body = ReviewView), Refusals),
)]
#[post("/images/{id}/reviews")]
pub(super) async fn create(
    access: Clinician,
    id: web::Path<String>,
    body: Body<NewReview>,
) -> Result<HttpResponse, ApiError> {
    let review = body.read().await?.checked()?;
    let change = access.change().await?;
    images::own(change.db(), &access.user().id, &id).await?;
    let new = reviews::NewReview {
        id: Uuid::now_v7().to_string(),
        image_id: &id,
        reviewer: &access.user().id,
        verdict: review.verdict.word(),
        reason: review.reason,
        realism: review.realism,
    };
    let model = reviews::insert(change.db(), new).await?;
    let state = review.verdict.review_state().word();
    models::images::set_review_state(change.db(), &id, state).await?;
    let entry = Entry::of(Action::ReviewCreated, "image", &id);
    change.commit(entry.detail("verdict", review.verdict.word())).await?;
    Ok(HttpResponse::Created().json(super::view(model, access.user().display_name.clone())?))
}
