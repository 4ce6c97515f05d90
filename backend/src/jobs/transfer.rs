//! Sending released images to an archive.

use bytes::Bytes;
use futures::FutureExt;
use skiagraph_compliance::audit::Action;
use skiagraph_engine::dicom::exchange::{ExchangeError, Outcome, Status};

use super::context::{JobContext, JobError};
use super::drive::drive;
use super::engine::Failure;
use crate::audit::{self, Actor, Entry};
use crate::database;
use crate::destinations::{Archive, ArchiveError};
use crate::entities::transfers;
use crate::models::state::State;
use crate::models::work::{self, Kind};
use crate::models::{images, transfers as queries};

/// What became of an image, by its place in the transfer.
type Told = (usize, Outcome);

/// Sends the images of a record: on one association, or one by one over the web. After a restart all of them are sent again: an
/// archive that has one keeps what it has.
pub(super) async fn run(
    context: &JobContext,
    record: transfers::Model,
) -> Result<Result<(), Failure>, JobError> {
    let id = record.id.as_str();
    let archive = match find(context, &record.destination).await? {
        Ok(archive) => archive,
        Err(failure) => return Ok(Err(failure)),
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
    let (by, total) = (archive.by(), objects.len());
    let mut told = Vec::with_capacity(total);
    let outcome = drive(
        context,
        move |sender, cancel| {
            let sent = archive.send(
                objects.len(),
                &mut |index| {
                    Ok(objects.get(index).map(|object| object.to_vec()).unwrap_or_default())
                },
                &mut |index, outcome| {
                    // Nobody listens any more when the job is being given up.
                    let _ = sender.send((index, outcome.clone()));
                },
                &cancel,
            );
            sent.map_err(failure)
        },
        |news: Vec<Told>| {
            told.extend(news);
            note(context, id, told.len() as u64, total as u64).boxed()
        },
    )
    .await?;
    write_down(context, &record, by, &image_ids, &told).await?;
    if let Err(failure) = outcome {
        return Ok(Err(failure));
    }
    let warned =
        reasons(&told, |outcome| outcome.is_kept() && outcome.status != Ok(Status::SUCCESS));
    if let Some((count, why)) = warned {
        let warning = format!("the archive kept {count} of {total} images with a warning: {why}");
        queries::warn(&context.db, id, &warning).await?;
    }
    if let Some((count, why)) = reasons(&told, |outcome| !outcome.is_kept()) {
        let cause = format!("the archive did not keep {count} of {total} images: {why}");
        return Ok(Err(Failure::Refused(cause)));
    }
    work::finish(&context.db, Kind::Transfer, id, State::Succeeded, None).await?;
    Ok(Ok(()))
}

/// The archive as it is spoken with, or why it cannot be.
async fn find(context: &JobContext, name: &str) -> Result<Result<Archive, Failure>, JobError> {
    let refused = |cause: &str| Ok(Err(Failure::Refused(format!("destination: {cause}"))));
    let Some(known) = context.destinations.find(&context.db, name).await? else {
        return refused("there is no archive of this name any more");
    };
    let destinations = context.destinations.clone();
    let opened = tokio::task::spawn_blocking(move || destinations.archive(&known)).await;
    match opened.map_err(|_| JobError::Panicked)? {
        Ok(archive) => Ok(Ok(archive)),
        Err(error) => {
            tracing::error!(%error, destination = %name, "an archive cannot be opened");
            refused("its token or password cannot be read; an administrator has to set it anew")
        }
    }
}

/// How many of the outcomes are such, and every different reason of theirs once. `None` where none is.
fn reasons(told: &[Told], such: impl Fn(&Outcome) -> bool) -> Option<(usize, String)> {
    let those: Vec<&Outcome> =
        told.iter().map(|(_, outcome)| outcome).filter(|outcome| such(outcome)).collect();
    let mut words: Vec<String> = Vec::new();
    for outcome in &those {
        let why = match &outcome.status {
            Ok(status) => status.to_string(),
            Err(cause) => cause.clone(),
        };
        if !words.contains(&why) {
            words.push(why);
        }
    }
    (!those.is_empty()).then(|| (those.len(), words.join("; ")))
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
    by: &'static str,
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
            .detail("by", by)
            .detail("destination", record.destination.as_str())
            .detail("transfer", record.id.as_str())
            .detail("ordered_by", record.created_by.as_str());
        audit::append(&transaction, &context.signer, &Actor::system("worker"), entry).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// A network's errors are for whoever waits; they hold addresses of the configuration and no patient.
fn failure(error: ArchiveError) -> Failure {
    let error = match error {
        ArchiveError::Dicom(error) => error,
        ArchiveError::Web { .. } => return Failure::Refused(error.to_string()),
    };
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn told(statuses: &[Result<u16, &str>]) -> Vec<Told> {
        let outcome = |status: &Result<u16, &str>| Outcome {
            sop_instance_uid: "1.2.3".to_owned(),
            status: status.map(Status).map_err(str::to_owned),
        };
        statuses.iter().map(outcome).enumerate().collect()
    }

    #[test]
    fn every_reason_is_said_once_with_its_meaning() {
        let told = told(&[Ok(0), Ok(0xA700), Ok(0xB000), Ok(0xA700), Err("it is busy now")]);
        let (count, why) = reasons(&told, |outcome| !outcome.is_kept()).unwrap();
        assert_eq!((count, why.as_str()), (3, "A700 (out of resources); it is busy now"));
        assert_eq!(reasons(&told[..1], |outcome| !outcome.is_kept()), None);
    }

    #[test]
    fn a_network_s_failure_is_for_whoever_waits() {
        let peer = || "pacs:443".to_owned();
        let web = ArchiveError::Web { peer: peer(), cause: "it is busy now".to_owned() };
        assert!(
            matches!(failure(web), Failure::Refused(cause) if cause == "pacs:443: it is busy now")
        );
        let synthetic = ExchangeError::Synthetic { number: 1, peer: peer() };
        assert!(matches!(failure(synthetic.into()), Failure::Refused(_)));
        assert!(matches!(failure(ExchangeError::Cancelled.into()), Failure::Cancelled));
    }
}
