//! Takes one object after the other through the intake that uploads go through.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::Utc;
use sea_orm::DatabaseConnection;
use skiagraph_compliance::audit::{Action, Signer};
use skiagraph_compliance::role::Role;
use uuid::Uuid;

use crate::audit::{Actor, Change, Entry};
use crate::error::ApiError;
use crate::intake::{
    self, Checked, Examiner, Import, IntakeError, Janitor, Limits, NewUpload, ReceivedFile, Scratch,
};
use crate::models;
use crate::storage::Folders;

/// The service as the log calls it.
const SERVICE: &str = "c_store";

/// What objects are taken in with; cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The records.
    pub db: DatabaseConnection,
    /// The data directory.
    pub folders: Folders,
    /// Signs the audit log.
    pub signer: Signer,
    /// Who clears away what was stored for nothing.
    pub janitor: Janitor,
    /// What an object may hold.
    pub limits: Limits,
    /// What looks at an object.
    pub examiner: Arc<Examiner>,
    /// The secret that pseudonyms of patients are made with.
    pub pseudonym_key: Arc<[u8]>,
    /// Name of the user whose uploads these are.
    pub user: String,
}

/// Who sends, as the log has it, and the upload that its objects go into.
#[derive(Debug, Clone)]
pub struct Sender {
    /// AE title and network address.
    pub actor: Actor,
    /// The upload's identifier, and how many objects it has; none before the first.
    pub upload: Option<(String, u32)>,
}

/// What became of an object.
#[derive(Debug)]
pub enum Kept {
    /// It is kept; what identified is out of it.
    Yes,
    /// It is not, and why, without any value of an attribute.
    Refused(String),
    /// It is larger than allowed.
    TooLarge,
    /// There is no user under whose name it could be kept.
    NobodysUpload,
}

impl Desk {
    /// Takes an object in: check, de-identification, object, rows, audit event. Blocks nothing.
    ///
    /// # Errors
    /// Where the platform failed: nothing is kept then.
    pub async fn take(
        &self,
        sender: &mut Sender,
        file: PathBuf,
        bytes: u64,
    ) -> Result<Kept, ApiError> {
        let user = models::users::by_name(&self.db, &self.user).await?;
        let may = |user: &models::users::User| {
            !user.row.disabled && user.roles.contains(&Role::MlEngineer)
        };
        let Some(user) = user.filter(may) else {
            tracing::error!("receiver.user names no ML engineer who may log in: nothing is kept");
            return Ok(Kept::NobodysUpload);
        };
        let (checked, scratch) = match self.check(file, bytes).await? {
            Ok(checked) => checked,
            Err(IntakeError::Io(error)) => return Err(error.into()),
            Err(IntakeError::TooLarge(_)) => {
                self.refused(sender).await?;
                return Ok(Kept::TooLarge);
            }
            Err(IntakeError::Malformed(fault)) => {
                self.refused(sender).await?;
                return Ok(Kept::Refused(fault.cause));
            }
            Err(IntakeError::Refused(faults)) => {
                self.refused(sender).await?;
                let cause = faults.into_iter().next().map(|fault| fault.cause);
                return Ok(Kept::Refused(cause.unwrap_or_default()));
            }
        };
        let (id, number) = sender.upload.clone().unwrap_or_else(|| (Uuid::now_v7().to_string(), 0));
        let name = format!("Received on {}", Utc::now().format("%Y-%m-%d %H:%M UTC"));
        let import = Import {
            upload: NewUpload {
                id: &id,
                name: &name,
                created_by: &user.row.id,
                pseudonym_key: &self.pseudonym_key,
            },
            piece: Some(number),
            by: Some(SERVICE),
            checked: &checked,
        };
        let kept = import.keep(&self.janitor, &scratch, self.change(sender)).await;
        tokio::task::spawn_blocking(move || drop(scratch))
            .await
            .map_err(|error| ApiError::Internal(error.to_string()))?;
        kept?;
        sender.upload = Some((id, number + 1));
        Ok(Kept::Yes)
    }

    /// Moves the file into a scratch folder and looks at it there.
    async fn check(
        &self,
        file: PathBuf,
        bytes: u64,
    ) -> Result<Result<(Vec<Checked>, Scratch), IntakeError>, ApiError> {
        let examiner = Arc::clone(&self.examiner);
        let (folder, limits) = (self.folders.scratch(), self.limits.clone());
        let checked = tokio::task::spawn_blocking(move || {
            let scratch = Scratch::new(&folder)?;
            let path = scratch.path().join("received");
            // The spool lies in the same data directory.
            std::fs::rename(file, &path)?;
            let file = ReceivedFile { label: "object".to_owned(), path, bytes };
            let checked = intake::check_object(file, &limits, &examiner)?;
            Ok::<_, IntakeError>((vec![checked], scratch))
        });
        checked.await.map_err(|error| ApiError::Internal(error.to_string()))
    }

    async fn change(&self, sender: &Sender) -> Result<Change, ApiError> {
        Change::begin(&self.db, self.signer.clone(), sender.actor.clone()).await
    }

    async fn refused(&self, sender: &Sender) -> Result<(), ApiError> {
        let entry = Entry::new(Action::Import, "upload").detail("by", SERVICE).failed();
        self.change(sender).await?.commit(entry.detail("faults", 1)).await
    }
}
