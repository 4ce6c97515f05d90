//! Going on after a crash: jobs of dead workers are taken back, and records without a job get one.

use tracing::{info, warn};

use super::context::{JobContext, JobError};
use super::lease::Lease;
use super::queue::{JobState, MOST_ATTEMPTS};
use crate::models::state::State;
use crate::models::work::{self, Kind};

/// Takes back what dead workers held and asks for every unfinished record that nobody was asked
/// for. `process` is this process's own lease.
pub(super) async fn recover(context: &JobContext, process: &str) -> Result<(), JobError> {
    release_dead_workers(context, process).await?;
    for kind in Kind::ALL {
        let unfinished = work::unfinished(&context.db, kind).await?;
        if unfinished.is_empty() {
            continue;
        }
        let jobs = context.queue.states(kind).await?;
        for id in unfinished {
            match jobs.get(&id) {
                Some(JobState::Live) => {}
                None => context.queue.push(kind, &id).await?,
                Some(JobState::Over { attempts }) if *attempts >= MOST_ATTEMPTS => {
                    let cause = format!("given up after {attempts} attempts that did not end");
                    work::finish(&context.db, kind, &id, State::Failed, Some(&cause)).await?;
                    warn!(record = %id, kind = kind.noun(), "given up");
                }
                Some(JobState::Over { .. }) => context.queue.push_again(kind, &id).await?,
            }
        }
    }
    Ok(())
}

/// A worker whose lease can be taken is dead: the kernel gave it back.
async fn release_dead_workers(context: &JobContext, process: &str) -> Result<(), JobError> {
    for worker in context.queue.holders().await? {
        let holder = worker.split('.').next().unwrap_or(&worker);
        if holder == process {
            continue;
        }
        if let Some(lease) = Lease::try_take(&context.folders.workers(), holder)? {
            let jobs = context.queue.release(&worker).await?;
            info!(jobs, "jobs of a worker that was killed are taken up again");
            drop(lease);
        }
    }
    Ok(())
}

/// Removes the leases of dead workers that hold nothing any more.
pub(super) async fn tidy(context: &JobContext) -> Result<(), JobError> {
    let holders = context.queue.holders().await?;
    for entry in std::fs::read_dir(context.folders.workers())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if holders.iter().any(|worker| worker.split('.').next() == Some(name.as_str())) {
            continue;
        }
        if let Some(lease) = Lease::try_take(&context.folders.workers(), &name)? {
            lease.retire()?;
        }
    }
    context.queue.tidy().await?;
    Ok(())
}
