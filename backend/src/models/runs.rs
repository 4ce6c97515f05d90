//! Runs: trainings of adapters, their metrics, and the adapters themselves.

use chrono::Utc;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::state::State;
use super::work::{self, Kind, signed};
use crate::database;
use crate::entities::run_metrics;
use crate::entities::runs::{ActiveModel, Column, Entity, Model};

/// How an adapter is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunConfig {
    /// `lora`.
    pub method: String,
    /// Rank of the adapter.
    pub rank: usize,
    /// The adapter's change is scaled by alpha / rank.
    pub alpha: f64,
    /// Steps in all.
    pub steps: u64,
    /// Images a step.
    pub batch_size: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// Seed of everything random.
    pub seed: u64,
}

/// An event of a training, as it is kept.
#[derive(Debug, Clone)]
pub struct Metric {
    /// The step that it belongs to.
    pub step: u64,
    /// The engine's event.
    pub event: Value,
}

/// What a training came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Loss on held-out patients of the untouched model.
    pub validation_loss_before: f32,
    /// The same with the trained adapter.
    pub validation_loss_after: f32,
    /// The adapter's folder, relative to the data directory.
    pub adapter_path: String,
}

/// Makes a queued record.
pub async fn insert(
    db: &impl ConnectionTrait,
    id: &str,
    name: &str,
    dataset_id: &str,
    config: &RunConfig,
    created_by: &str,
) -> Result<Model, DbErr> {
    let json = serde_json::to_value(config).map_err(|error| DbErr::Json(error.to_string()))?;
    ActiveModel {
        id: Set(id.to_owned()),
        name: Set(name.to_owned()),
        dataset_id: Set(dataset_id.to_owned()),
        config: Set(json),
        state: Set(State::Queued.word().to_owned()),
        progress_step: Set(0),
        progress_total: Set(signed(config.steps)),
        error: Set(None),
        validation_loss_before: Set(None),
        validation_loss_after: Set(None),
        adapter_path: Set(None),
        promoted_at: Set(None),
        created_by: Set(created_by.to_owned()),
        created_at: Set(Utc::now()),
    }
    .insert(db)
    .await
}

/// The run with this identifier.
pub async fn get(db: &impl ConnectionTrait, id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// The configuration of a record.
pub fn config(model: &Model) -> Result<RunConfig, DbErr> {
    serde_json::from_value(model.config.clone()).map_err(|error| DbErr::Json(error.to_string()))
}

/// A page of runs, the newest first, and how many there are.
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

/// Ends a training well. False where somebody cancelled before.
pub async fn succeed(db: &DatabaseConnection, id: &str, outcome: &Outcome) -> Result<bool, DbErr> {
    let transaction = database::begin(db).await?;
    if !work::finish(&transaction, Kind::Run, id, State::Succeeded, None).await? {
        return Ok(false);
    }
    ActiveModel {
        id: Set(id.to_owned()),
        validation_loss_before: Set(Some(f64::from(outcome.validation_loss_before))),
        validation_loss_after: Set(Some(f64::from(outcome.validation_loss_after))),
        adapter_path: Set(Some(outcome.adapter_path.clone())),
        ..Default::default()
    }
    .update(&transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Makes a finished run's adapter selectable; a second time changes nothing.
pub async fn promote(db: &impl ConnectionTrait, model: Model) -> Result<Model, DbErr> {
    if model.promoted_at.is_some() {
        return Ok(model);
    }
    ActiveModel { id: Set(model.id), promoted_at: Set(Some(Utc::now())), ..Default::default() }
        .update(db)
        .await
}

/// Promoted runs, the newest first.
pub async fn promoted(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::PromotedAt.is_not_null())
        .order_by_desc(Column::PromotedAt)
        .all(db)
        .await
}

/// Drops the metrics of steps that will be done again.
pub async fn forget_metrics_after(
    db: &impl ConnectionTrait,
    id: &str,
    step: u64,
) -> Result<(), DbErr> {
    run_metrics::Entity::delete_many()
        .filter(run_metrics::Column::RunId.eq(id))
        .filter(run_metrics::Column::Step.gt(signed(step)))
        .exec(db)
        .await?;
    Ok(())
}

/// Keeps events, in their order.
pub async fn add_metrics(
    db: &impl ConnectionTrait,
    id: &str,
    metrics: Vec<Metric>,
) -> Result<(), DbErr> {
    if metrics.is_empty() {
        return Ok(());
    }
    let rows = metrics.into_iter().map(|metric| run_metrics::ActiveModel {
        run_id: Set(id.to_owned()),
        step: Set(signed(metric.step)),
        event: Set(metric.event),
        ..Default::default()
    });
    run_metrics::Entity::insert_many(rows).exec_without_returning(db).await?;
    Ok(())
}

/// Every event of a run that was kept, in their order.
pub async fn metrics(db: &impl ConnectionTrait, id: &str) -> Result<Vec<Value>, DbErr> {
    run_metrics::Entity::find()
        .select_only()
        .column(run_metrics::Column::Event)
        .filter(run_metrics::Column::RunId.eq(id))
        .order_by_asc(run_metrics::Column::Id)
        .into_tuple()
        .all(db)
        .await
}

/// The last step that a run told of.
pub async fn last_step(db: &impl ConnectionTrait, id: &str) -> Result<Option<Value>, DbErr> {
    // Between two steps stand three other events at most: validation, checkpoint, start.
    let events: Vec<Value> = run_metrics::Entity::find()
        .select_only()
        .column(run_metrics::Column::Event)
        .filter(run_metrics::Column::RunId.eq(id))
        .order_by_desc(run_metrics::Column::Id)
        .limit(8)
        .into_tuple()
        .all(db)
        .await?;
    Ok(events.into_iter().find(|event| event["event"] == "step"))
}
