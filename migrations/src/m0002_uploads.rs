//! Uploads and their radiographs.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;

use crate::columns::{self, Columns};

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let uploads = Table::create()
            .table("uploads")
            .col(columns::id())
            .col(string("name"))
            .cols(columns::origin())
            .col(big_integer("radiograph_count"))
            .foreign_key(&mut columns::names("uploads", "created_by", "users"))
            .to_owned();
        manager.create_table(uploads).await?;

        let radiographs = Table::create()
            .table("radiographs")
            .col(columns::id())
            .col(string("upload_id"))
            .col(string("object_key"))
            .col(string("sha256"))
            .col(string("sop_instance_uid"))
            .col(string("patient_pseudonym"))
            .col(string("modality"))
            .col(columns::optional("view_position"))
            .col(columns::optional("laterality"))
            .col(double_null("age_years"))
            .col(columns::optional("sex"))
            .col(json("findings"))
            .col(integer("rows"))
            .col(integer("columns"))
            .col(integer("bits_stored"))
            .col(boolean("synthetic"))
            .foreign_key(&mut columns::names("radiographs", "upload_id", "uploads"))
            .to_owned();
        manager.create_table(radiographs).await?;
        manager.create_index(columns::index("radiographs", &["upload_id"])).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, &["radiographs", "uploads"]).await
    }
}
