//! Archives that administrators make in the pages, by DIMSE and by DICOMweb. Those of the configuration
//! stay there. What opens an archive is a file beside the database, which a row names.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;

use crate::columns::{self, Columns};

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let destinations = Table::create()
            .table("destinations")
            .col(string("name").primary_key())
            .cols([string("kind"), string("address"), boolean("accepts_synthetic")])
            .cols(["ae_title", "calling_ae_title", "server_name"].map(columns::optional))
            .cols([boolean("tls"), text_null("authorities"), integer("timeout_seconds")])
            .col(string("authentication"))
            .cols(["username", "secret"].map(columns::optional))
            .cols(columns::origin())
            .foreign_key(&mut columns::names("destinations", "created_by", "users"))
            .to_owned();
        manager.create_table(destinations).await?;

        // What an archive kept with a warning, and why.
        let warning = Table::alter().table("transfers").add_column(text_null("warning")).to_owned();
        manager.alter_table(warning).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let warning = Table::alter().table("transfers").drop_column("warning").to_owned();
        manager.alter_table(warning).await?;
        columns::drop(manager, &["destinations"]).await
    }
}
