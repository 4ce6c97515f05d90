//! Sending released images to an archive.

use bytes::Bytes;
use futures::FutureExt;
use skiagraph_compliance::audit::Action;
use skiagraph_engine::dicom::exchange::{self, ExchangeError, Outcome};

use super::context::{JobContext, JobError};
use super::drive::drive;
use super::engine::Failure;
use crate::audit::{self, Actor, Entry};
use crate::database;
use crate::entities::transfers;
use crate::models::state::State;
use crate::models::work::{self, Kind};
use crate::models::{images, transfers as queries};

/// What became of an image, by its place in the transfer.
type Told = (usize, Outcome);

/// Sends the images of a record, on one association. After a restart all of them are sent again: an
/// archive that has one keeps what it has.
pub(super) async fn run(
    context: &JobContext,
    record: transfers::Model,
) -> Result<Result<(), Failure>, JobError> {
    let id = record.id.as_str();
    let Some(destination) = context.destinations.get(&record.destination) else {
        let cause = "destination: is in the configuration no more".to_owned();
        return Ok(Err(Failure::Refused(cause)));
    };
    let image_ids = queries::images(&record)?;
    let mut objects: Vec<Bytes> = Vec::with_capacity(image_ids.len());
    for image_id in &image_ids {
        // A later verdict may have called one back.
        let image = images::get(&context.db, image_id).await?;
        let Some(image) = image.filter(|image| image.review_state == "released") else {
            let cause = format!("image_ids: image {image_id} is not released any more");
            return Ok(Err(Failure::Refused(cause)));
        };
        objects.push(context.storage.get(&image.object_key_dicom).await?);
    }
    let (peer, total) = (destination.peer(), objects.len());
    let mut told = Vec::with_capacity(total);
    let outcome = drive(
        context,
        move |sender, cancel| {
            exchange::send(
                &peer,
                objects.len(),
                &mut |index| {
                    Ok(objects.get(index).map(|object| object.to_vec()).unwrap_or_default())
                },
                &mut |index, outcome| {
                    // Nobody listens any more when the job is being given up.
                    let _ = sender.send((index, outcome.clone()));
                },
                &cancel,
            )
            .map_err(failure)
        },
        |news: Vec<Told>| {
            told.extend(news);
            note(context, id, told.len() as u64, total as u64).boxed()
        },
    )
    .await?;
    write_down(context, &record, &image_ids, &told).await?;
    if let Err(failure) = outcome {
        return Ok(Err(failure));
    }
    let refused: Vec<&Outcome> =
        told.iter().map(|(_, outcome)| outcome).filter(|outcome| !outcome.is_kept()).collect();
    if let Some(first) = refused.first() {
        let why = match &first.status {
            Ok(status) => format!("status {:04X}", status.0),
            Err(cause) => cause.clone(),
        };
        let cause = format!("the archive did not keep {} of {total} images: {why}", refused.len());
        return Ok(Err(Failure::Refused(cause)));
    }
    work::finish(&context.db, Kind::Transfer, id, State::Succeeded, None).await?;
    Ok(Ok(()))
}

async fn note(context: &JobContext, id: &str, done: u64, total: u64) -> Result<bool, JobError> {
    let wanted = work::progress(&context.db, Kind::Transfer, id, done, total).await?;
    context.progress.tell(id, None);
    Ok(wanted)
}

/// An event for each image that the archive has kept.
async fn write_down(
    context: &JobContext,
    record: &transfers::Model,
    image_ids: &[String],
    told: &[Told],
) -> Result<(), JobError> {
    let kept = told.iter().filter(|(_, outcome)| outcome.is_kept());
    let kept: Vec<&String> = kept.filter_map(|(index, _)| image_ids.get(*index)).collect();
    if kept.is_empty() {
        return Ok(());
    }
    let transaction = database::begin(&context.db).await?;
    for image_id in kept {
        let entry = Entry::of(Action::InstancesTransferred, "image", image_id)
            .detail("destination", record.destination.as_str())
            .detail("transfer", record.id.as_str())
            .detail("ordered_by", record.created_by.as_str());
        audit::append(&transaction, &context.signer, &Actor::system("worker"), entry).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// A network's errors are for whoever waits; they hold addresses of the configuration and no patient.
fn failure(error: ExchangeError) -> Failure {
    match error {
        ExchangeError::Cancelled => Failure::Cancelled,
        ExchangeError::Association { .. }
        | ExchangeError::Broken { .. }
        | ExchangeError::Refused { .. }
        | ExchangeError::Synthetic { .. } => Failure::Refused(error.to_string()),
        ExchangeError::Option { .. } | ExchangeError::Object { .. } | ExchangeError::Io(_) => {
            Failure::Internal(error.to_string())
        }
    }
}
