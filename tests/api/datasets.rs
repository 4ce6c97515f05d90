//! `/datasets` and `/runs`: what cannot be built or trained, and what can.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::objects::objects;
use crate::harness::problem::names_field;
use crate::harness::{shared, wait_over};

async fn check(path: &str, sound: &Value, change: &[(&str, Value)], field: &str) {
    let mut body = sound.clone();
    for (name, value) in change {
        body[*name] = value.clone();
    }
    let session = shared().await.session("ml_engineer");
    let request = session.request(Method::POST, path).json(&body);
    names_field(request.send().await.unwrap(), &[400, 404, 409, 422], field).await;
}

#[tokio::test]
async fn data_sets_that_cannot_be_built() {
    let sound = json!({
        "name": "A set", "upload_ids": ["x"], "validation_fraction": 0.1, "seed": 1,
        "licence": "CC0-1.0", "attribution": "Somebody",
    });
    let path = "/datasets";
    check(path, &sound, &[], "upload_ids").await;
    check(path, &sound, &[("upload_ids", json!([]))], "upload_ids").await;
    check(path, &sound, &[("validation_fraction", json!(0))], "validation_fraction").await;
    check(path, &sound, &[("validation_fraction", json!(1.5))], "validation_fraction").await;
    check(path, &sound, &[("name", json!(""))], "name").await;
    check(path, &sound, &[("licence", json!(""))], "licence").await;
    check(path, &sound, &[("nmae", json!("x"))], "nmae").await;
}

#[tokio::test]
async fn runs_that_cannot_be_started() {
    let sound = json!({
        "name": "A run", "dataset_id": "x", "method": "lora", "rank": 4, "alpha": 4, "steps": 2,
        "batch_size": 2, "learning_rate": 1e-4, "seed": 1,
    });
    let path = "/runs";
    check(path, &sound, &[], "dataset_id").await;
    check(path, &sound, &[("steps", json!(0))], "steps").await;
    check(path, &sound, &[("rank", json!(0))], "rank").await;
    check(path, &sound, &[("rank", json!(1_000_000))], "rank").await;
    check(path, &sound, &[("learning_rate", json!(-1))], "learning_rate").await;
    check(path, &sound, &[("batch_size", json!("many"))], "batch_size").await;
    check(path, &sound, &[("method", json!("magic"))], "method").await;
}

#[tokio::test]
async fn from_an_upload_to_a_promoted_adapter() {
    let shared = shared().await;
    let engineer = shared.session("ml_engineer");
    let upload = engineer.uploaded(objects()).await;
    let dataset = engineer.dataset(&upload).await;

    // No patient stands on both sides of the split.
    let (_, samples) = engineer.get(&format!("/datasets/{dataset}/samples?page_size=200")).await;
    let samples = samples["items"].as_array().unwrap();
    assert_eq!(samples.len(), objects().len());
    let mut patients: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for sample in samples {
        let text = |name: &str| sample[name].as_str().unwrap();
        patients.entry(text("split")).or_default().insert(text("patient"));
    }
    assert!(patients["train"].is_disjoint(&patients["validation"]), "{patients:?}");

    let body = json!({
        "name": "Tiny adapter", "dataset_id": dataset, "method": "lora", "rank": 2, "alpha": 2,
        "steps": 3, "batch_size": 2, "learning_rate": 1e-3, "seed": 1,
    });
    let run = engineer.accepted("/runs", &body).await;
    let record = wait_over(engineer, &format!("/runs/{run}")).await;
    assert_eq!(record["state"], "succeeded", "{record}");
    for loss in ["validation_loss_before", "validation_loss_after"] {
        assert!(
            record[loss].as_f64().is_some_and(|loss| loss.is_finite() && loss > 0.0),
            "{loss}: {record}"
        );
    }
    let (_, metrics) = engineer.get(&format!("/runs/{run}/metrics")).await;
    let steps = metrics.as_array().unwrap().iter().filter(|event| event["event"] == "step").count();
    assert_eq!(steps, 3, "{metrics}");

    let clinician = shared.session("clinician");
    let adapters = |models: &Value| models["adapters"].to_string();
    assert!(!adapters(&clinician.get("/models").await.1).contains(&run));
    let order = json!({ "prompt": { "findings": ["normal"] }, "steps": 2, "adapter_id": run });
    let request = clinician.request(Method::POST, "/generations").json(&order);
    names_field(request.send().await.unwrap(), &[422], "adapter_id").await;
    let (status, _) = engineer.post(&format!("/runs/{run}/promote"), &json!({})).await;
    assert_eq!(status, 200);
    let models = clinician.get("/models").await.1;
    let shown = models["adapters"].as_array().unwrap().iter().find(|one| one["id"] == run.as_str());
    let credits = shown.unwrap()["attribution"].as_array().unwrap();
    assert_eq!(credits.iter().filter(|one| *one == "Drawn by a test").count(), 1, "{models}");
    let order = clinician.accepted("/generations", &order).await;
    let made = wait_over(clinician, &format!("/generations/{order}")).await;
    assert_eq!(made["state"], "succeeded", "{made}");
}
