//! The database, which opens only to who writes into the audit log.

use sea_orm::{DatabaseConnection, DatabaseTransaction};
use skiagraph_compliance::audit::{Action, Verdict};

use crate::audit::{self, Actor, Entry};
use crate::database;
use crate::error::ApiError;

/// The database behind the audit log.
#[derive(Debug, Clone)]
pub struct Ledger(DatabaseConnection);

/// The database, opened for reading after the event of it was written.
#[derive(Debug)]
pub struct Records(DatabaseConnection);

/// A transaction that ends with the event of what it does. Dropped before its commit, nothing
/// happened and nothing is logged.
#[derive(Debug)]
pub struct Change {
    transaction: DatabaseTransaction,
    actor: Actor,
}

impl Ledger {
    /// Shuts the database behind the log.
    pub fn new(db: DatabaseConnection) -> Self {
        Self(db)
    }

    /// Writes an event that belongs to no change.
    pub async fn record(&self, actor: &Actor, entry: Entry) -> Result<(), ApiError> {
        let transaction = database::begin(&self.0).await?;
        audit::append(&transaction, actor, entry).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Writes the event, then opens the database for reading.
    pub async fn read(&self, actor: &Actor, entry: Entry) -> Result<Records, ApiError> {
        self.record(actor, entry).await?;
        Ok(Records(self.0.clone()))
    }

    /// Begins a change.
    pub async fn change(&self, actor: Actor) -> Result<Change, ApiError> {
        Ok(Change { transaction: database::begin(&self.0).await?, actor })
    }

    /// Whether the database answers.
    pub async fn reach(&self) -> Result<(), ApiError> {
        Ok(self.0.ping().await?)
    }

    /// Walks the whole log, and then writes that it was: a log whose end is broken takes no further
    /// event, and must still be told to be broken.
    pub async fn verify(&self, actor: &Actor) -> Result<Verdict, ApiError> {
        let snapshot = database::snapshot(&self.0).await?;
        let verdict = audit::verify(&snapshot).await?;
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
        &self.0
    }
}

impl Records {
    /// The connection; for reading alone.
    pub fn db(&self) -> &DatabaseConnection {
        &self.0
    }
}

impl Change {
    /// The transaction.
    pub fn db(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// The same change, now that it is known who makes it.
    pub(super) fn by(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    /// Writes one of several events of this change.
    pub async fn note(&self, entry: Entry) -> Result<(), ApiError> {
        Ok(audit::append(&self.transaction, &self.actor, entry).await?)
    }

    /// Writes the event and makes the change last.
    pub async fn commit(self, entry: Entry) -> Result<(), ApiError> {
        self.note(entry).await?;
        Ok(self.transaction.commit().await?)
    }
}
