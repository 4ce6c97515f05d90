//! Jobs over real files: a queue, records, objects, and data sets that are really built.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use skiagraph_engine::adapter::AdapterCard;
use tokio::time::{sleep, timeout};

use super::*;
use crate::models::runs::RunConfig;
use crate::models::{datasets, runs, work};
use crate::testing::{Place, tiny_model};

fn context(place: &Place) -> JobContext {
    JobContext {
        db: place.db.clone(),
        storage: place.storage.clone(),
        folders: place.folders.clone(),
        signer: skiagraph_compliance::audit::Signer::new(&[7; 32]),
        queue: place.queue.clone(),
        permit: Permit::default(),
        progress: Progress::default(),
        model: std::path::PathBuf::new(),
        device: skiagraph_engine::device::Device::Cpu,
        service: None,
        destinations: crate::destinations::Destinations::default(),
        marking: crate::marking::Marking::default(),
        shutdown: tokio_util::sync::CancellationToken::new(),
    }
}

async fn wait_until_over(place: &Place, id: &str) -> State {
    wait(place, Kind::Dataset, id, State::is_over).await
}

/// Waits until a record stands as `holds` wants it.
async fn wait(place: &Place, kind: Kind, id: &str, holds: impl Fn(State) -> bool) -> State {
    let over = async {
        loop {
            let state = work::state(&place.db, kind, id).await.unwrap().unwrap();
            if holds(state) {
                return state;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_mins(1), over).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_nobody_was_asked_for_is_built() {
    let place = Place::new().await;
    let upload = place.upload(8).await;
    // The process died between the record and its job.
    place.dataset(&upload, "d1").await;
    let context = context(&place);
    let shutdown = context.shutdown.clone();
    let worker = tokio::spawn(work(context));
    assert_eq!(wait_until_over(&place, "d1").await, State::Succeeded);
    let record = datasets::get(&place.db, "d1").await.unwrap().unwrap();
    let card = record.card.unwrap();
    assert_eq!(
        card["samples"]["train"].as_u64().unwrap()
            + card["samples"]["validation"].as_u64().unwrap(),
        8
    );
    assert_eq!((record.progress_step, record.progress_total), (8, 8));
    assert!(place.folders.dataset("d1").join("manifest.jsonl").exists());
    assert!(!place.folders.dataset_sources("d1").exists());
    shutdown.cancel();
    timeout(Duration::from_secs(20), worker).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_built_fails_with_its_cause_and_what_is_cancelled_stays_so() {
    let place = Place::new().await;
    let upload = place.upload(1).await;
    place.dataset(&upload, "one").await;
    place.dataset(&upload, "off").await;
    place.queue.push(Kind::Dataset, "one").await.unwrap();
    place.queue.push(Kind::Dataset, "off").await.unwrap();
    assert!(work::cancel(&place.db, Kind::Dataset, "off").await.unwrap());
    let context = context(&place);
    let shutdown = context.shutdown.clone();
    let worker = tokio::spawn(work(context));
    assert_eq!(wait_until_over(&place, "one").await, State::Failed);
    let error = datasets::get(&place.db, "one").await.unwrap().unwrap().error.unwrap();
    assert!(error.contains("split by patient"), "{error}");
    assert_eq!(wait_until_over(&place, "off").await, State::Cancelled);
    assert!(!place.folders.dataset("off").exists());
    shutdown.cancel();
    timeout(Duration::from_secs(20), worker).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_killed_worker_are_taken_back_at_once() {
    let place = Place::new().await;
    let upload = place.upload(4).await;
    place.dataset(&upload, "d1").await;
    place.queue.push(Kind::Dataset, "d1").await.unwrap();
    // What a killed worker leaves: a running record, and a job that it holds.
    assert!(work::start(&place.db, Kind::Dataset, "d1").await.unwrap());
    place.queue.hold_for_test("killed.datasets.0").await;
    assert_eq!(place.queue.holders().await.unwrap(), ["killed.datasets.0"]);
    let context = context(&place);
    let shutdown = context.shutdown.clone();
    let worker = tokio::spawn(work(context));
    assert_eq!(wait_until_over(&place, "d1").await, State::Succeeded);
    shutdown.cancel();
    timeout(Duration::from_secs(20), worker).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_after_a_restart() {
    let place = Place::new().await;
    let upload = place.upload(8).await;
    place.dataset(&upload, "d1").await;
    let mut context = context(&place);
    let worker = tokio::spawn(work(context.clone()));
    assert_eq!(wait_until_over(&place, "d1").await, State::Succeeded);
    context.shutdown.cancel();
    worker.await.unwrap().unwrap();

    let dataset = place.folders.dataset("d1");
    let folder = place.folders.run("models");
    context.model =
        tokio::task::spawn_blocking(move || tiny_model(&dataset, &folder)).await.unwrap();
    let config = RunConfig {
        method: "lora".to_owned(),
        rank: 2,
        alpha: 2.0,
        steps: 200,
        batch_size: 2,
        learning_rate: 1e-3,
        seed: 7,
    };
    runs::insert(&place.db, "r1", "adapter", "d1", &config, "u").await.unwrap();
    context.shutdown = tokio_util::sync::CancellationToken::new();
    let worker = tokio::spawn(work(context.clone()));
    let checkpoint = async {
        while !skiagraph_engine::train::has_checkpoint(&place.folders.run("r1")) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_mins(1), checkpoint).await.unwrap();
    context.shutdown.cancel();
    worker.await.unwrap().unwrap();
    let state = work::state(&place.db, Kind::Run, "r1").await.unwrap();
    assert_eq!(state, Some(State::Running), "a restart is no failure");

    context.shutdown = tokio_util::sync::CancellationToken::new();
    let worker = tokio::spawn(work(context.clone()));
    assert_eq!(wait(&place, Kind::Run, "r1", State::is_over).await, State::Succeeded);
    context.shutdown.cancel();
    worker.await.unwrap().unwrap();

    let metrics = runs::metrics(&place.db, "r1").await.unwrap();
    let steps: Vec<u64> = metrics
        .iter()
        .filter(|event| event["event"] == "step")
        .map(|event| event["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, (1..=200).collect::<Vec<_>>(), "every step once, in its order");
    let run = runs::get(&place.db, "r1").await.unwrap().unwrap();
    assert!(run.validation_loss_before.is_some() && run.validation_loss_after.is_some());
    let adapter = place.folders.absolute(&run.adapter_path.unwrap());
    let card = AdapterCard::of(&adapter).unwrap().unwrap();
    // The model's card says `none`, and both it and the adapter learned from this one set.
    assert_eq!(
        (card.licence.as_str(), card.attribution),
        ("none; CC BY 4.0", vec!["nobody".to_owned()])
    );
}
