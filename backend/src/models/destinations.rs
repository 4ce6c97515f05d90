//! Archives that administrators have made. Those of the configuration are no records.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryOrder};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::entities::destinations::{Column, Entity, Model};

/// By what an archive is spoken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DestinationKind {
    /// An association: C-STORE (PS3.7).
    Dimse,
    /// The web: STOW-RS (PS3.18 10.5).
    Dicomweb,
}

impl DestinationKind {
    /// The word in the database and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dimse => "dimse",
            Self::Dicomweb => "dicomweb",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Dimse, Self::Dicomweb].into_iter().find(|kind| kind.word() == word)
    }
}

/// How the platform says to a DICOMweb archive who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// Not at all.
    None,
    /// By a token (RFC 6750).
    Bearer,
    /// By name and password (RFC 7617).
    Basic,
}

impl Authentication {
    /// The word in the database and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bearer => "bearer",
            Self::Basic => "basic",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::None, Self::Bearer, Self::Basic].into_iter().find(|way| way.word() == word)
    }
}

/// All of them, by name.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::Name).all(db).await
}

/// The one of this name.
pub async fn get(db: &impl ConnectionTrait, name: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(name).one(db).await
}

/// Makes one.
pub async fn insert(db: &impl ConnectionTrait, model: Model) -> Result<Model, DbErr> {
    model.into_active_model().reset_all().insert(db).await
}

/// Gives the one of this name other settings.
pub async fn replace(db: &impl ConnectionTrait, model: Model) -> Result<Model, DbErr> {
    model.into_active_model().reset_all().update(db).await
}

/// Removes the one of this name.
pub async fn remove(db: &impl ConnectionTrait, name: &str) -> Result<(), DbErr> {
    Entity::delete_by_id(name).exec(db).await?;
    Ok(())
}
