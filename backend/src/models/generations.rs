//! Generations: requests for images, and where they stand.

use chrono::Utc;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::state::State;
use super::work::signed;
use crate::entities::generations::{ActiveModel, Column, Entity, Model};

/// What an image is to show, in parts. Parts that are absent are left to the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Prompt {
    /// Findings by slug or name; `/findings` lists them.
    pub findings: Vec<String>,
    /// `child` or `adult`.
    pub age_group: Option<String>,
    /// `female`, `male` or `other`.
    pub sex: Option<String>,
    /// `AP`, `PA`, `LL` or `RL`.
    pub view_position: Option<String>,
    /// Anything more in free words, at most 2,000 characters.
    pub text: Option<String>,
}

/// A request with everything that decides the images filled in; as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GenerationRequest {
    /// What the images are to show.
    pub prompt: Prompt,
    /// The sentence that the model is given.
    pub sentence: String,
    /// What to lead away from.
    pub negative: Option<String>,
    /// Seed of the first image; the next images have the next seeds.
    pub seed: u64,
    /// Denoising steps.
    pub steps: u32,
    /// Strength of guidance.
    pub guidance_scale: f32,
    /// How many images.
    pub count: u32,
    /// The adapter, if any.
    pub adapter_id: Option<String>,
    /// How strongly the adapter acts.
    pub adapter_scale: Option<f32>,
}

/// Makes a queued record.
pub async fn insert(
    db: &impl ConnectionTrait,
    id: &str,
    request: &GenerationRequest,
    created_by: &str,
) -> Result<Model, DbErr> {
    let json = serde_json::to_value(request).map_err(|error| DbErr::Json(error.to_string()))?;
    ActiveModel {
        id: Set(id.to_owned()),
        request: Set(json),
        state: Set(State::Queued.word().to_owned()),
        progress_step: Set(0),
        progress_total: Set(signed(u64::from(request.count) * u64::from(request.steps))),
        error: Set(None),
        created_by: Set(created_by.to_owned()),
        created_at: Set(Utc::now()),
    }
    .insert(db)
    .await
}

/// The generation with this identifier.
pub async fn get(db: &impl ConnectionTrait, id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// The request of a record.
pub fn request(model: &Model) -> Result<GenerationRequest, DbErr> {
    serde_json::from_value(model.request.clone()).map_err(|error| DbErr::Json(error.to_string()))
}

/// A page of a user's generations, the newest first, and how many there are.
pub async fn list(
    db: &impl ConnectionTrait,
    created_by: &str,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Model>, u64), DbErr> {
    let all = Entity::find().filter(Column::CreatedBy.eq(created_by));
    let total = all.clone().count(db).await?;
    let items = all.order_by_desc(Column::Id).offset(offset).limit(limit).all(db).await?;
    Ok((items, total))
}
