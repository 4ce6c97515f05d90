//! Rows of objects that were there before the index was.

use bytes::Bytes;
use sea_orm::DatabaseConnection;
use skiagraph_engine::dicom;
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::models::instances::{self, Index, Missing};
use crate::storage::Storage;

/// Objects that are read between two commits.
const BATCH: u64 = 50;

/// Makes the rows that are missing; returns how many. An object that cannot be described has none, and
/// the log says how many there are.
pub async fn fill(
    db: &DatabaseConnection,
    storage: &Storage,
    shutdown: &CancellationToken,
) -> Result<usize, ApiError> {
    let (mut made, mut without) = (0, 0);
    for image in [true, false] {
        let mut after = String::new();
        while !shutdown.is_cancelled() {
            let missing = instances::missing(db, image, &after, BATCH).await?;
            let Some(last) = missing.last() else { break };
            after.clone_from(&last.id);
            let mut rows = Vec::with_capacity(missing.len());
            for one in missing {
                match row(storage.get(&one.object_key).await?, one).await? {
                    Some(row) => rows.push(row),
                    None => without += 1,
                }
            }
            made += rows.len();
            instances::insert(db, rows).await?;
        }
    }
    if without > 0 {
        tracing::warn!(objects = without, "objects lack the identifiers that viewers go by");
    }
    Ok(made)
}

async fn row(bytes: Bytes, missing: Missing) -> Result<Option<Index>, ApiError> {
    let described = tokio::task::spawn_blocking(move || dicom::describe(&bytes)).await;
    let described = described.map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(described.ok().map(|described| {
        let index = Index::of(&described);
        if missing.image {
            index.of_image(&missing.id, &missing.object_key)
        } else {
            index.of_radiograph(&missing.id, &missing.object_key)
        }
    }))
}
