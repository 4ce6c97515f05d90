//! Training an adapter.

use futures::FutureExt;
use serde_json::Value;
use skiagraph_engine::train::TrainEvent;

use super::context::{JobContext, JobError};
use super::drive::drive;
use super::engine::{self, Failure, RunOrder};
use crate::entities::runs;
use crate::models::runs as queries;
use crate::models::runs::{Metric, Outcome};
use crate::models::work::{self, Kind};

/// Points of a loss curve that are kept: more than a page can show, and few enough to send.
const MOST_POINTS: u64 = 2000;

/// Trains the adapter of a record, from its last checkpoint where there is one.
pub(super) async fn run(
    context: &JobContext,
    record: runs::Model,
) -> Result<Result<(), Failure>, JobError> {
    let id = record.id.as_str();
    let config = queries::config(&record)?;
    let total = config.steps;
    let order = RunOrder {
        name: record.name.clone(),
        model: context.model.clone(),
        dataset: context.folders.dataset(&record.dataset_id),
        out: context.folders.run(id),
        device: context.device.clone(),
        config,
    };
    let permit = context.permit.clone();
    let outcome = drive(
        context,
        move |sender, cancel| {
            let turn = permit.training(&cancel);
            let on_event = &mut |event: TrainEvent| {
                // Nobody listens any more when the job is being given up.
                let _ = sender.send(event);
                turn.stand_aside(&cancel);
            };
            engine::train(&order, on_event, &cancel)
        },
        |events: Vec<TrainEvent>| note(context, id, total, events).boxed(),
    )
    .await?;
    match outcome {
        Ok(summary) => {
            let outcome = Outcome {
                validation_loss_before: summary.validation_loss_before,
                validation_loss_after: summary.validation_loss_after,
                adapter_path: context.folders.relative(&summary.output),
            };
            queries::succeed(&context.db, id, &outcome).await?;
            Ok(Ok(()))
        }
        Err(failure) => Ok(Err(failure)),
    }
}

/// Keeps events and progress. Answers whether the run is still wanted.
async fn note(
    context: &JobContext,
    id: &str,
    total: u64,
    events: Vec<TrainEvent>,
) -> Result<bool, JobError> {
    let stride = total.div_ceil(MOST_POINTS).max(1);
    let mut metrics = Vec::with_capacity(events.len());
    let mut reached = None;
    for event in events {
        let step = step_of(&event);
        reached = Some(step);
        match event {
            TrainEvent::Started { step, .. } => {
                // After a restart the steps behind the last checkpoint are done again.
                queries::forget_metrics_after(&context.db, id, step).await?;
            }
            TrainEvent::Step { step, .. } if step % stride != 0 && step != total => continue,
            // Judges and autoencoders have figures, and the platform trains adapters alone.
            TrainEvent::Figures { .. } => continue,
            TrainEvent::Step { .. }
            | TrainEvent::Warning { .. }
            | TrainEvent::Estimate { .. }
            | TrainEvent::Validation { .. }
            | TrainEvent::Checkpoint { .. }
            | TrainEvent::Finished { .. } => {}
        }
        let event: Value = serde_json::to_value(&event)
            .map_err(|error| sea_orm::DbErr::Json(error.to_string()))?;
        metrics.push(Metric { step, event });
    }
    queries::add_metrics(&context.db, id, metrics).await?;
    let Some(step) = reached else {
        return super::is_running(context, Kind::Run, id).await;
    };
    let wanted = work::progress(&context.db, Kind::Run, id, step, total).await?;
    context.progress.tell(id, None);
    Ok(wanted)
}

fn step_of(event: &TrainEvent) -> u64 {
    match event {
        TrainEvent::Started { step, .. }
        | TrainEvent::Step { step, .. }
        | TrainEvent::Warning { step, .. }
        | TrainEvent::Estimate { step, .. }
        | TrainEvent::Validation { step, .. }
        | TrainEvent::Figures { step, .. }
        | TrainEvent::Checkpoint { step }
        | TrainEvent::Finished { step, .. } => *step,
    }
}
