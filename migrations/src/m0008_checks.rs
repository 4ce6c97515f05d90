//! What quality control saw in radiographs as they came in, and what a person decided.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;

use crate::columns;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One statement a column: SQLite adds no two at once. What came in before was never doubted.
        for mut column in [
            json("doubts").default("[]").to_owned(),
            string("fingerprint").default("").to_owned(),
            string("check_state").default("clear").to_owned(),
            columns::optional("decided_by"),
            timestamp_with_time_zone_null("decided_at"),
        ] {
            let table = Table::alter().table("radiographs").add_column(&mut column).to_owned();
            manager.alter_table(table).await?;
        }
        manager.create_index(columns::index("radiographs", &["check_state"])).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index =
            Index::drop().name("ix_radiographs_check_state").table("radiographs").to_owned();
        manager.drop_index(index).await?;
        for column in ["decided_at", "decided_by", "check_state", "fingerprint", "doubts"] {
            let table = Table::alter().table("radiographs").drop_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
