//! The last step of every way in: radiographs that passed become part of an upload.

use skiagraph_compliance::audit::Action;

use super::store::{self, Janitor, NewUpload};
use super::{Checked, Scratch};
use crate::audit::{Change, Entry};
use crate::entities::uploads;
use crate::error::ApiError;

/// Radiographs that passed, and the upload that they go into.
#[derive(Debug)]
pub struct Import<'a> {
    /// The upload.
    pub upload: NewUpload<'a>,
    /// Of an upload that comes piece by piece the number of this piece, from 0, which makes the upload;
    /// none where it comes at once.
    pub piece: Option<u32>,
    /// The service that they came over, as the audit log calls it; none for the API's own.
    pub by: Option<&'static str>,
    /// The radiographs, as files in the scratch folder.
    pub checked: &'a [Checked],
}

/// What was kept.
#[derive(Debug)]
pub struct Imported {
    /// The upload's record.
    pub upload: uploads::Model,
    /// How many of the radiographs wait for a decision.
    pub doubted: u64,
}

impl Import<'_> {
    /// Keeps all or nothing: first the objects, noted in the scratch folder, then rows and audit event in
    /// one transaction. `change` is not awaited before the objects are stored, so that no transaction
    /// waits for them.
    ///
    /// # Errors
    /// Where the platform failed. What was stored up to there is removed.
    pub async fn keep(
        &self,
        janitor: &Janitor,
        scratch: &Scratch,
        change: impl Future<Output = Result<Change, ApiError>>,
    ) -> Result<Imported, ApiError> {
        let keys = store::intend(scratch, self.checked, &self.report_name())?;
        let kept = self.write(janitor, &keys, change).await;
        if kept.is_err() {
            janitor.discard(&keys).await?;
        }
        kept
    }

    async fn write(
        &self,
        janitor: &Janitor,
        keys: &[String],
        change: impl Future<Output = Result<Change, ApiError>>,
    ) -> Result<Imported, ApiError> {
        store::store(janitor.storage(), self.checked, keys).await?;
        let change = change.await?;
        // Of two imports at once, the later one sees what the earlier one brought: near copies are told.
        change.alone().await?;
        let extends = self.piece.is_some_and(|piece| piece > 0);
        let insert = store::insert(change.db(), self.checked, keys, &self.upload, extends);
        let (upload, doubted) = insert.await?;
        change.commit(self.entry(doubted)).await?;
        Ok(Imported { upload, doubted })
    }

    /// Each piece has a report of its own: the upload grows while it comes.
    fn report_name(&self) -> String {
        let id = self.upload.id;
        self.piece.map_or_else(|| id.to_owned(), |piece| format!("{id}-{piece:05}"))
    }

    fn entry(&self, doubted: u64) -> Entry {
        let blanked = self.checked.iter().filter(|file| !file.report.regions.is_empty()).count();
        let entry = Entry::of(Action::Import, "upload", self.upload.id)
            .detail("radiographs", self.checked.len())
            .detail("deidentified", self.checked.len())
            .detail("pixels_blanked", blanked)
            .detail("doubted", doubted);
        match self.by {
            Some(service) => entry.detail("by", service),
            None => entry,
        }
    }
}
