//! Searching the index, for whoever may see what.

use sea_orm::sea_query::{self, Expr, Func, LikeExpr, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::entities::instances::{Column, Entity, Model};
use crate::entities::{generations, images};

/// Who looks, and so what is in sight: what was released, what the user asked for, and radiographs for
/// those who may read them.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The user.
    pub user_id: String,
    /// Whether radiographs may be seen.
    pub radiographs: bool,
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It fits a pattern of SQL's `LIKE` with `\` before what is meant literally; letters fit both cases.
    Like(String),
    /// It is one of these.
    AnyOf(Vec<String>),
    /// It is none before the first and none after the second.
    Between(Option<String>, Option<String>),
    /// Some instance of its study has this value.
    SomeInStudy(String),
}

/// A column and what its value must be.
#[derive(Debug, Clone)]
pub struct Criterion {
    /// The column.
    pub column: Column,
    /// What it must be.
    pub test: Test,
}

/// Instances that belong together: a study or a series.
#[derive(Debug)]
pub struct Group {
    /// One of them, whose attributes stand for all.
    pub first: Model,
    /// How many series there are in sight.
    pub series: u64,
    /// How many instances.
    pub instances: u64,
    /// Their modalities, in the order of the alphabet.
    pub modalities: Vec<String>,
}

impl Reader {
    fn sees(&self) -> Condition {
        let mut sees = Condition::any()
            .add(Column::ImageId.in_subquery(images_of(|select| {
                select.and_where(images::Column::ReviewState.eq("released"));
            })))
            .add(Column::ImageId.in_subquery(images_of(|select| {
                let own = Query::select()
                    .column(generations::Column::Id)
                    .from(generations::Entity)
                    .and_where(generations::Column::CreatedBy.eq(self.user_id.as_str()))
                    .to_owned();
                select.and_where(images::Column::GenerationId.in_subquery(own));
            })));
        if self.radiographs {
            sees = sees.add(Column::RadiographId.is_not_null());
        }
        sees
    }
}

fn images_of(narrow: impl FnOnce(&mut SelectStatement)) -> SelectStatement {
    let mut select = Query::select();
    select.column(images::Column::Id).from(images::Entity);
    narrow(&mut select);
    select
}

impl Criterion {
    fn condition(&self, reader: &Reader) -> Condition {
        let column = self.column;
        match &self.test {
            Test::Like(pattern) => {
                let like = LikeExpr::new(pattern.to_lowercase()).escape('\\');
                let lower = Expr::expr(Func::lower(Expr::col(column)));
                // By its path: columns have tests of the same names.
                Condition::all().add(sea_query::ExprTrait::like(lower, like))
            }
            Test::AnyOf(values) => Condition::all().add(column.is_in(values)),
            Test::Between(first, last) => Condition::all()
                .add(column.is_not_null())
                .add_option(first.as_ref().map(|first| column.gte(first.as_str())))
                .add_option(last.as_ref().map(|last| column.lte(last.as_str()))),
            Test::SomeInStudy(value) => {
                let studies = Query::select()
                    .column(Column::StudyInstanceUid)
                    .from(Entity)
                    .and_where(column.eq(value.as_str()))
                    .cond_where(reader.sees())
                    .to_owned();
                Condition::all().add(Column::StudyInstanceUid.in_subquery(studies))
            }
        }
    }
}

fn matching(reader: &Reader, criteria: &[Criterion]) -> Condition {
    criteria
        .iter()
        .fold(Condition::all().add(reader.sees()), |all, one| all.add(one.condition(reader)))
}

/// A page of studies or series (`by` their column) of which an instance in sight fits, the newest first.
pub async fn groups(
    db: &impl ConnectionTrait,
    reader: &Reader,
    criteria: &[Criterion],
    by: Column,
    offset: u64,
    limit: u64,
) -> Result<Vec<Group>, DbErr> {
    let page: Vec<String> = Entity::find()
        .select_only()
        .column(by)
        .filter(matching(reader, criteria))
        .group_by(by)
        .order_by_desc(Column::CreatedAt.max())
        .order_by_asc(by)
        .offset(offset)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    if page.is_empty() {
        return Ok(Vec::new());
    }
    // What a group holds is all of it that is in sight, whatever of it was searched for.
    let members = Condition::all().add(reader.sees()).add(by.is_in(&page));
    let counts: Vec<(String, String, Option<String>, i64)> = Entity::find()
        .select_only()
        .column_as(by, "place")
        .column(Column::SeriesInstanceUid)
        .column(Column::Modality)
        .column_as(Column::SopInstanceUid.count(), "instances")
        .filter(members.clone())
        .group_by(by)
        .group_by(Column::SeriesInstanceUid)
        .group_by(Column::Modality)
        .into_tuple()
        .all(db)
        .await?;
    let first: Vec<String> = Entity::find()
        .select_only()
        .column_as(Column::SopInstanceUid.min(), "first")
        .filter(members)
        .group_by(by)
        .into_tuple()
        .all(db)
        .await?;
    let mut firsts = Entity::find().filter(Column::SopInstanceUid.is_in(&first)).all(db).await?;
    let mut groups = Vec::with_capacity(page.len());
    for uid in page {
        let place = |model: &Model| {
            let study = matches!(by, Column::StudyInstanceUid);
            uid == *if study { &model.study_instance_uid } else { &model.series_instance_uid }
        };
        let Some(at) = firsts.iter().position(place) else { continue };
        let own: Vec<_> = counts.iter().filter(|(place, ..)| *place == uid).collect();
        let mut series: Vec<&str> = own.iter().map(|(_, series, ..)| series.as_str()).collect();
        let mut modalities: Vec<String> =
            own.iter().filter_map(|(_, _, modality, _)| modality.clone()).collect();
        series.sort_unstable();
        series.dedup();
        modalities.sort();
        modalities.dedup();
        let instances = own.iter().map(|(.., count)| count.unsigned_abs()).sum();
        let series = series.len() as u64;
        groups.push(Group { first: firsts.swap_remove(at), series, instances, modalities });
    }
    Ok(groups)
}

/// A page of instances in sight that fit, study by study and series by series.
pub async fn find(
    db: &impl ConnectionTrait,
    reader: &Reader,
    criteria: &[Criterion],
    offset: u64,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(matching(reader, criteria))
        .order_by_asc(Column::StudyInstanceUid)
        .order_by_asc(Column::SeriesInstanceUid)
        .order_by_asc(Column::SopInstanceUid)
        .offset(offset)
        .limit(limit)
        .all(db)
        .await
}

/// Every instance in sight of a study, or of one of its series.
pub async fn of(
    db: &impl ConnectionTrait,
    reader: &Reader,
    study: &str,
    series: Option<&str>,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(reader.sees())
        .filter(Column::StudyInstanceUid.eq(study))
        .filter(Condition::all().add_option(series.map(|uid| Column::SeriesInstanceUid.eq(uid))))
        .order_by_asc(Column::SeriesInstanceUid)
        .order_by_asc(Column::SopInstanceUid)
        .all(db)
        .await
}

/// An instance in sight, at its place.
pub async fn get(
    db: &impl ConnectionTrait,
    reader: &Reader,
    study: &str,
    series: &str,
    instance: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(instance)
        .filter(reader.sees())
        .filter(Column::StudyInstanceUid.eq(study))
        .filter(Column::SeriesInstanceUid.eq(series))
        .one(db)
        .await
}
