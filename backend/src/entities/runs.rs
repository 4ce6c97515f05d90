use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub name: String,
    pub dataset_id: String,
    pub config: Json,
    pub state: String,
    pub progress_step: i64,
    pub progress_total: i64,
    pub error: Option<String>,
    pub validation_loss_before: Option<f64>,
    pub validation_loss_after: Option<f64>,
    pub adapter_path: Option<String>,
    pub promoted_at: Option<DateTimeUtc>,
    pub created_by: String,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
