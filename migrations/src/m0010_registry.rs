//! By what the platform knows its own images again, in whatever file they come back.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;

use crate::columns::{self, Columns};

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("image_identifiers")
            .cols([string("kind"), string("value"), string("image_id")])
            .primary_key(Index::create().col("kind").col("value").col("image_id"))
            .foreign_key(&mut columns::names("image_identifiers", "image_id", "images"))
            .to_owned();
        manager.create_table(table).await?;
        // Images of before: of them the record holds the hash of the DICOM file.
        manager
            .get_connection()
            .execute_unprepared(
                "INSERT INTO image_identifiers (kind, value, image_id)
                 SELECT 'file', sha256, id FROM images",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, &["image_identifiers"]).await
    }
}
