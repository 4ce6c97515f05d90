//! `/generations`: orders that cannot be carried out, and one that can.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::problem::names_field;
use crate::harness::{shared, wait_over};

/// A sound order with one change is refused, by the field's name, and leaves no record.
async fn check(change: &[(&str, Value)], field: &str) {
    let shared = shared().await;
    let own = shared.server.user(&["clinician"]).await;
    let mut body =
        json!({ "prompt": { "findings": ["normal"], "age_group": "adult" }, "steps": 2 });
    for (name, value) in change {
        body[*name] = value.clone();
    }
    let request = own.request(Method::POST, "/generations").json(&body);
    names_field(request.send().await.unwrap(), &[400, 413, 422], field).await;
    let (_, list) = own.get("/generations").await;
    assert_eq!(list["total"], 0, "{list}");
}

#[tokio::test]
async fn orders_that_cannot_be_carried_out() {
    check(&[("steps", json!(0))], "steps").await;
    check(&[("steps", json!(10_000))], "steps").await;
    check(&[("steps", json!(-1))], "steps").await;
    check(&[("steps", json!("twenty"))], "steps").await;
    check(&[("count", json!(0))], "count").await;
    check(&[("count", json!(17))], "count").await;
    check(&[("guidance_scale", json!(1e9))], "guidance_scale").await;
    check(&[("seed", json!(-5))], "seed").await;
    check(&[("prompt", json!({ "findings": ["dragon"] }))], "prompt.findings").await;
    check(&[("prompt", json!({ "findings": "normal" }))], "prompt").await;
    check(&[("prompt", json!({ "findings": [], "age_group": "ancient" }))], "prompt.age_group")
        .await;
    check(&[("prompt", json!({ "findings": [], "sex": "unlikely" }))], "prompt.sex").await;
    check(
        &[("prompt", json!({ "findings": [], "view_position": "UPSIDE" }))],
        "prompt.view_position",
    )
    .await;
    check(&[("prompt", json!({ "findings": ["normal"], "mood": "happy" }))], "prompt").await;
    let described = |key: &str, value: Value| {
        let mut finding = json!({ "finding": "mass", "place": "left" });
        finding[key] = value;
        [("prompt", json!({ "findings": [finding] }))]
    };
    check(&described("place", json!("elbow")), "prompt.findings").await;
    check(&described("severity", json!("awful")), "prompt.findings").await;
    check(&described("weight", json!(99)), "prompt.findings").await;
    check(&described("colour", json!("red")), "prompt.findings").await;
    check(&[("prompt", json!({ "style": "baroque" }))], "prompt.style").await;
    check(&[("prompt", json!({ "text": "(opacity:99)" }))], "prompt.text").await;
    check(&[("negative", json!("(devices:99)"))], "negative").await;
    check(&[("negative", json!("y".repeat(2001)))], "negative").await;
    check(&[("adapter_id", json!("nothing-of-this-name"))], "adapter_id").await;
    check(&[("colour", json!("red"))], "colour").await;
}

#[tokio::test]
async fn a_prompt_of_a_hundred_kilobytes() {
    let text = "lungs ".repeat(17_000);
    check(&[("prompt", json!({ "findings": ["normal"], "text": text }))], "prompt.text").await;
}

#[tokio::test]
async fn a_body_that_is_no_json() {
    let session = shared().await.session("clinician");
    for body in ["", "{", "[]", "null", "{\"prompt\": \"\\ud800\"}"] {
        let request = session.request(Method::POST, "/generations");
        let answer =
            request.header("content-type", "application/json").body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(status == 400 || status == 422, "{body}: {status}");
        crate::harness::problem::problem(answer, status).await;
    }
}

#[tokio::test]
async fn an_order_with_place_severity_and_words_that_nobody_knows() {
    let own = shared().await.server.user(&["clinician"]).await;
    let finding = json!({ "finding": "effusion", "place": "left", "severity": "mild" });
    let prompt = json!({ "findings": [finding, "mass"], "style": "portable", "text": "胸片" });
    let body = json!({ "prompt": prompt, "steps": 1, "seed": 1 });
    let (status, record) = own.post("/generations", &body).await;
    assert_eq!(status, 202, "{record}");
    let request = &record["request"];
    assert_eq!(request["prompt"]["findings"], json!([finding, "mass"]));
    let sentence = "chest radiograph, portable technique, mild left effusion, mass, 胸片";
    assert_eq!(request["sentence"], sentence);
    let note = &request["notes"][0];
    assert_eq!(note["field"], "prompt");
    assert!(note["unknown"].as_array().unwrap().contains(&json!("胸片")), "{note}");
}

#[tokio::test]
async fn an_order_and_its_images() {
    let shared = shared().await;
    let own = shared.server.user(&["clinician"]).await;
    let body = json!({ "prompt": { "findings": ["normal"], "age_group": "adult" }, "steps": 2, "count": 2, "seed": 7 });
    let id = own.accepted("/generations", &body).await;
    let record = wait_over(&own, &format!("/generations/{id}")).await;
    assert_eq!(record["state"], "succeeded", "{record}");
    let (_, images) = own.get(&format!("/images?generation_id={id}")).await;
    assert_eq!(images["total"], 2, "{images}");
    let seeds: Vec<u64> = images["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["seed"].as_u64().unwrap())
        .collect();
    assert!(seeds.contains(&7) && seeds.contains(&8), "{seeds:?}");
    for image in images["items"].as_array().unwrap() {
        let image = image["id"].as_str().unwrap();
        assert_eq!(&own.bytes(&format!("/images/{image}/png")).await[..4], b"\x89PNG");
        let object = own.bytes(&format!("/images/{image}/file")).await;
        let header = skiagraph_engine::dicom::inspect(&object).unwrap();
        assert!(header.synthetic, "a generated object is not marked synthetic");
    }
    // Another clinician does not see it.
    let other = shared.session("clinician");
    assert_eq!(other.get(&format!("/generations/{id}")).await.0, 404);
    let image = images["items"][0]["id"].as_str().unwrap();
    assert_eq!(other.get(&format!("/images/{image}")).await.0, 404);

    // The verdict, its history, and what it does to the image.
    let review = |body: Value| {
        let own = own.clone();
        async move { own.post(&format!("/images/{image}/reviews"), &body).await }
    };
    assert_eq!(
        review(json!({ "verdict": "release", "reason": "Looks right", "realism": 4 })).await.0,
        201
    );
    assert_eq!(own.get(&format!("/images/{image}")).await.1["review_state"], "released");
    assert_eq!(review(json!({ "verdict": "reject", "reason": "A rib too many" })).await.0, 201);
    assert_eq!(own.get(&format!("/images/{image}")).await.1["review_state"], "rejected");
    assert_eq!(own.get(&format!("/images/{image}/reviews")).await.1["total"], 2);
    let report = own.bytes(&format!("/images/{image}/report")).await;
    assert_eq!(&report[128..132], b"DICM");
    let said = String::from_utf8_lossy(&report).into_owned();
    assert!(said.contains("A rib too many") && said.contains("READER-"), "{said}");
    for (body, field) in [
        (json!({ "verdict": "maybe" }), "verdict"),
        (json!({ "verdict": "reject" }), "reason"),
        (json!({ "verdict": "release", "realism": 6 }), "realism"),
    ] {
        let request = own.request(Method::POST, &format!("/images/{image}/reviews")).json(&body);
        names_field(request.send().await.unwrap(), &[400, 422], field).await;
    }
}
