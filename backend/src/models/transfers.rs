//! Transfers: released images on their way to an archive.

use chrono::Utc;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde_json::json;

use super::state::State;
use super::work::signed;
use crate::entities::transfers::{ActiveModel, Column, Entity, Model};

/// A transfer to make.
#[derive(Debug)]
pub struct NewTransfer<'a> {
    /// Identifier.
    pub id: &'a str,
    /// The images, in the order in which they are sent.
    pub image_ids: &'a [String],
    /// Name of the destination.
    pub destination: &'a str,
    /// The user.
    pub created_by: &'a str,
}

/// Makes a queued record.
pub async fn insert(db: &impl ConnectionTrait, new: NewTransfer<'_>) -> Result<Model, DbErr> {
    ActiveModel {
        id: Set(new.id.to_owned()),
        image_ids: Set(json!(new.image_ids)),
        destination: Set(new.destination.to_owned()),
        state: Set(State::Queued.word().to_owned()),
        progress_step: Set(0),
        progress_total: Set(signed(new.image_ids.len() as u64)),
        error: Set(None),
        warning: Set(None),
        created_by: Set(new.created_by.to_owned()),
        created_at: Set(Utc::now()),
    }
    .insert(db)
    .await
}

/// The transfer with this identifier.
pub async fn get(db: &impl ConnectionTrait, id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// The images of a record.
pub fn images(model: &Model) -> Result<Vec<String>, DbErr> {
    serde_json::from_value(model.image_ids.clone()).map_err(|error| DbErr::Json(error.to_string()))
}

/// Notes what the archive kept with a warning.
pub async fn warn(db: &impl ConnectionTrait, id: &str, warning: &str) -> Result<(), DbErr> {
    let warned = ActiveModel {
        id: Set(id.to_owned()),
        warning: Set(Some(warning.to_owned())),
        ..Default::default()
    };
    warned.update(db).await?;
    Ok(())
}

/// How many transfers to this destination wait or are under way.
pub async fn unfinished_to(db: &impl ConnectionTrait, destination: &str) -> Result<u64, DbErr> {
    let unfinished = [State::Queued, State::Running].map(State::word);
    Entity::find()
        .filter(Column::Destination.eq(destination))
        .filter(Column::State.is_in(unfinished))
        .count(db)
        .await
}

/// A page of a user's transfers, the newest first, and how many there are.
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
