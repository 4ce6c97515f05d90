//! The queues: apalis over a SQLite file of their own, beside the platform's database.
//!
//! The record of a data set, a run or a generation is the truth; a job only says that somebody
//! should look at it. So the queue file may be lost without loss: `recover` writes the jobs anew
//! from the records.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use apalis::prelude::{TaskBuilder, TaskSink};
use apalis_sqlite::{Config, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteStorage};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

use crate::error::ApiError;
use crate::models::work::Kind;

/// How often a worker says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A worker that has missed so many heartbeats is taken for dead, on whatever machine it ran.
const MISSED_HEARTBEATS: usize = 4;
/// A job whose worker died this often is given up: it may be what kills them.
pub(super) const MOST_ATTEMPTS: usize = 20;

/// What a job says: look at this record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The record's identifier.
    pub id: String,
}

/// Where the job of a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It waits for a worker, or a worker has it.
    Live,
    /// A worker is done with it, or it was given up after so many attempts.
    Over {
        /// How often it was tried.
        attempts: usize,
    },
}

/// The queues' file.
#[derive(Debug, Clone)]
pub struct Queue {
    pool: SqlitePool,
}

/// The queue cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the job queue failed: {0}")]
pub struct QueueError(String);

impl From<sqlx::Error> for QueueError {
    fn from(error: sqlx::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl Queue {
    /// Opens the file, makes it where there is none, and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, QueueError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        SqliteStorage::<()>::migrations()
            .run(&pool)
            .await
            .map_err(|error| QueueError(error.to_string()))?;
        Ok(Self { pool })
    }

    /// The queue of a kind, as apalis sees it.
    pub(super) fn storage(&self, kind: Kind) -> SqliteStorage<Job> {
        let config = Config::default()
            .queue(kind.table())
            // A worker takes what it can do now, and leaves the rest to others.
            .batch_size(1)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS);
        SqliteStorage::new(&self.pool).with_config(config)
    }

    /// Asks for a record to be worked on; does nothing where that has been asked already.
    pub async fn push(&self, kind: Kind, id: &str) -> Result<(), QueueError> {
        let task = TaskBuilder::new(Job { id: id.to_owned() })
            .idempotency_key(id)
            .max_attempts(MOST_ATTEMPTS)
            .build();
        self.storage(kind).push_task(task).await.map_err(|error| QueueError(error.to_string()))
    }

    /// Asks anew for a record whose job is over.
    pub(super) async fn push_again(&self, kind: Kind, id: &str) -> Result<(), QueueError> {
        sqlx::query("DELETE FROM Jobs WHERE job_type = ? AND idempotency_key = ?")
            .bind(kind.table())
            .bind(id)
            .execute(&self.pool)
            .await?;
        self.push(kind, id).await
    }

    /// Where the jobs of a kind stand, by record.
    pub(super) async fn states(&self, kind: Kind) -> Result<HashMap<String, JobState>, QueueError> {
        let rows = sqlx::query(
            "SELECT idempotency_key, attempts,
                    status IN ('Pending', 'Queued', 'Running')
                        OR (status = 'Failed' AND attempts < max_attempts) AS live
             FROM Jobs WHERE job_type = ? AND idempotency_key IS NOT NULL",
        )
        .bind(kind.table())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let live: bool = row.try_get("live")?;
                let attempts: i64 = row.try_get("attempts")?;
                let state = if live {
                    JobState::Live
                } else {
                    JobState::Over { attempts: usize::try_from(attempts).unwrap_or_default() }
                };
                Ok((row.try_get("idempotency_key")?, state))
            })
            .collect()
    }

    /// Workers that hold jobs, by name.
    pub(super) async fn holders(&self) -> Result<Vec<String>, QueueError> {
        Ok(sqlx::query_scalar(
            "SELECT DISTINCT lock_by FROM Jobs
             WHERE lock_by IS NOT NULL AND status IN ('Queued', 'Running')",
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Takes a dead worker's jobs back into the queue. Returns how many they were.
    pub(super) async fn release(&self, worker: &str) -> Result<u64, QueueError> {
        let released = sqlx::query(
            "UPDATE Jobs SET attempts = attempts + 1, lock_by = NULL, lock_at = NULL, done_at = NULL,
                    status = CASE WHEN attempts + 1 < max_attempts THEN 'Pending' ELSE 'Failed' END
             WHERE lock_by = ? AND status IN ('Queued', 'Running')",
        )
        .bind(worker)
        .execute(&self.pool)
        .await?
        .rows_affected();
        Ok(released)
    }

    /// Forgets jobs that ended more than a day ago.
    pub(super) async fn tidy(&self) -> Result<(), QueueError> {
        sqlx::query(
            "DELETE FROM Jobs WHERE status IN ('Done', 'Killed')
             AND done_at < CAST(strftime('%s', 'now') AS INTEGER) - 86400",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Puts every job into the hands of a worker, as a killed one leaves them.
    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    pub(super) async fn hold_for_test(&self, worker: &str) {
        let worker_row = "INSERT INTO Workers (id, worker_type, storage_name, layers, last_seen)
                          VALUES (?, 'datasets', '', '', strftime('%s', 'now'))";
        sqlx::query(worker_row).bind(worker).execute(&self.pool).await.unwrap();
        let hold = "UPDATE Jobs SET status = 'Running', lock_by = ?";
        sqlx::query(hold).bind(worker).execute(&self.pool).await.unwrap();
    }
}
