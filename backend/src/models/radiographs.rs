//! Radiographs.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::entities::radiographs::{ActiveModel, Column, Entity, Model};

/// Rows that one statement inserts: SQLite takes 32,766 values in one.
const BATCH: usize = 500;

/// Inserts the radiographs of an upload.
pub async fn insert(db: &impl ConnectionTrait, radiographs: Vec<ActiveModel>) -> Result<(), DbErr> {
    for batch in radiographs.chunks(BATCH) {
        Entity::insert_many(batch.to_vec()).exec_without_returning(db).await?;
    }
    Ok(())
}

/// The radiograph with this identifier.
pub async fn get(db: &impl ConnectionTrait, id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// A page of radiographs in the order of their arrival, and how many there are.
pub async fn list(
    db: &impl ConnectionTrait,
    upload_id: Option<&str>,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Model>, u64), DbErr> {
    let mut all = Entity::find();
    if let Some(upload_id) = upload_id {
        all = all.filter(Column::UploadId.eq(upload_id));
    }
    let total = all.clone().count(db).await?;
    let items = all.order_by_asc(Column::Id).offset(offset).limit(limit).all(db).await?;
    Ok((items, total))
}

/// Every radiograph of these uploads, in the order of their arrival.
pub async fn of_uploads(
    db: &impl ConnectionTrait,
    upload_ids: &[String],
) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::UploadId.is_in(upload_ids)).order_by_asc(Column::Id).all(db).await
}

/// Whether a record needs the object.
pub async fn uses_object(db: &impl ConnectionTrait, key: &str) -> Result<bool, DbErr> {
    Ok(Entity::find().filter(Column::ObjectKey.eq(key)).count(db).await? > 0)
}
