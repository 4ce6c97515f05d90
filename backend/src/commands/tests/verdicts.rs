//! The verdict on an image as an object that leaves.

use chrono::Utc;
use sea_orm::{ActiveModelTrait, Set};
use skiagraph_engine::dicom::{Frame, SyntheticDescription, inspect, write_synthetic};

use super::*;
use crate::entities::generations;
use crate::models::images::{self, NewImage};

/// An image that this user asked for; returns its identifier and its SOP Instance UID.
pub(super) async fn image(house: &House, user: &str) -> (String, String) {
    let frame = Frame { width: 4, height: 4, pixels: vec![0.5; 16] };
    let object = write_synthetic(&frame, &SyntheticDescription::default()).unwrap();
    let uid = inspect(&object).unwrap().sop_instance_uid;
    house.domain.storage.put("images/g/0.dcm", object.into()).await.unwrap();
    let db = &house.platform.db;
    let generation = generations::ActiveModel {
        id: Set("g".to_owned()),
        request: Set(json!({})),
        state: Set("succeeded".to_owned()),
        progress_step: Set(1),
        progress_total: Set(1),
        error: Set(None),
        created_by: Set(user.to_owned()),
        created_at: Set(Utc::now()),
    };
    generation.insert(db).await.unwrap();
    let new = NewImage {
        id: "i".to_owned(),
        generation_id: "g".to_owned(),
        index: 0,
        seed: 1,
        object_key_dicom: "images/g/0.dcm".to_owned(),
        object_key_png: "images/g/0.png".to_owned(),
        sha256: String::new(),
        provenance: json!({}),
    };
    images::insert(db, new).await.unwrap();
    ("i".to_owned(), uid)
}

#[actix_web::test]
async fn the_verdict_that_counts_leaves_as_a_report_without_a_name() {
    let house = House::new().await;
    let clara = house.user("clara", &[Role::Clinician]).await;
    let me = house.get("/api/v1/auth/me", Some(&clara)).await.body;
    let (id, uid) = image(&house, me["id"].as_str().unwrap()).await;
    let path = format!("/api/v1/images/{id}/report");
    let report =
        async |token: &str, query: &str| house.get(&format!("{path}{query}"), Some(token)).await;
    assert_eq!(report(&clara, "").await.status, StatusCode::NOT_FOUND, "nobody has judged it");

    let reviews = format!("/api/v1/images/{id}/reviews");
    let judge = async |verdict: Value| {
        let answer = house.post(&reviews, Some(&clara), &verdict).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    };
    judge(json!({ "verdict": "release", "realism": 4 })).await;
    let released = report(&clara, "").await;
    assert!(released.text.contains("RELEASED"));
    judge(json!({ "verdict": "reject", "reason": "A rib too many" })).await;
    let rejected = report(&clara, "").await;
    assert_eq!(rejected.status, StatusCode::OK);
    assert_eq!(rejected.headers.get("content-type").unwrap(), "application/dicom");
    for part in ["Rejected for Quality Reasons", "A rib too many", "READER-", uid.as_str()] {
        assert!(rejected.text.contains(part), "{part}");
    }
    assert!(!rejected.text.contains("RELEASED"));
    // Without being asked for, nobody's name or identifier leaves; the reader is the same in both.
    let reader = |answer: &Answer| {
        let at = answer.text.find("READER-").unwrap();
        answer.text[at..at + 23].to_owned()
    };
    assert_eq!(reader(&rejected), reader(&released));
    for secret in ["clara", me["id"].as_str().unwrap()] {
        assert!(!rejected.text.contains(secret), "{secret}");
    }
    let named = report(&clara, "?named=true").await;
    assert!(named.text.contains("clara") && !named.text.contains("READER-"));
    assert_eq!(report(&clara, "?named=perhaps").await.status, StatusCode::UNPROCESSABLE_ENTITY);

    let other = house.user("other", &[Role::Clinician]).await;
    assert_eq!(report(&other, "").await.status, StatusCode::NOT_FOUND);
    let auditor = house.user("auditor", &[Role::Auditor]).await;
    assert_eq!(report(&auditor, "").await.text, rejected.text);
    let engineer = house.user("engineer", &[Role::MlEngineer]).await;
    assert_eq!(report(&engineer, "").await.status, StatusCode::FORBIDDEN);
    let exports = house.log().await.into_iter().filter(|(action, _)| action == "export").count();
    assert_eq!(exports, 6);
    assert!(house.is_intact().await);
}
