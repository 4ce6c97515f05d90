//! `POST /datasets`

use std::collections::HashMap;

use actix_web::{HttpResponse, post, web};
use sea_orm::ConnectionTrait;
use skiagraph_compliance::audit::Action;
use uuid::Uuid;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::domain::Domain;
use crate::controllers::{Body, Refusals};
use crate::error::ApiError;
use crate::models::work::Kind;
use crate::models::{self, datasets};
use crate::views::datasets::{DatasetView, NewDataset};

/// Builds a data set from uploads, with captions and a split by patient. A job does it.
#[utoipa::path(
    tag = "datasets",
    request_body = NewDataset,
    responses((status = 202, description = "It will be built", body = DatasetView), Refusals),
)]
#[post("/datasets")]
pub(super) async fn create(
    access: MlEngineer,
    domain: web::Data<Domain>,
    body: Body<NewDataset>,
) -> Result<HttpResponse, ApiError> {
    let wanted = body.read().await?.checked()?;
    let id = Uuid::now_v7().to_string();
    let change = access.change().await?;
    check_uploads(change.db(), &wanted.upload_ids).await?;
    let new = datasets::NewDataset {
        id: id.clone(),
        name: wanted.name,
        upload_ids: wanted.upload_ids.clone(),
        validation_fraction: wanted.validation_fraction,
        seed: wanted.seed.unsigned_abs(),
        licence: wanted.licence,
        attribution: wanted.attribution,
        created_by: access.user().id.clone(),
    };
    let model = datasets::insert(change.db(), new).await?;
    let entry = Entry::of(Action::OrderCreated, "dataset", &id);
    change.commit(entry.detail("uploads", wanted.upload_ids.len())).await?;
    domain.queue.push(Kind::Dataset, &id).await?;
    Ok(HttpResponse::Accepted().json(super::view(model, wanted.upload_ids)?))
}

/// Every upload is there, nobody has to decide about a radiograph of theirs any more, and no two of their radiographs claim to be the same instance.
async fn check_uploads(db: &impl ConnectionTrait, upload_ids: &[String]) -> Result<(), ApiError> {
    if let Some(missing) = models::uploads::missing(db, upload_ids).await?.first() {
        let position = upload_ids.iter().position(|id| id == missing).unwrap_or_default();
        return Err(ApiError::invalid(
            &format!("upload_ids[{position}]"),
            "there is no such upload",
        ));
    }
    let pending = models::radiographs::pending(db, upload_ids).await?;
    for (position, id) in upload_ids.iter().enumerate() {
        if let Some(count) = pending.get(id) {
            return Err(ApiError::conflict(
                &format!("upload_ids[{position}]"),
                format!(
                    "{count} of its radiographs wait for a decision: accept or exclude them first"
                ),
            ));
        }
    }
    let mut instances = HashMap::new();
    for radiograph in models::radiographs::wanted_of_uploads(db, upload_ids).await? {
        let sha256 =
            instances.entry(radiograph.sop_instance_uid).or_insert(radiograph.sha256.clone());
        if *sha256 != radiograph.sha256 {
            return Err(ApiError::invalid(
                "upload_ids",
                "two uploads hold the same SOP Instance UID with different content",
            ));
        }
    }
    Ok(())
}
