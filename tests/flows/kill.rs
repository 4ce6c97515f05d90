//! `kill -9` in the middle: nothing acknowledged is lost, nothing half-done stays, work is finished.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use reqwest::{Body, Method};
use serde_json::json;

use crate::harness::objects::objects;
use crate::harness::session::{Session, wait_until};
use crate::harness::store::footprint;
use crate::harness::{Server, wait_over};

#[tokio::test]
async fn in_the_middle_of_an_upload() {
    let mut server = Server::start().await;
    let mut engineer = server.user(&["ml_engineer"]).await;
    let kept = engineer.uploaded(objects()).await;
    let files = files_of(&engineer, &kept).await;
    let before = footprint(&server.data).await;

    // The first file of a form arrives whole; then the line stays open.
    let mut form =
        b"--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.dcm\"\r\n\r\n"
            .to_vec();
    form.extend(&objects()[0].1);
    form.extend(
        b"\r\n--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"b.dcm\"\r\n\r\n",
    );
    form.extend(&objects()[1].1[..500]);
    let body =
        futures::stream::iter([Ok::<_, std::io::Error>(form)]).chain(futures::stream::pending());
    let request = engineer
        .request(Method::POST, "/uploads")
        .header("content-type", "multipart/form-data; boundary=x")
        .body(Body::wrap_stream(body));
    let sending = tokio::spawn(request.send());
    tokio::time::sleep(Duration::from_millis(700)).await;
    server.kill_and_restart().await;
    let _ = sending.await;

    engineer.address.clone_from(&server.address);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = footprint(&server.data).await;
    assert_eq!(after.rows, before.rows, "rows of an upload that was never acknowledged");
    assert_eq!(after.files, before.files, "files of an upload that was never acknowledged");
    assert!(files_of(&engineer, &kept).await == files, "a file came back changed");
}

/// The stored files of an upload by the radiograph's id.
async fn files_of(client: &Session, upload: &str) -> BTreeMap<String, Vec<u8>> {
    let (_, list) = client.get(&format!("/radiographs?upload_id={upload}&page_size=200")).await;
    assert_eq!(list["total"], objects().len(), "{list}");
    let mut files = BTreeMap::new();
    for radiograph in list["items"].as_array().unwrap() {
        let id = radiograph["id"].as_str().unwrap();
        files.insert(id.to_owned(), client.bytes(&format!("/radiographs/{id}/file")).await);
    }
    files
}

#[tokio::test]
async fn in_the_middle_of_a_training() {
    let mut server = Server::start().await;
    let mut engineer = server.user(&["ml_engineer"]).await;
    let upload = engineer.uploaded(objects()).await;
    let dataset = engineer.dataset(&upload).await;
    let body = json!({
        "name": "Interrupted", "dataset_id": dataset, "method": "lora", "rank": 2, "alpha": 2,
        "steps": 400, "batch_size": 4, "learning_rate": 1e-4, "seed": 3,
    });
    let run = engineer.accepted("/runs", &body).await;
    let path = format!("/runs/{run}");
    let seen = wait_until(&engineer, &path, |run| run["progress"]["step"].as_u64() > Some(5)).await;
    assert_eq!(seen["state"], "running", "over before it could be interrupted: {seen}");
    server.kill_and_restart().await;
    engineer.address.clone_from(&server.address);

    let record = wait_over(&engineer, &path).await;
    assert_eq!(record["state"], "succeeded", "{record}");
    assert_eq!(record["progress"]["step"], 400, "{record}");
    let (_, metrics) = engineer.get(&format!("{path}/metrics")).await;
    let mut steps: Vec<u64> = metrics
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event"] == "step")
        .map(|event| event["step"].as_u64().unwrap())
        .collect();
    assert!(steps.is_sorted(), "steps out of order: {steps:?}");
    steps.dedup();
    assert_eq!(steps.last(), Some(&400), "{steps:?}");
    let (status, _) = engineer.post(&format!("{path}/promote"), &json!({})).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn in_the_middle_of_a_generation() {
    let mut server = Server::start().await;
    let mut clinician = server.user(&["clinician"]).await;
    let order = |steps: u32| json!({ "prompt": { "findings": ["normal"] }, "steps": steps, "count": 4, "seed": 11 });
    let generation = clinician.accepted("/generations", &order(200)).await;
    let path = format!("/generations/{generation}");
    let seen =
        wait_until(&clinician, &path, |order| order["progress"]["step"].as_u64() > Some(2)).await;
    assert_eq!(seen["state"], "running", "over before it could be interrupted: {seen}");
    server.kill_and_restart().await;
    clinician.address.clone_from(&server.address);

    let record = wait_over(&clinician, &path).await;
    assert_eq!(record["state"], "succeeded", "{record}");
    let (_, images) = clinician.get(&format!("/images?generation_id={generation}")).await;
    assert_eq!(images["total"], 4, "{images}");
    let mut seeds: Vec<u64> = images["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["seed"].as_u64().unwrap())
        .collect();
    seeds.sort_unstable();
    assert_eq!(seeds, [11, 12, 13, 14], "an image came twice or never");
}
