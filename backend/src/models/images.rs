//! Synthetic images.

use chrono::Utc;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, JoinType,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde_json::Value;

use super::work::signed;
use crate::entities::generations;
use crate::entities::images::{ActiveModel, Column, Entity, Model};

/// A finished image whose objects are stored.
#[derive(Debug)]
pub struct NewImage {
    /// Identifier.
    pub id: String,
    /// The generation that it belongs to.
    pub generation_id: String,
    /// Its place among that generation's images, from 0.
    pub index: u32,
    /// The seed of its noise.
    pub seed: u64,
    /// Key of the DICOM file.
    pub object_key_dicom: String,
    /// Key of the PNG.
    pub object_key_png: String,
    /// SHA-256 of the DICOM file.
    pub sha256: String,
    /// Where it comes from.
    pub provenance: Value,
}

/// Which images to list.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// Only those that this user asked for.
    pub created_by: Option<&'a str>,
    /// Only those of this generation.
    pub generation_id: Option<&'a str>,
    /// Only those that stand so.
    pub review_state: Option<&'a str>,
}

/// Keeps a finished image; nobody has judged it.
pub async fn insert(db: &impl ConnectionTrait, new: NewImage) -> Result<Model, DbErr> {
    ActiveModel {
        id: Set(new.id),
        generation_id: Set(new.generation_id),
        index: Set(new.index.cast_signed()),
        seed: Set(signed(new.seed)),
        object_key_dicom: Set(new.object_key_dicom),
        object_key_png: Set(new.object_key_png),
        sha256: Set(new.sha256),
        provenance: Set(new.provenance),
        review_state: Set("pending".to_owned()),
        created_at: Set(Utc::now()),
    }
    .insert(db)
    .await
}

/// The image with this identifier.
pub async fn get(db: &impl ConnectionTrait, id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// The places of a generation whose images are finished.
pub async fn finished(db: &impl ConnectionTrait, generation_id: &str) -> Result<Vec<u32>, DbErr> {
    let places: Vec<i32> = Entity::find()
        .select_only()
        .column(Column::Index)
        .filter(Column::GenerationId.eq(generation_id))
        .into_tuple()
        .all(db)
        .await?;
    Ok(places.into_iter().map(i32::cast_unsigned).collect())
}

/// A page of images, the newest generation first, and how many there are.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &Filter<'_>,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Model>, u64), DbErr> {
    let condition = Condition::all()
        .add_option(filter.generation_id.map(|id| Column::GenerationId.eq(id)))
        .add_option(filter.review_state.map(|state| Column::ReviewState.eq(state)));
    let mut all = Entity::find().filter(condition);
    if let Some(created_by) = filter.created_by {
        let join = Entity::belongs_to(generations::Entity)
            .from(Column::GenerationId)
            .to(generations::Column::Id)
            .into();
        all = all
            .join(JoinType::InnerJoin, join)
            .filter(generations::Column::CreatedBy.eq(created_by));
    }
    let total = all.clone().count(db).await?;
    let items = all
        .order_by_desc(Column::GenerationId)
        .order_by_asc(Column::Index)
        .offset(offset)
        .limit(limit)
        .all(db)
        .await?;
    Ok((items, total))
}

/// Notes where an image stands on its way out.
pub async fn set_review_state(
    db: &impl ConnectionTrait,
    id: &str,
    review_state: &str,
) -> Result<(), DbErr> {
    ActiveModel {
        id: Set(id.to_owned()),
        review_state: Set(review_state.to_owned()),
        ..Default::default()
    }
    .update(db)
    .await?;
    Ok(())
}
