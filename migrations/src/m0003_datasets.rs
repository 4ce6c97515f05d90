//! Data sets, and the uploads that they are built from.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;

use crate::columns::{self, Columns};

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let datasets = Table::create()
            .table("datasets")
            .col(columns::id())
            .col(string("name"))
            .cols(columns::work())
            .col(json_null("card"))
            .col(double("validation_fraction"))
            .col(big_integer("seed"))
            .col(text("licence"))
            .col(text("attribution"))
            .cols(columns::origin())
            .foreign_key(&mut columns::names("datasets", "created_by", "users"))
            .to_owned();
        manager.create_table(datasets).await?;

        let uploads = Table::create()
            .table("dataset_uploads")
            .col(string("dataset_id"))
            .col(string("upload_id"))
            .primary_key(Index::create().col("dataset_id").col("upload_id"))
            .foreign_key(&mut columns::names("dataset_uploads", "dataset_id", "datasets"))
            .foreign_key(&mut columns::names("dataset_uploads", "upload_id", "uploads"))
            .to_owned();
        manager.create_table(uploads).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, &["dataset_uploads", "datasets"]).await
    }
}
