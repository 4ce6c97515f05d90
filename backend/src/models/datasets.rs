//! Data sets, and the uploads that they are built from.

use chrono::Utc;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde_json::Value;

use super::state::State;
use super::work::{self, Kind, signed};
use crate::database;
use crate::entities::dataset_uploads;
use crate::entities::datasets::{ActiveModel, Column, Entity, Model};

/// What a data set is to be built from.
#[derive(Debug)]
pub struct NewDataset {
    /// Identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The uploads.
    pub upload_ids: Vec<String>,
    /// Share of patients kept for validation.
    pub validation_fraction: f32,
    /// Seed of the split.
    pub seed: u64,
    /// Licence of the radiographs.
    pub licence: String,
    /// Whom to credit.
    pub attribution: String,
    /// Who asks.
    pub created_by: String,
}

/// Makes a queued record.
pub async fn insert(db: &impl ConnectionTrait, new: NewDataset) -> Result<Model, DbErr> {
    let links = new.upload_ids.iter().map(|upload_id| dataset_uploads::ActiveModel {
        dataset_id: Set(new.id.clone()),
        upload_id: Set(upload_id.clone()),
    });
    let links: Vec<_> = links.collect();
    let model = ActiveModel {
        id: Set(new.id),
        name: Set(new.name),
        state: Set(State::Queued.word().to_owned()),
        progress_step: Set(0),
        progress_total: Set(0),
        error: Set(None),
        card: Set(None),
        validation_fraction: Set(f64::from(new.validation_fraction)),
        seed: Set(signed(new.seed)),
        licence: Set(new.licence),
        attribution: Set(new.attribution),
        created_by: Set(new.created_by),
        created_at: Set(Utc::now()),
    }
    .insert(db)
    .await?;
    dataset_uploads::Entity::insert_many(links).exec_without_returning(db).await?;
    Ok(model)
}

/// The data set with this identifier.
pub async fn get(db: &impl ConnectionTrait, id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// A page of data sets, the newest first, and how many there are.
pub async fn list(
    db: &impl ConnectionTrait,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Model>, u64), DbErr> {
    let all = Entity::find();
    let total = all.clone().count(db).await?;
    let items = all.order_by_desc(Column::Id).offset(offset).limit(limit).all(db).await?;
    Ok((items, total))
}

/// The uploads of these data sets: pairs of data set and upload.
pub async fn uploads_of(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = &str>,
) -> Result<Vec<(String, String)>, DbErr> {
    let links = dataset_uploads::Entity::find()
        .filter(dataset_uploads::Column::DatasetId.is_in(ids))
        .all(db)
        .await?;
    Ok(links.into_iter().map(|link| (link.dataset_id, link.upload_id)).collect())
}

/// Ends the building well. False where somebody cancelled before.
pub async fn succeed(db: &DatabaseConnection, id: &str, card: Value) -> Result<bool, DbErr> {
    let transaction = database::begin(db).await?;
    if !work::finish(&transaction, Kind::Dataset, id, State::Succeeded, None).await? {
        return Ok(false);
    }
    ActiveModel { id: Set(id.to_owned()), card: Set(Some(card)), ..Default::default() }
        .update(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}
