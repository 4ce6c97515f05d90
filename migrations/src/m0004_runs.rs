//! Runs: trainings of adapters, and their metrics.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;

use crate::columns::{self, Columns};

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let runs = Table::create()
            .table("runs")
            .col(columns::id())
            .col(string("name"))
            .col(string("dataset_id"))
            .col(json("config"))
            .cols(columns::work())
            .col(double_null("validation_loss_before"))
            .col(double_null("validation_loss_after"))
            .col(columns::optional("adapter_path"))
            .col(timestamp_with_time_zone_null("promoted_at"))
            .cols(columns::origin())
            .foreign_key(&mut columns::names("runs", "dataset_id", "datasets"))
            .foreign_key(&mut columns::names("runs", "created_by", "users"))
            .to_owned();
        manager.create_table(runs).await?;

        let metrics = Table::create()
            .table("run_metrics")
            .col(big_pk_auto("id"))
            .col(string("run_id"))
            .col(big_integer("step"))
            .col(json("event"))
            .foreign_key(&mut columns::names("run_metrics", "run_id", "runs"))
            .to_owned();
        manager.create_table(metrics).await?;
        manager.create_index(columns::index("run_metrics", &["run_id", "step"])).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, &["run_metrics", "runs"]).await
    }
}
