//! A change to the records, which ends with the event of what it does.

use sea_orm::{DatabaseConnection, DatabaseTransaction};
use skiagraph_compliance::audit::Signer;

use super::append::locked_head;
use super::{Actor, Entry, append};
use crate::database;
use crate::error::ApiError;

/// A transaction that ends with the event of what it does. Dropped before its commit, nothing
/// happened and nothing is logged.
#[derive(Debug)]
pub struct Change {
    transaction: DatabaseTransaction,
    actor: Actor,
    signer: Signer,
}

impl Change {
    /// Begins what somebody changes, in the log that this key signs.
    pub async fn begin(
        db: &DatabaseConnection,
        signer: Signer,
        actor: Actor,
    ) -> Result<Self, ApiError> {
        Ok(Self { transaction: database::begin(db).await?, actor, signer })
    }

    /// The transaction.
    pub fn db(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// The same change, now that it is known who makes it.
    #[must_use]
    pub fn by(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    /// Waits until every other change that writes into the log is over, in whatever process, and has
    /// later ones wait for this one: what is read from here on is still so at the commit.
    pub async fn alone(&self) -> Result<(), ApiError> {
        locked_head(&self.transaction).await?;
        Ok(())
    }

    /// Writes one of several events of this change.
    pub async fn note(&self, entry: Entry) -> Result<(), ApiError> {
        append(&self.transaction, &self.signer, &self.actor, entry).await?;
        Ok(())
    }

    /// Writes the event and makes the change last.
    pub async fn commit(self, entry: Entry) -> Result<(), ApiError> {
        self.note(entry).await?;
        Ok(self.transaction.commit().await?)
    }
}
