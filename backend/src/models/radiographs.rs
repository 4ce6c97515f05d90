//! Radiographs.

use std::collections::HashMap;

use chrono::Utc;
use sea_orm::sea_query::{self, Expr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Select, Set,
};
use skiagraph_engine::quality::Fingerprint;

use crate::entities::radiographs::{ActiveModel, Column, Entity, Model};
use crate::models::check_state::CheckState;

/// Rows that one statement inserts: SQLite takes 32,766 values in one.
const BATCH: usize = 500;
/// The word of those that wait for a decision.
const PENDING: &str = CheckState::Pending.word();

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

/// Which radiographs to list.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// Only those of this upload.
    pub upload_id: Option<&'a str>,
    /// Only those that stand so after quality control.
    pub check_state: Option<&'a str>,
}

/// A page of radiographs in the order of their arrival, and how many there are.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &Filter<'_>,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Model>, u64), DbErr> {
    let condition = Condition::all()
        .add_option(filter.upload_id.map(|id| Column::UploadId.eq(id)))
        .add_option(filter.check_state.map(|state| Column::CheckState.eq(state)));
    let all = Entity::find().filter(condition);
    let total = all.clone().count(db).await?;
    let items = all.order_by_asc(Column::Id).offset(offset).limit(limit).all(db).await?;
    Ok((items, total))
}

/// Every radiograph of these uploads that nobody excluded, in the order of their arrival.
pub async fn wanted_of_uploads(
    db: &impl ConnectionTrait,
    upload_ids: &[String],
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::UploadId.is_in(upload_ids))
        .filter(Column::CheckState.ne(CheckState::Excluded.word()))
        .order_by_asc(Column::Id)
        .all(db)
        .await
}

/// Whether a record needs the object.
pub async fn uses_object(db: &impl ConnectionTrait, key: &str) -> Result<bool, DbErr> {
    Ok(Entity::find().filter(Column::ObjectKey.eq(key)).count(db).await? > 0)
}

/// Whether another file than the one with this hash is nearly the same picture. Those alone are read that
/// have a part of the fingerprint in common with it.
pub async fn has_near(
    db: &impl ConnectionTrait,
    sha256: &str,
    fingerprint: Fingerprint,
) -> Result<bool, DbErr> {
    let found: Vec<String> = candidates(sha256, fingerprint).into_tuple().all(db).await?;
    let mut found = found.iter().filter_map(|hex| Fingerprint::from_hex(hex));
    Ok(found.any(|other| other.is_near(&fingerprint)))
}

/// Fingerprints of other files that have a part in common with this one, each once: copies of one picture
/// may be many.
pub(crate) fn candidates(sha256: &str, fingerprint: Fingerprint) -> Select<Entity> {
    let mut any = Condition::any();
    for (part, digits) in fingerprint.parts().into_iter().enumerate() {
        // In the words of the indices, which a database would not know again in others.
        let own: Vec<String> = Fingerprint::digits_of(part)
            .map(|digit| format!("substr(fingerprint, {}, 1)", digit + 1))
            .collect();
        let own = Expr::cust(format!("({})", own.join(" || ")));
        any = any.add(sea_query::ExprTrait::eq(own, digits));
    }
    Entity::find()
        .select_only()
        .column(Column::Fingerprint)
        .distinct()
        .filter(Column::Sha256.ne(sha256))
        .filter(any)
}

/// How many radiographs of each of these uploads wait for a decision; those without any are not named.
pub async fn pending(
    db: &impl ConnectionTrait,
    upload_ids: &[String],
) -> Result<HashMap<String, u64>, DbErr> {
    let counts: Vec<(String, i64)> = Entity::find()
        .select_only()
        .column(Column::UploadId)
        .column_as(Column::Id.count(), "count")
        .filter(Column::UploadId.is_in(upload_ids))
        .filter(Column::CheckState.eq(PENDING))
        .group_by(Column::UploadId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(counts.into_iter().map(|(id, count)| (id, count.unsigned_abs())).collect())
}

/// Notes a decision about one radiograph.
pub async fn decide(
    db: &impl ConnectionTrait,
    id: &str,
    check_state: &str,
    decided_by: &str,
) -> Result<Model, DbErr> {
    ActiveModel {
        id: Set(id.to_owned()),
        check_state: Set(check_state.to_owned()),
        decided_by: Set(Some(decided_by.to_owned())),
        decided_at: Set(Some(Utc::now())),
        ..Default::default()
    }
    .update(db)
    .await
}

/// Notes a decision about all of an upload that wait for one. Returns how many there were.
pub async fn decide_pending(
    db: &impl ConnectionTrait,
    upload_id: &str,
    check_state: &str,
    decided_by: &str,
) -> Result<u64, DbErr> {
    let decided = ActiveModel {
        check_state: Set(check_state.to_owned()),
        decided_by: Set(Some(decided_by.to_owned())),
        decided_at: Set(Some(Utc::now())),
        ..Default::default()
    };
    let done = Entity::update_many()
        .set(decided)
        .filter(Column::UploadId.eq(upload_id))
        .filter(Column::CheckState.eq(PENDING))
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}
