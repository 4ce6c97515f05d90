//! Reviews of images; a later one supersedes, none is removed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;

use crate::columns;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let reviews = Table::create()
            .table("reviews")
            .col(columns::id())
            .col(string("image_id"))
            .col(string("reviewer"))
            .col(string("verdict"))
            .col(text_null("reason"))
            .col(integer_null("realism"))
            .col(timestamp_with_time_zone("created_at"))
            .foreign_key(&mut columns::names("reviews", "image_id", "images"))
            .foreign_key(&mut columns::names("reviews", "reviewer", "users"))
            .to_owned();
        manager.create_table(reviews).await?;
        manager.create_index(columns::index("reviews", &["image_id"])).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, &["reviews"]).await
    }
}
