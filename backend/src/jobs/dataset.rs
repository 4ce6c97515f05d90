//! Building a data set.

use std::collections::HashSet;
use std::fs;

use futures::FutureExt;

use super::context::{JobContext, JobError};
use super::drive::drive;
use super::engine::{self, DatasetOrder, Failure};
use crate::entities::{datasets, radiographs};
use crate::models::work::{self, Kind};
use crate::models::{datasets as data, radiographs as images};

/// Builds the data set of a record, from the start or from where a killed worker stopped.
pub(super) async fn run(
    context: &JobContext,
    record: datasets::Model,
) -> Result<Result<(), Failure>, JobError> {
    let id = record.id.as_str();
    let order = order(context, &record).await?;
    let sources = order.sources.clone();
    let outcome = drive(
        context,
        move |sender, cancel| {
            engine::build_dataset(
                &order,
                &mut |step, total| {
                    // Nobody listens any more when the job is being given up.
                    let _ = sender.send((step, total));
                },
                &cancel,
            )
        },
        |told: Vec<(u64, u64)>| note(context, id, told.last().copied()).boxed(),
    )
    .await?;
    remove(&sources)?;
    match outcome {
        Ok(card) => {
            data::succeed(&context.db, id, card).await?;
            Ok(Ok(()))
        }
        Err(failure) => Ok(Err(failure)),
    }
}

/// Writes down how far it has come. Answers whether the data set is still wanted.
async fn note(context: &JobContext, id: &str, told: Option<(u64, u64)>) -> Result<bool, JobError> {
    let Some((step, total)) = told else {
        return super::is_running(context, Kind::Dataset, id).await;
    };
    let wanted = work::progress(&context.db, Kind::Dataset, id, step, total).await?;
    context.progress.tell(id, None);
    Ok(wanted)
}

/// Puts the radiographs into a folder, one file for each different content.
async fn order(context: &JobContext, record: &datasets::Model) -> Result<DatasetOrder, JobError> {
    let uploads = data::uploads_of(&context.db, [record.id.as_str()]).await?;
    let uploads: Vec<String> = uploads.into_iter().map(|(_, upload)| upload).collect();
    let mut seen = HashSet::new();
    let radiographs: Vec<radiographs::Model> = images::wanted_of_uploads(&context.db, &uploads)
        .await?
        .into_iter()
        .filter(|radiograph| seen.insert(radiograph.sha256.clone()))
        .collect();
    let sources = context.folders.dataset_sources(&record.id);
    remove(&sources)?;
    let out = context.folders.dataset(&record.id);
    if !out.join("card.json").exists() {
        fs::create_dir_all(&sources)?;
        for (index, radiograph) in radiographs.iter().enumerate() {
            let bytes = context.storage.get(&radiograph.object_key).await?;
            tokio::fs::write(sources.join(format!("{index:08}.dcm")), bytes).await?;
        }
    }
    Ok(DatasetOrder {
        name: record.name.clone(),
        sources,
        radiographs: radiographs.into_iter().map(|radiograph| radiograph.id).collect(),
        out,
        validation_fraction: record.validation_fraction as f32,
        seed: record.seed.unsigned_abs(),
        licence: record.licence.clone(),
        attribution: record.attribution.clone(),
    })
}

fn remove(folder: &std::path::Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
