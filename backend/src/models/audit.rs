//! Rows of the audit log.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

use crate::entities::audit_events::{Column, Entity, Model};

/// Rows that are held at once when the whole log is walked.
const STRIDE: u64 = 1000;

/// Which events to list. Times are in the form of the column, so that text order is time order.
#[derive(Debug, Default, Clone)]
pub struct Filter {
    /// Identifier or name of the actor.
    pub actor: Option<String>,
    /// Word of the action.
    pub action: Option<String>,
    /// Identifier or kind of the object.
    pub object: Option<String>,
    /// Word of the outcome.
    pub outcome: Option<String>,
    /// Not before.
    pub from: Option<String>,
    /// Not after.
    pub to: Option<String>,
}

impl Filter {
    /// Names of the fields that narrow it; none for the whole log.
    pub fn narrowed_by(&self) -> Vec<&'static str> {
        let fields = [
            ("actor", &self.actor),
            ("action", &self.action),
            ("object", &self.object),
            ("outcome", &self.outcome),
            ("from", &self.from),
            ("to", &self.to),
        ];
        fields.into_iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name).collect()
    }

    fn condition(&self) -> Condition {
        let either = |one: Column, other: Column, value: &Option<String>| {
            let value = value.clone()?;
            Some(Condition::any().add(one.eq(value.clone())).add(other.eq(value)))
        };
        Condition::all()
            .add_option(either(Column::ActorId, Column::ActorName, &self.actor))
            .add_option(self.action.clone().map(|word| Column::Action.eq(word)))
            .add_option(either(Column::ObjectId, Column::ObjectType, &self.object))
            .add_option(self.outcome.clone().map(|word| Column::Outcome.eq(word)))
            .add_option(self.from.clone().map(|time| Column::RecordedAt.gte(time)))
            .add_option(self.to.clone().map(|time| Column::RecordedAt.lte(time)))
    }
}

/// A page of events, the newest first, and how many there are.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &Filter,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Model>, u64), DbErr> {
    let all = Entity::find().filter(filter.condition());
    let total = all.clone().count(db).await?;
    let items = all.order_by_desc(Column::Sequence).offset(offset).limit(limit).all(db).await?;
    Ok((items, total))
}

/// The row of this number.
pub async fn row(db: &impl ConnectionTrait, sequence: i64) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(sequence).one(db).await
}

/// The next rows of the whole log after the one of this number.
pub async fn after(db: &impl ConnectionTrait, sequence: Option<i64>) -> Result<Vec<Model>, DbErr> {
    matching_after(db, &Filter::default(), sequence).await
}

/// The next matching rows after the one of this number, in the order of the log.
pub async fn matching_after(
    db: &impl ConnectionTrait,
    filter: &Filter,
    sequence: Option<i64>,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(filter.condition())
        .filter(Condition::all().add_option(sequence.map(|sequence| Column::Sequence.gt(sequence))))
        .order_by_asc(Column::Sequence)
        .limit(STRIDE)
        .all(db)
        .await
}
