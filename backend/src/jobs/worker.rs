//! The workers: one for each queue, so that a generation never stands behind a training.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use apalis::prelude::{BackendExt, BoxDynError, Data, WorkerBuilder, WorkerBuilderExt};
use futures::FutureExt;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};
use uuid::Uuid;

use super::context::{JobContext, JobError};
use super::engine::Failure;
use super::lease::Lease;
use super::queue::Job;
use super::{dataset, generation, recover, run, transfer};
use crate::models::state::State;
use crate::models::work::{self, Kind};
use crate::models::{datasets, generations, runs, transfers};

/// How often an idle worker looks into its queue.
const POLL: Duration = Duration::from_millis(500);
/// How often dead workers and forgotten records are looked for.
const RECOVER: Duration = Duration::from_secs(10);
/// How long a worker waits before it tries again what failed through no fault of the record.
const PAUSE: Duration = Duration::from_secs(2);
/// Between two looks at a lease that another worker holds.
const LOOK: Duration = Duration::from_secs(1);

/// Works until the process is about to end; then stops every job at its next step, which goes on
/// after the restart.
///
/// # Errors
/// When the queue or the data directory cannot be used at the start; later failures are logged
/// and tried again.
pub async fn work(context: JobContext) -> Result<(), JobError> {
    let process = Uuid::now_v7().to_string();
    let Some(_lease) = Lease::try_take(&context.folders.workers(), &process)? else {
        return Err(JobError::Io(std::io::Error::other("a worker of this name lives already")));
    };
    recover::recover(&context, &process).await?;
    recover::tidy(&context).await?;
    let workers = Kind::ALL.map(|kind| {
        let (context, process) = (context.clone(), process.clone());
        tokio::spawn(async move { serve_queue(kind, context, process).await })
    });
    let mut beat = interval(RECOVER);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = context.shutdown.cancelled() => break,
            _ = beat.tick() => {
                if let Err(error) = recover::recover(&context, &process).await {
                    warn!(%error, "looking for forgotten records failed");
                }
            }
        }
    }
    for worker in workers {
        if worker.await.is_err() {
            error!("a worker panicked");
        }
    }
    Ok(())
}

/// Serves a queue, and begins again when the queue fails.
async fn serve_queue(kind: Kind, context: JobContext, process: String) {
    for turn in 0_u64.. {
        // A name of its own for each turn: the queue refuses one that was heard of lately.
        let worker = WorkerBuilder::new(format!("{process}.{}.{turn}", kind.table()))
            .backend(context.queue.storage(kind).poll_with_interval(POLL))
            .data(kind)
            .data(context.clone())
            .concurrency(1)
            .build(handle);
        let shutdown = context.shutdown.clone();
        let signal = async move {
            shutdown.cancelled().await;
            Ok::<(), std::io::Error>(())
        };
        match worker.run_until(signal).await {
            Ok(()) => info!(queue = kind.table(), "the worker ends"),
            Err(error) => warn!(queue = kind.table(), %error, "the worker begins again"),
        }
        if context.shutdown.is_cancelled() {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// A job: look at the record, and do what it wants.
async fn handle(job: Job, kind: Data<Kind>, context: Data<JobContext>) -> Result<(), BoxDynError> {
    let kind = *kind;
    let looked = AssertUnwindSafe(look_at(&context, kind, &job.id)).catch_unwind().await;
    match looked.unwrap_or(Err(JobError::Panicked)) {
        // After a shutdown the record is unfinished and its job over: the next start asks for it
        // anew, and this was no failed attempt.
        Ok(()) | Err(JobError::Shutdown) => Ok(()),
        Err(error) => {
            warn!(record = %job.id, kind = kind.noun(), %error, "the job is tried again");
            sleep(PAUSE).await;
            Err(error.into())
        }
    }
}

async fn look_at(context: &JobContext, kind: Kind, id: &str) -> Result<(), JobError> {
    let Some(lease) = wait_for_lease(context, kind, id).await? else { return Ok(()) };
    if !work::start(&context.db, kind, id).await? {
        return Ok(());
    }
    context.progress.tell(id, None);
    info!(record = %id, kind = kind.noun(), "work begins");
    let outcome = match kind {
        Kind::Dataset => match datasets::get(&context.db, id).await? {
            Some(record) => dataset::run(context, record).await?,
            None => return Ok(()),
        },
        Kind::Run => match runs::get(&context.db, id).await? {
            Some(record) => run::run(context, record).await?,
            None => return Ok(()),
        },
        Kind::Generation => match generations::get(&context.db, id).await? {
            Some(record) => generation::run(context, record).await?,
            None => return Ok(()),
        },
        Kind::Transfer => match transfers::get(&context.db, id).await? {
            Some(record) => transfer::run(context, record).await?,
            None => return Ok(()),
        },
    };
    match outcome {
        Ok(()) => info!(record = %id, kind = kind.noun(), "work is done"),
        Err(Failure::Cancelled) => {
            work::finish(&context.db, kind, id, State::Cancelled, None).await?;
            info!(record = %id, kind = kind.noun(), "work was cancelled");
        }
        Err(Failure::Refused(cause)) => {
            work::finish(&context.db, kind, id, State::Failed, Some(&cause)).await?;
            warn!(record = %id, kind = kind.noun(), %cause, "work cannot be done");
        }
        Err(Failure::Internal(cause)) => {
            // The cause may hold a path: it is for the log alone.
            let told = "an internal error; the administrator finds the cause in the log";
            work::finish(&context.db, kind, id, State::Failed, Some(told)).await?;
            error!(record = %id, kind = kind.noun(), %cause, "work failed");
        }
    }
    context.progress.tell(id, None);
    // The record is over, so nobody takes this lease again.
    lease.retire()?;
    Ok(())
}

/// Takes the record's lease. `None` when the record was over before, or there is none.
async fn wait_for_lease(
    context: &JobContext,
    kind: Kind,
    id: &str,
) -> Result<Option<Lease>, JobError> {
    let name = format!("{}-{id}", kind.noun());
    loop {
        match work::state(&context.db, kind, id).await? {
            Some(state) if !state.is_over() => {}
            Some(_) | None => return Ok(None),
        }
        if let Some(lease) = Lease::try_take(&context.folders.leases(), &name)? {
            return Ok(Some(lease));
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = context.shutdown.cancelled() => return Err(JobError::Shutdown),
        }
    }
}
