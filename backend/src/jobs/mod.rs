//! Long work: what waits, who does it, and how it goes on after a restart.
//!
//! ```text
//! POST → record (queued) → queue → worker → record (running …) → record (succeeded, failed, cancelled)
//!          ↑ the truth      └ says only "look at this record"; written anew from the records
//! ```

mod context;
mod dataset;
mod drive;
mod engine;
mod events;
mod generation;
mod lease;
mod permit;
mod progress;
mod queue;
mod recover;
mod run;
mod transfer;
mod worker;

#[cfg(test)]
mod tests;

pub use context::{JobContext, JobError};
pub use events::{Snapshot, stream};
pub use lease::Lease;
pub use permit::{GenerationTurn, Permit, TrainingTurn};
pub use progress::{News, Preview, Progress};
pub use queue::{Job, JobState, Queue, QueueError};
pub use worker::work;

use crate::models::state::State;
use crate::models::work::Kind;

/// Whether the record still wants its work.
async fn is_running(context: &JobContext, kind: Kind, id: &str) -> Result<bool, JobError> {
    let state = crate::models::work::state(&context.db, kind, id).await?;
    Ok(state == Some(State::Running))
}
