//! Generations and their images.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;

use crate::columns::{self, Columns};

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let generations = Table::create()
            .table("generations")
            .col(columns::id())
            .col(json("request"))
            .cols(columns::work())
            .cols(columns::origin())
            .foreign_key(&mut columns::names("generations", "created_by", "users"))
            .to_owned();
        manager.create_table(generations).await?;
        manager.create_index(columns::index("generations", &["created_by"])).await?;

        let images = Table::create()
            .table("images")
            .col(columns::id())
            .col(string("generation_id"))
            .col(integer("index"))
            .col(big_integer("seed"))
            .col(string("object_key_dicom"))
            .col(string("object_key_png"))
            .col(string("sha256"))
            .col(json("provenance"))
            .col(string("review_state"))
            .col(timestamp_with_time_zone("created_at"))
            .foreign_key(&mut columns::names("images", "generation_id", "generations"))
            .to_owned();
        manager.create_table(images).await?;
        // A generation that goes on after a restart makes no image twice.
        let once = columns::index("images", &["generation_id", "index"]).unique().to_owned();
        manager.create_index(once).await?;
        manager.create_index(columns::index("images", &["review_state"])).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, &["images", "generations"]).await
    }
}
