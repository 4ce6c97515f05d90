//! The registry: by what the platform's own images are known again.

use std::collections::BTreeSet;

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, Set,
};
use skiagraph_engine::verify::Identity;

use crate::entities::image_identifiers::{ActiveModel, Column, Entity};
use crate::entities::images;

/// What an identifier is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SHA-256 of a file.
    File,
    /// SHA-256 of the pixels in it.
    Pixels,
    /// SOP Instance UID (0008,0018).
    SopInstanceUid,
}

impl Kind {
    /// The word in the database and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Pixels => "pixels",
            Self::SopInstanceUid => "sop_instance_uid",
        }
    }

    const ALL: [Self; 3] = [Self::File, Self::Pixels, Self::SopInstanceUid];
}

/// By what a file is known.
pub type Identifiers = BTreeSet<(Kind, String)>;

/// By what the engine knows a file.
pub fn of(identity: Identity) -> Identifiers {
    let Identity { file_sha256, pixels_sha256, sop_instance_uid } = identity;
    let uid = sop_instance_uid.map(|uid| (Kind::SopInstanceUid, uid));
    [(Kind::File, file_sha256), (Kind::Pixels, pixels_sha256)].into_iter().chain(uid).collect()
}

/// An image of the platform's, and by what it was known again.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its record.
    pub image: images::Model,
    /// What fits.
    pub by: Vec<Kind>,
}

/// Keeps by what an image is known.
pub async fn insert(
    db: &impl ConnectionTrait,
    image_id: &str,
    identifiers: &Identifiers,
) -> Result<(), DbErr> {
    let rows = identifiers.iter().map(|(kind, value)| ActiveModel {
        kind: Set(kind.word().to_owned()),
        value: Set(value.clone()),
        image_id: Set(image_id.to_owned()),
    });
    Entity::insert_many(rows).exec(db).await?;
    Ok(())
}

/// The image that fits most of the identifiers; the file counts more than the pixels, and these more than the
/// number.
pub async fn find(
    db: &impl ConnectionTrait,
    identifiers: &Identifiers,
) -> Result<Option<Known>, DbErr> {
    let mut any = Condition::any();
    for (kind, value) in identifiers {
        any = any.add(Column::Kind.eq(kind.word()).and(Column::Value.eq(value)));
    }
    let rows = Entity::find().filter(any).all(db).await?;
    for kind in Kind::ALL {
        let Some(first) = rows.iter().find(|row| row.kind == kind.word()) else { continue };
        let of_it = |kind: &Kind| {
            rows.iter().any(|row| row.image_id == first.image_id && row.kind == kind.word())
        };
        let by = Kind::ALL.into_iter().filter(of_it).collect();
        let image = super::images::get(db, &first.image_id).await?;
        return Ok(image.map(|image| Known { image, by }));
    }
    Ok(None)
}
