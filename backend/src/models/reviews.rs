//! Reviews: the history is kept, the newest verdict counts.

use chrono::Utc;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set,
};

use crate::entities::reviews::{ActiveModel, Column, Entity, Model};

/// A review to keep.
#[derive(Debug)]
pub struct NewReview<'a> {
    /// Identifier.
    pub id: String,
    /// The image.
    pub image_id: &'a str,
    /// The user who judges.
    pub reviewer: &'a str,
    /// `release` or `reject`.
    pub verdict: &'a str,
    /// Why.
    pub reason: Option<String>,
    /// How real it looks, from 1 to 5.
    pub realism: Option<u8>,
}

/// Keeps a review.
pub async fn insert(db: &impl ConnectionTrait, new: NewReview<'_>) -> Result<Model, DbErr> {
    ActiveModel {
        id: Set(new.id),
        image_id: Set(new.image_id.to_owned()),
        reviewer: Set(new.reviewer.to_owned()),
        verdict: Set(new.verdict.to_owned()),
        reason: Set(new.reason),
        realism: Set(new.realism.map(i32::from)),
        created_at: Set(Utc::now()),
    }
    .insert(db)
    .await
}

/// The review that counts.
pub async fn newest(db: &impl ConnectionTrait, image_id: &str) -> Result<Option<Model>, DbErr> {
    let all = Entity::find().filter(Column::ImageId.eq(image_id));
    all.order_by_desc(Column::Id).one(db).await
}

/// A page of an image's reviews, the newest first, and how many there are.
pub async fn list(
    db: &impl ConnectionTrait,
    image_id: &str,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Model>, u64), DbErr> {
    let all = Entity::find().filter(Column::ImageId.eq(image_id));
    let total = all.clone().count(db).await?;
    let items = all.order_by_desc(Column::Id).offset(offset).limit(limit).all(db).await?;
    Ok((items, total))
}
