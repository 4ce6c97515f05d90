//! Rows of the index, from what the engine says of an object.

use chrono::Utc;
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde_json::Value;
use skiagraph_engine::dicom::Described;

use crate::entities::instances::{ActiveModel, Column, Entity};
use crate::entities::{images, radiographs};

/// Rows that one statement inserts: SQLite takes 32,766 values in one.
const BATCH: usize = 200;

/// An object as the index holds it, before it is known what it belongs to.
#[derive(Debug, Clone)]
pub struct Index(ActiveModel);

impl Index {
    /// What the index holds of an object.
    pub fn of(described: &Described) -> Self {
        let attributes = &described.attributes;
        let key = |tag| Set(first(attributes, tag));
        Self(ActiveModel {
            sop_instance_uid: Set(described.sop_instance_uid.clone()),
            series_instance_uid: Set(described.series_instance_uid.clone()),
            study_instance_uid: Set(described.study_instance_uid.clone()),
            sop_class_uid: Set(described.sop_class_uid.clone()),
            transfer_syntax_uid: Set(described.transfer_syntax_uid.clone()),
            frames: Set(described.frames.cast_signed()),
            image_id: Set(None),
            radiograph_id: Set(None),
            object_key: Set(String::new()),
            patient_id: key("00100020"),
            patient_name: key("00100010"),
            patient_birth_date: key("00100030"),
            patient_sex: key("00100040"),
            study_date: key("00080020"),
            study_time: key("00080030"),
            study_id: key("00200010"),
            study_description: key("00081030"),
            accession_number: key("00080050"),
            referring_physician_name: key("00080090"),
            modality: key("00080060"),
            series_number: key("00200011"),
            series_description: key("0008103E"),
            body_part_examined: key("00180015"),
            instance_number: key("00200013"),
            attributes: Set(attributes.to_string()),
            created_at: Set(Utc::now()),
        })
    }

    /// The row of an image's object.
    #[must_use]
    pub fn of_image(mut self, id: &str, object_key: &str) -> Self {
        self.0.image_id = Set(Some(id.to_owned()));
        self.0.object_key = Set(object_key.to_owned());
        self
    }

    /// The row of a radiograph's object.
    #[must_use]
    pub fn of_radiograph(mut self, id: &str, object_key: &str) -> Self {
        self.0.radiograph_id = Set(Some(id.to_owned()));
        self.0.object_key = Set(object_key.to_owned());
        self
    }
}

/// The first value of an attribute as text; of a name its alphabetic form.
fn first(attributes: &Value, tag: &str) -> Option<String> {
    match attributes.get(tag)?.get("Value")?.get(0)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(name) => name.get("Alphabetic")?.as_str().map(str::to_owned),
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    }
}

/// Keeps rows; those of instances that are there already change nothing.
pub async fn insert(db: &impl ConnectionTrait, rows: Vec<Index>) -> Result<(), DbErr> {
    let rows: Vec<ActiveModel> = rows.into_iter().map(|row| row.0).collect();
    for batch in rows.chunks(BATCH) {
        let once = OnConflict::column(Column::SopInstanceUid).do_nothing().to_owned();
        let insert = Entity::insert_many(batch.to_vec()).on_conflict(once);
        match insert.exec_without_returning(db).await {
            Ok(_) | Err(DbErr::RecordNotInserted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// An object without a row.
#[derive(Debug)]
pub struct Missing {
    /// The image, or else the radiograph, that it belongs to.
    pub image: bool,
    /// Identifier.
    pub id: String,
    /// Where it lies.
    pub object_key: String,
}

/// Up to `limit` objects without a row whose identifiers come after `after`: images, or else
/// radiographs, in the order of their identifiers.
pub async fn missing(
    db: &impl ConnectionTrait,
    image: bool,
    after: &str,
    limit: u64,
) -> Result<Vec<Missing>, DbErr> {
    let there = |column: Column| {
        Query::select().column(column).from(Entity).and_where(column.is_not_null()).to_owned()
    };
    let found: Vec<(String, String)> = if image {
        images::Entity::find()
            .select_only()
            .columns([images::Column::Id, images::Column::ObjectKeyDicom])
            .filter(images::Column::Id.gt(after))
            .filter(images::Column::Id.not_in_subquery(there(Column::ImageId)))
            .order_by_asc(images::Column::Id)
            .limit(limit)
            .into_tuple()
            .all(db)
            .await?
    } else {
        // Of one object that several uploads brought, one row is enough.
        radiographs::Entity::find()
            .select_only()
            .columns([radiographs::Column::Id, radiographs::Column::ObjectKey])
            .filter(radiographs::Column::Id.gt(after))
            .filter(radiographs::Column::ObjectKey.not_in_subquery(there(Column::ObjectKey)))
            .order_by_asc(radiographs::Column::Id)
            .limit(limit)
            .into_tuple()
            .all(db)
            .await?
    };
    let missing = found.into_iter().map(|(id, object_key)| Missing { image, id, object_key });
    Ok(missing.collect())
}
