//! Uploads.

use chrono::Utc;
use sea_orm::sea_query::{self, Expr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set,
};

use super::work::signed;
use crate::entities::uploads::{ActiveModel, Column, Entity, Model};

/// Makes an upload's record; its radiographs follow in the same transaction.
pub async fn insert(
    db: &impl ConnectionTrait,
    id: &str,
    name: &str,
    created_by: &str,
    radiograph_count: u64,
) -> Result<Model, DbErr> {
    ActiveModel {
        id: Set(id.to_owned()),
        name: Set(name.to_owned()),
        created_by: Set(created_by.to_owned()),
        created_at: Set(Utc::now()),
        radiograph_count: Set(signed(radiograph_count)),
    }
    .insert(db)
    .await
}

/// Counts radiographs that came later; they follow in the same transaction.
pub async fn add(db: &impl ConnectionTrait, id: &str, radiographs: u64) -> Result<Model, DbErr> {
    Entity::update_many()
        .col_expr(
            Column::RadiographCount,
            sea_query::ExprTrait::add(Expr::col(Column::RadiographCount), signed(radiographs)),
        )
        .filter(Column::Id.eq(id))
        .exec(db)
        .await?;
    get(db, id).await?.ok_or_else(|| DbErr::RecordNotFound("an upload that grows".to_owned()))
}

/// The upload with this identifier.
pub async fn get(db: &impl ConnectionTrait, id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// A page of uploads, the newest first, and how many there are.
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

/// Those of the identifiers that no upload has.
pub async fn missing(db: &impl ConnectionTrait, ids: &[String]) -> Result<Vec<String>, DbErr> {
    let found: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Id.is_in(ids))
        .into_tuple()
        .all(db)
        .await?;
    Ok(ids.iter().filter(|id| !found.contains(id)).cloned().collect())
}
