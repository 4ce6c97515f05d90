use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "destinations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub kind: String,
    pub address: String,
    pub accepts_synthetic: bool,
    pub ae_title: Option<String>,
    pub calling_ae_title: Option<String>,
    pub server_name: Option<String>,
    pub tls: bool,
    pub authorities: Option<String>,
    pub timeout_seconds: i32,
    pub authentication: String,
    pub username: Option<String>,
    pub secret: Option<String>,
    pub created_by: String,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
