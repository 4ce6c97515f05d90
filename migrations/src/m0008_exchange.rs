//! What a PACS and its viewers ask for: objects by their DICOM identifiers, and images on their way to
//! an archive. Rows of objects that were there before are filled in when the platform starts, for they
//! are read from the objects.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;

use crate::columns::{self, Columns};

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let instances = Table::create()
            .table("instances")
            .col(string("sop_instance_uid").primary_key())
            .col(string("series_instance_uid"))
            .col(string("study_instance_uid"))
            .col(string("sop_class_uid"))
            .col(string("transfer_syntax_uid"))
            .col(integer("frames"))
            .col(columns::optional("image_id"))
            .col(columns::optional("radiograph_id"))
            .col(string("object_key"))
            .cols(
                [
                    "patient_id",
                    "patient_name",
                    "patient_birth_date",
                    "patient_sex",
                    "study_date",
                    "study_time",
                    "study_id",
                    "study_description",
                    "accession_number",
                    "referring_physician_name",
                    "modality",
                    "series_number",
                    "series_description",
                    "body_part_examined",
                    "instance_number",
                ]
                .map(columns::optional),
            )
            .col(text("attributes"))
            .col(timestamp_with_time_zone("created_at"))
            .foreign_key(&mut columns::names("instances", "image_id", "images"))
            .foreign_key(&mut columns::names("instances", "radiograph_id", "radiographs"))
            .to_owned();
        manager.create_table(instances).await?;
        for column in ["study_instance_uid", "series_instance_uid", "image_id", "radiograph_id"] {
            manager.create_index(columns::index("instances", &[column])).await?;
        }

        let transfers = Table::create()
            .table("transfers")
            .col(columns::id())
            .col(json("image_ids"))
            .col(string("destination"))
            .cols(columns::work())
            .cols(columns::origin())
            .foreign_key(&mut columns::names("transfers", "created_by", "users"))
            .to_owned();
        manager.create_table(transfers).await?;
        manager.create_index(columns::index("transfers", &["created_by"])).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, &["transfers", "instances"]).await
    }
}
