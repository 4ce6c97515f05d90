//! Making images, one after the other: a finished image is kept whatever happens to the next.

use bytes::Bytes;
use futures::FutureExt;
use sha2::{Digest, Sha256};
use skiagraph_compliance::audit::Action;
use skiagraph_engine::dicom;
use uuid::Uuid;

use super::context::{JobContext, JobError};
use super::drive::drive;
use super::engine::{self, Failure, Made};
use super::progress::Preview;
use crate::audit::{self, Actor, Entry};
use crate::database;
use crate::entities::generations;
use crate::models::generations::{self as queries, GenerationRequest};
use crate::models::images::NewImage;
use crate::models::instances::{self, Index};
use crate::models::state::State;
use crate::models::work::{self, Kind};
use crate::models::{images, registry, runs};

/// What the thread tells: a finished step, with a preview now and then.
type Step = (u32, Option<Vec<u8>>);

/// Makes the images of a record that are not there yet.
pub(super) async fn run(
    context: &JobContext,
    record: generations::Model,
) -> Result<Result<(), Failure>, JobError> {
    let id = record.id.as_str();
    let service = context.service.as_ref().ok_or(JobError::NoModel)?;
    let request = queries::request(&record)?;
    let adapter = match &request.adapter_id {
        None => None,
        Some(run) => match runs::get(&context.db, run).await?.and_then(|run| run.adapter_path) {
            Some(path) => Some(context.folders.absolute(&path)),
            None => {
                return Ok(Err(Failure::Refused("adapter_id: the adapter is gone".to_owned())));
            }
        },
    };
    let finished = images::finished(&context.db, id).await?;
    for index in (0..request.count).filter(|index| !finished.contains(index)) {
        let marking = context.marking.clone();
        let order = engine::image_request(&request, index, adapter.as_deref(), &marking);
        let (service, permit) = (service.clone(), context.permit.clone());
        let outcome = drive(
            context,
            move |sender, cancel| {
                let _turn = permit.generation(&cancel);
                let on_step = &mut |step, preview| {
                    // Nobody listens any more when the job is being given up.
                    let _ = sender.send((step, preview));
                };
                engine::generate(&service, &order, &marking, on_step, &cancel)
            },
            |steps: Vec<Step>| note(context, id, &request, index, steps).boxed(),
        )
        .await?;
        match outcome {
            Ok(made) => keep(context, id, index, made).await?,
            Err(failure) => return Ok(Err(failure)),
        }
        let step = u64::from(index + 1) * u64::from(request.steps);
        if !work::progress(&context.db, Kind::Generation, id, step, total(&request)).await? {
            return Ok(Err(Failure::Cancelled));
        }
        context.progress.tell(id, None);
    }
    work::finish(&context.db, Kind::Generation, id, State::Succeeded, None).await?;
    Ok(Ok(()))
}

fn total(request: &GenerationRequest) -> u64 {
    u64::from(request.count) * u64::from(request.steps)
}

async fn note(
    context: &JobContext,
    id: &str,
    request: &GenerationRequest,
    image: u32,
    steps: Vec<Step>,
) -> Result<bool, JobError> {
    let Some(step) = steps.last().map(|(step, _)| *step) else {
        return super::is_running(context, Kind::Generation, id).await;
    };
    // Previews of a beat that nobody could have seen are not sent.
    let preview = steps.into_iter().rev().find_map(|(step, png)| {
        Some(Preview { image, step, steps: request.steps, png: png?.into() })
    });
    let done = u64::from(image) * u64::from(request.steps) + u64::from(step);
    let wanted = work::progress(&context.db, Kind::Generation, id, done, total(request)).await?;
    context.progress.tell(id, preview);
    Ok(wanted)
}

/// Stores the objects, then writes the record. The keys are the image's place, so an image that is
/// made again after a restart replaces the objects that have no record.
async fn keep(
    context: &JobContext,
    generation_id: &str,
    index: u32,
    made: Made,
) -> Result<(), JobError> {
    let Made { image, identifiers } = made;
    let sha256 = hex::encode(Sha256::digest(&image.dicom));
    let described = dicom::describe(&image.dicom).map_err(std::io::Error::other)?;
    let object_key_dicom = format!("images/{generation_id}/{index}.dcm");
    let object_key_png = format!("images/{generation_id}/{index}.png");
    context.storage.put(&object_key_dicom, Bytes::from(image.dicom)).await?;
    context.storage.put(&object_key_png, Bytes::from(image.png)).await?;
    let provenance = serde_json::to_value(&image.provenance)
        .map_err(|error| sea_orm::DbErr::Json(error.to_string()))?;
    let new = NewImage {
        id: Uuid::now_v7().to_string(),
        generation_id: generation_id.to_owned(),
        index,
        seed: image.seed,
        object_key_dicom,
        object_key_png,
        sha256,
        provenance,
    };
    let entry = Entry::of(Action::InstancesCreated, "image", &new.id)
        .detail("generation", generation_id)
        .detail("seed", new.seed);
    let index = Index::of(&described).of_image(&new.id, &new.object_key_dicom);
    let transaction = database::begin(&context.db).await?;
    let image_id = new.id.clone();
    images::insert(&transaction, new).await?;
    instances::insert(&transaction, vec![index]).await?;
    registry::insert(&transaction, &image_id, &identifiers).await?;
    audit::append(&transaction, &context.signer, &Actor::system("worker"), entry).await?;
    transaction.commit().await?;
    Ok(())
}
