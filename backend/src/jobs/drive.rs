//! Drives blocking work from the async side: writes down what it tells, and stops it when nobody
//! wants it any more.

use std::time::Duration;

use futures::future::BoxFuture;
use skiagraph_engine::device::CancelToken;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::MissedTickBehavior;

use super::JobError;
use super::context::JobContext;
use super::engine::Failure;

/// How often news are written down, and the record is asked whether the work is still wanted.
const BEAT: Duration = Duration::from_millis(500);

/// Runs `work` on a thread of its own. `note` gets what it told since the last beat, maybe
/// nothing, and answers whether the record still wants it.
///
/// # Errors
/// [`JobError`] when noting failed, the process is about to end, or the work panicked; what the
/// work itself came to is the inner result.
pub(super) async fn drive<'a, E, T>(
    context: &JobContext,
    work: impl FnOnce(UnboundedSender<E>, CancelToken) -> Result<T, Failure> + Send + 'static,
    mut note: impl FnMut(Vec<E>) -> BoxFuture<'a, Result<bool, JobError>> + Send,
) -> Result<Result<T, Failure>, JobError>
where
    E: Send + 'static,
    T: Send + 'static,
{
    let cancel = CancelToken::new();
    let (sender, mut told) = mpsc::unbounded_channel();
    let thread = tokio::task::spawn_blocking({
        let cancel = cancel.clone();
        move || work(sender, cancel)
    });
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut waiting = Vec::new();
    let mut failed = None;
    loop {
        let ended = tokio::select! {
            event = told.recv() => match event {
                Some(event) => {
                    waiting.push(event);
                    continue;
                }
                // The thread dropped its sender: it is done.
                None => true,
            },
            _ = beat.tick() => false,
            () = context.shutdown.cancelled(), if !cancel.is_cancelled() => {
                cancel.cancel();
                continue;
            }
        };
        if failed.is_none() {
            match note(std::mem::take(&mut waiting)).await {
                Ok(true) => {}
                Ok(false) => cancel.cancel(),
                Err(error) => {
                    failed = Some(error);
                    cancel.cancel();
                }
            }
        }
        if ended {
            break;
        }
    }
    let outcome = thread.await.map_err(|_| JobError::Panicked)?;
    if let Some(error) = failed {
        return Err(error);
    }
    if matches!(outcome, Err(Failure::Cancelled)) && context.shutdown.is_cancelled() {
        return Err(JobError::Shutdown);
    }
    Ok(outcome)
}
