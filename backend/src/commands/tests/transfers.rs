//! Released images on their way to an archive on the web, with the worker that sends them.

use std::time::Duration;

use skiagraph_engine::dicom;
use tokio::time::{sleep, timeout};

use super::verdicts::image;
use super::*;
use crate::entities::destinations::Model;
use crate::jobs;
use crate::testing::WebArchive;

/// An archive that no administrator could make: it is spoken with in the open.
async fn name(house: &House, address: String, accepts_synthetic: bool) {
    let users = models::users::by_name(&house.platform.db, "ada").await.unwrap().unwrap();
    let secret = house.domain.destinations.keep_secret("token-1".to_owned()).unwrap();
    let model = Model {
        name: "web".to_owned(),
        kind: "dicomweb".to_owned(),
        address,
        accepts_synthetic,
        ae_title: None,
        calling_ae_title: None,
        server_name: None,
        tls: true,
        authorities: None,
        timeout_seconds: 10,
        authentication: "bearer".to_owned(),
        username: None,
        secret: Some(secret),
        created_by: users.row.id,
        created_at: chrono::Utc::now(),
    };
    models::destinations::insert(&house.platform.db, model).await.unwrap();
}

/// Sends an image and waits until it is over; returns the record.
async fn send(house: &House, token: &str, image: &str) -> Value {
    let order = json!({ "image_ids": [image], "destination": "web" });
    let made = house.post("/api/v1/transfers", Some(token), &order).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.text);
    let path = format!("/api/v1/transfers/{}", made.body["id"].as_str().unwrap());
    let over = async {
        loop {
            let record = house.get(&path, Some(token)).await.body;
            if ["succeeded", "failed"].contains(&record["state"].as_str().unwrap()) {
                return record;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_mins(1), over).await.unwrap()
}

#[actix_web::test]
async fn an_image_goes_over_the_web_and_what_came_of_it_is_told() {
    let house = House::new().await;
    house.user("ada", &[Role::Admin]).await;
    let clara = house.user("clara", &[Role::Clinician]).await;
    let me = house.get("/api/v1/auth/me", Some(&clara)).await.body;
    let (id, uid) = image(&house, me["id"].as_str().unwrap()).await;
    let kept = r#"{"00081199":{"vr":"SQ","Value":[{"00081196":{"vr":"US","Value":[45056]}}]}}"#;
    let failed = r#"{"00081198":{"vr":"SQ","Value":[{"00081197":{"vr":"US","Value":[49442]}}]}}"#;
    let answers = vec![("202 Accepted", kept), ("409 Conflict", failed), ("401 Unauthorized", "")];
    let archive = WebArchive::open(answers);
    name(&house, format!("http://{}/dicom-web", archive.address), true).await;
    let order = json!({ "image_ids": [id], "destination": "web" });
    let pending = house.post("/api/v1/transfers", Some(&clara), &order).await;
    assert_eq!(pending.status, StatusCode::CONFLICT, "{}", pending.text);
    let release = json!({ "verdict": "release" });
    let reviews = format!("/api/v1/images/{id}/reviews");
    assert_eq!(house.post(&reviews, Some(&clara), &release).await.status, StatusCode::CREATED);

    let shutdown = CancellationToken::new();
    let context = work::context(&house.platform, &shutdown).await.unwrap();
    let worker = actix_web::rt::spawn(jobs::work(context));
    let record = send(&house, &clara, &id).await;
    assert_eq!(record["state"], "succeeded", "{record}");
    assert_eq!(
        record["warning"],
        "the archive kept 1 of 1 images with a warning: B000 (coercion of data elements)"
    );
    let record = send(&house, &clara, &id).await;
    assert_eq!(record["state"], "failed", "{record}");
    assert_eq!(
        record["error"],
        "the archive did not keep 1 of 1 images: C122 (transfer syntax not supported)"
    );
    let record = send(&house, &clara, &id).await;
    assert!(record["error"].as_str().unwrap().contains("does not accept the token"), "{record}");
    shutdown.cancel();
    worker.await.unwrap().unwrap();

    let asked = archive.asked();
    assert_eq!(asked.len(), 3);
    for request in &asked {
        assert_eq!(request.header("authorization"), Some("Bearer token-1"));
    }
    // The object as it is stored, between its boundaries.
    let body = &asked[0].body;
    let begin = body.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let end = body.windows(4).rposition(|four| four == b"\r\n--").unwrap();
    assert_eq!(dicom::inspect(&body[begin..end]).unwrap().sop_instance_uid, uid);

    // Only what arrived is an event of its own.
    let rows = models::audit::matching_after(&house.platform.db, &Filter::default(), None).await;
    let rows = rows.unwrap();
    let sent: Vec<_> = rows.iter().filter(|row| row.action == "instances_transferred").collect();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].object_id.as_deref(), Some(id.as_str()));
    assert!(sent[0].detail.contains("stow_rs"), "{}", sent[0].detail);
    assert!(rows.iter().all(|row| !row.detail.contains("token-1")));
}

#[actix_web::test]
async fn nothing_is_queued_for_an_archive_without_the_mark() {
    let house = House::new().await;
    house.user("ada", &[Role::Admin]).await;
    let clara = house.user("clara", &[Role::Clinician]).await;
    name(&house, "http://127.0.0.1:1/dicom-web".to_owned(), false).await;
    let order = json!({ "image_ids": ["i"], "destination": "web" });
    let refused = house.post("/api/v1/transfers", Some(&clara), &order).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body["errors"][0]["field"], "destination");
    assert!(!refused.text.contains("127.0.0.1"));
}
