//! From checked files to objects and rows, so that a process killed anywhere leaves all or nothing.
//!
//! The keys are noted in the scratch folder, the objects are stored, and then one transaction
//! writes every row: [`Import`](super::Import) keeps to that order. An upload is there when its rows are; objects without rows are found by the
//! note and removed, at once when storing fails and at the next start when the process was killed.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Set};
use sha2::{Digest, Sha256};
use skiagraph_engine::quality::{Doubt, DoubtKind};
use uuid::Uuid;

use super::{Checked, Scratch, identity};
use crate::entities::{radiographs, uploads};
use crate::error::ApiError;
use crate::models;
use crate::models::check_state::CheckState;
use crate::storage::{Storage, StorageError};

/// Who sends what.
#[derive(Debug)]
pub struct NewUpload<'a> {
    /// Identifier.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The user.
    pub created_by: &'a str,
    /// The secret that pseudonyms of patients are made with.
    pub pseudonym_key: &'a [u8],
}

/// Storing failed; nothing is kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sea_orm::DbErr),
    /// Object storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The scratch folder failed.
    #[error("the scratch folder failed: {0}")]
    Io(#[from] std::io::Error),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.to_string())
    }
}

/// Notes in the scratch folder which objects will be stored. Returns their keys, in the order of the
/// files, and at last that of the report on what was taken out of them.
pub(super) fn intend(
    scratch: &Scratch,
    checked: &[Checked],
    id: &str,
) -> std::io::Result<Vec<String>> {
    let files = checked.iter().map(|file| object_key(&file.sha256));
    let keys: Vec<String> = files.chain([report_key(id)]).collect();
    scratch.intend(&keys)?;
    Ok(keys)
}

/// Stores the files and the report on them under their keys.
pub(super) async fn store(
    storage: &Storage,
    checked: &[Checked],
    keys: &[String],
) -> Result<(), StoreError> {
    for (file, key) in checked.iter().zip(keys) {
        let bytes = tokio::fs::read(&file.path).await?;
        storage.put(key, Bytes::from(bytes)).await?;
    }
    if let Some(key) = keys.get(checked.len()) {
        let report = identity::report(checked).map_err(std::io::Error::from)?;
        storage.put(key, Bytes::from(report)).await?;
    }
    Ok(())
}

/// Writes every row of an upload, or of one more piece of an upload that is there already; all of them are
/// there once the transaction is committed. Gives the upload, and how many of `checked` wait for a decision.
pub(super) async fn insert(
    db: &impl ConnectionTrait,
    checked: &[Checked],
    keys: &[String],
    new: &NewUpload<'_>,
    extends: bool,
) -> Result<(uploads::Model, u64), DbErr> {
    let count = checked.len() as u64;
    let upload = if extends {
        models::uploads::add(db, new.id, count).await?
    } else {
        models::uploads::insert(db, new.id, new.name, new.created_by, count).await?
    };
    let (mut rows, mut indices) = (Vec::with_capacity(checked.len()), Vec::new());
    let mut doubted = 0;
    for (file, key) in checked.iter().zip(keys) {
        let id = Uuid::now_v7().to_string();
        let doubts = doubts(db, file).await?;
        doubted += u64::from(!doubts.is_empty());
        indices.extend(file.index.clone().map(|index| index.of_radiograph(&id, key)));
        rows.push(row(id, file, key, new, doubts));
    }
    models::radiographs::insert(db, rows).await?;
    models::instances::insert(db, indices).await?;
    Ok((upload, doubted))
}

/// What speaks against a file, and that it is nearly the same picture as one that came in before, where that is so. The
/// very same file again is no news.
async fn doubts(db: &impl ConnectionTrait, file: &Checked) -> Result<Vec<Doubt>, DbErr> {
    let mut doubts = file.doubts.clone();
    if doubts.iter().all(|doubt| doubt.kind != DoubtKind::Duplicate)
        && models::radiographs::has_near(db, &file.sha256, file.fingerprint).await?
    {
        doubts.push(Doubt {
            kind: DoubtKind::Duplicate,
            cause: "nearly the same picture as one that came in before".to_owned(),
        });
    }
    Ok(doubts)
}

fn object_key(sha256: &str) -> String {
    // Two letters make folders that a file system can list.
    format!("radiographs/{}/{sha256}.dcm", &sha256[..2])
}

/// Where the report lies on what was taken out of an upload's radiographs.
fn report_key(upload_id: &str) -> String {
    format!("deidentification/{upload_id}.json")
}

fn row(
    id: String,
    file: &Checked,
    key: &str,
    new: &NewUpload<'_>,
    doubts: Vec<Doubt>,
) -> radiographs::ActiveModel {
    let header = &file.header;
    radiographs::ActiveModel {
        id: Set(id),
        upload_id: Set(new.id.to_owned()),
        object_key: Set(key.to_owned()),
        sha256: Set(file.sha256.clone()),
        sop_instance_uid: Set(header.sop_instance_uid.clone()),
        patient_pseudonym: Set(pseudonym(new.pseudonym_key, &header.patient_id)),
        modality: Set(header.modality.clone()),
        view_position: Set(header.view_position.clone()),
        laterality: Set(header.laterality.clone()),
        age_years: Set(header.age_years.map(f64::from)),
        sex: Set(header.sex.and_then(|sex| word(&sex))),
        findings: Set(serde_json::json!(header.findings)),
        rows: Set(header.rows.cast_signed()),
        columns: Set(header.columns.cast_signed()),
        bits_stored: Set(i32::from(header.bits_stored)),
        synthetic: Set(header.synthetic),
        check_state: Set(CheckState::of(&doubts).word().to_owned()),
        doubts: Set(serde_json::json!(doubts)),
        fingerprint: Set(file.fingerprint.to_hex()),
        decided_by: Set(None),
        decided_at: Set(None),
    }
}

/// The word of an enumeration as its JSON has it.
fn word(value: &impl serde::Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

/// A keyed hash, so that nobody without the key finds a patient by trying identifiers. Hashed
/// twice, as HMAC does it (RFC 2104).
fn pseudonym(key: &[u8], patient_id: &str) -> String {
    let inner = Sha256::new().chain_update(key).chain_update(patient_id).finalize();
    let outer = Sha256::new().chain_update(key).chain_update(inner).finalize();
    hex::encode(&outer[..8])
}

/// Clears away what uploads that did not come to their end have stored.
#[derive(Debug, Clone)]
pub struct Janitor {
    db: DatabaseConnection,
    storage: Storage,
}

impl Janitor {
    /// A janitor of these records and objects.
    pub fn new(db: DatabaseConnection, storage: Storage) -> Self {
        Self { db, storage }
    }

    /// The objects.
    pub(super) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Removes those of the objects that no record needs.
    pub async fn discard(&self, keys: &[String]) -> Result<(), StoreError> {
        for key in keys {
            if !models::radiographs::uses_object(&self.db, key).await? {
                self.storage.delete(key).await?;
            }
        }
        Ok(())
    }

    /// Removes what killed processes left of uploads under `root`. Returns how many there were.
    pub async fn sweep(&self, root: &Path) -> Result<usize, StoreError> {
        fs::create_dir_all(root)?;
        let abandoned = Scratch::abandoned(root)?;
        let count = abandoned.len();
        for scratch in abandoned {
            self.discard(&scratch.objects).await?;
            scratch.remove()?;
        }
        Ok(count)
    }
}
