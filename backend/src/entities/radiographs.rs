use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "radiographs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub upload_id: String,
    pub object_key: String,
    pub sha256: String,
    pub sop_instance_uid: String,
    pub patient_pseudonym: String,
    pub modality: String,
    pub view_position: Option<String>,
    pub laterality: Option<String>,
    pub age_years: Option<f64>,
    pub sex: Option<String>,
    pub findings: Json,
    pub rows: i32,
    pub columns: i32,
    pub bits_stored: i32,
    pub synthetic: bool,
    pub doubts: Json,
    pub fingerprint: String,
    pub check_state: String,
    pub decided_by: Option<String>,
    pub decided_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
