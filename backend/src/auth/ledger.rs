//! The database, which opens only to who writes into the audit log.

use bytes::Bytes;
use futures::Stream;
use sea_orm::DatabaseConnection;
use skiagraph_compliance::audit::{
    Action, Exporter, Form, PublicKey, Selection, Signer, Source, Verdict,
};

use crate::audit::{self, Actor, Change, Entry, Rows};
use crate::database;
use crate::error::ApiError;
use crate::models::audit::Filter;

/// The database behind the audit log.
#[derive(Debug, Clone)]
pub struct Ledger {
    db: DatabaseConnection,
    signer: Signer,
}

/// The database, opened for reading after the event of it was written.
#[derive(Debug)]
pub struct Records(DatabaseConnection);

impl Ledger {
    /// Shuts the database behind the log, which this key signs.
    pub fn new(db: DatabaseConnection, signer: Signer) -> Self {
        Self { db, signer }
    }

    /// What the log's signatures are held against.
    pub fn public_key(&self) -> PublicKey {
        self.signer.public_key()
    }

    /// Writes an event that belongs to no change.
    pub async fn record(&self, actor: &Actor, entry: Entry) -> Result<(), ApiError> {
        self.change(actor.clone()).await?.commit(entry).await
    }

    /// Writes the event, then opens the database for reading.
    pub async fn read(&self, actor: &Actor, entry: Entry) -> Result<Records, ApiError> {
        self.record(actor, entry).await?;
        Ok(Records(self.db.clone()))
    }

    /// Begins a change.
    pub async fn change(&self, actor: Actor) -> Result<Change, ApiError> {
        Change::begin(&self.db, self.signer.clone(), actor).await
    }

    /// Whether the database answers.
    pub async fn reach(&self) -> Result<(), ApiError> {
        Ok(self.db.ping().await?)
    }

    /// Signs the log up to here; gives the number of the checkpoint.
    pub async fn sign(&self) -> Result<i64, ApiError> {
        self.checkpoint(None).await
    }

    async fn checkpoint(&self, selection: Option<Selection>) -> Result<i64, ApiError> {
        let transaction = database::begin(&self.db).await?;
        let sequence = audit::checkpoint(&transaction, &self.signer, selection).await?;
        transaction.commit().await?;
        Ok(sequence)
    }

    /// Writes that the log is exported, signs what is, and then gives it piece by piece. Which fields
    /// narrow the export is written down; what somebody typed into them is not.
    pub async fn export(
        &self,
        actor: &Actor,
        form: Form,
        filter: Filter,
    ) -> Result<impl Stream<Item = Result<Bytes, ApiError>> + use<>, ApiError> {
        let narrowed_by = filter.narrowed_by();
        let whole = narrowed_by.is_empty();
        let entry = Entry::new(Action::AuditLogUsed, "audit_log")
            .detail("use", "export")
            .detail("format", form.word())
            .detail("narrowed_by", narrowed_by);
        self.record(actor, entry).await?;
        let rows = if whole {
            Rows { filter, through: self.sign().await?, checkpoint: None }
        } else {
            let (selection, through) = audit::select(&self.db, &filter).await?;
            Rows { filter, through, checkpoint: Some(self.checkpoint(Some(selection)).await?) }
        };
        let exporter = Exporter::new(form, Source::of(&self.public_key()));
        Ok(audit::export(self.db.clone(), exporter, rows))
    }

    /// Walks the whole log, and then writes that it was: a log whose end is broken takes no further
    /// event, and must still be told to be broken.
    pub async fn verify(&self, actor: &Actor) -> Result<Verdict, ApiError> {
        let snapshot = database::snapshot(&self.db).await?;
        let verdict = audit::verify(&snapshot, self.public_key()).await?;
        drop(snapshot);
        let entry = Entry::new(Action::AuditLogUsed, "audit_log")
            .detail("use", "verify")
            .detail("intact", verdict.intact());
        let written = self.record(actor, entry).await;
        if let Some(found) = verdict.first_broken {
            let cause = found.cause.words();
            tracing::error!(sequence = found.sequence, cause, "the audit log is broken");
            if let Err(error) = written {
                tracing::error!(?error, "the verification could not be written into the log");
            }
            return Ok(verdict);
        }
        written.map(|()| verdict)
    }

    /// The database without an event: for finding out who asks, in this room alone.
    pub(super) fn unlogged(&self) -> &DatabaseConnection {
        &self.db
    }
}

impl Records {
    /// The connection; for reading alone.
    pub fn db(&self) -> &DatabaseConnection {
        &self.0
    }
}
