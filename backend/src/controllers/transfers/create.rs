//! `POST /transfers`

use actix_web::{HttpResponse, post, web};
use sea_orm::ConnectionTrait;
use skiagraph_compliance::audit::Action;
use uuid::Uuid;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::domain::Domain;
use crate::controllers::{Body, Refusals, images};
use crate::error::{ApiError, Problem};
use crate::models;
use crate::models::work::Kind;
use crate::views::images::ReviewState;
use crate::views::transfers::{NewTransfer, TransferView};

/// Sends released images of yours to an archive, by C-STORE or STOW-RS. Only an archive that is marked
/// for synthetic images gets any.
#[utoipa::path(
    tag = "transfers",
    request_body = NewTransfer,
    responses(
        (status = 202, description = "They will be sent", body = TransferView),
        (status = 409, description = "An image is not released", body = Problem),
        Refusals,
    ),
)]
#[post("/transfers")]
pub(super) async fn create(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    body: Body<NewTransfer>,
) -> Result<HttpResponse, ApiError> {
    let transfer = body.read().await?.checked()?;
    let change = access.change().await?;
    let destination = domain.destinations.find(change.db(), &transfer.destination).await?;
    let destination = destination
        .ok_or_else(|| ApiError::invalid("destination", "there is no archive of this name"))?;
    if !destination.accepts_synthetic() {
        let cause = "the archive is not marked for synthetic images";
        return Err(ApiError::invalid("destination", cause));
    }
    for (index, image_id) in transfer.image_ids.iter().enumerate() {
        check_image(change.db(), &access.user().id, index, image_id).await?;
    }
    let id = Uuid::now_v7().to_string();
    let new = models::transfers::NewTransfer {
        id: &id,
        image_ids: &transfer.image_ids,
        destination: &transfer.destination,
        created_by: &access.user().id,
    };
    let record = models::transfers::insert(change.db(), new).await?;
    let entry = Entry::of(Action::OrderCreated, "transfer", &id)
        .detail("destination", transfer.destination.as_str())
        .detail("images", transfer.image_ids.len());
    change.commit(entry).await?;
    domain.queue.push(Kind::Transfer, &id).await?;
    Ok(HttpResponse::Accepted().json(super::view(record)?))
}

/// The image is this user's own, and released.
async fn check_image(
    db: &impl ConnectionTrait,
    user_id: &str,
    index: usize,
    image_id: &str,
) -> Result<(), ApiError> {
    let field = format!("image_ids[{index}]");
    let image = match images::own(db, user_id, image_id).await {
        Ok(image) => image,
        Err(ApiError::NotFound(_)) => {
            return Err(ApiError::invalid(&field, "there is no such image"));
        }
        Err(error) => return Err(error),
    };
    if image.review_state == ReviewState::Released.word() {
        Ok(())
    } else {
        Err(ApiError::conflict(&field, format!("the image is {}", image.review_state)))
    }
}
