//! `/verify`: an image of the platform's is known in whatever file it comes back, and a radiograph is not taken for
//! one.

use std::io::Cursor;
use std::path::Path;

use image::ImageFormat;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::harness::objects::objects;
use crate::harness::problem::names_field;
use crate::harness::store::footprint;
use crate::harness::{Server, Session, shared, wait_over};

async fn send(session: &Session, files: &[&[u8]]) -> reqwest::Response {
    let form = files.iter().fold(Form::new(), |form, bytes| {
        form.part("files", Part::bytes(bytes.to_vec()).file_name("file"))
    });
    session.request(Method::POST, "/verify").multipart(form).send().await.unwrap()
}

async fn verified(session: &Session, file: &[u8]) -> Value {
    let answer = send(session, &[file]).await;
    assert_eq!(answer.status().as_u16(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn a_released_image_is_known_in_every_form() {
    // The tiny model's images have no room for a mark.
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/starter");
    let server = Server::start_on(starter, &[]).await;
    let own = server.user(&["clinician"]).await;
    let body = json!({ "prompt": { "findings": ["normal"] }, "steps": 2, "seed": 21 });
    let id = own.accepted("/generations", &body).await;
    assert_eq!(wait_over(&own, &format!("/generations/{id}")).await["state"], "succeeded");
    let (_, images) = own.get(&format!("/images?generation_id={id}")).await;
    let image = &images["items"][0];
    assert_eq!(image["provenance"]["watermark"]["scheme"], "skiagraph-dct-1");
    let image = image["id"].as_str().unwrap();
    let review = json!({ "verdict": "release" });
    assert_eq!(own.post(&format!("/images/{image}/reviews"), &review).await.0, 201);
    let png = own.bytes(&format!("/images/{image}/png")).await;
    let object = own.bytes(&format!("/images/{image}/file")).await;

    // Whoever asks, also an auditor.
    let auditor = &server.user(&["auditor"]).await;
    let known = json!({ "image_id": image, "review_state": "released" });
    let is_known = |found: &Value, by: &Value| {
        assert_eq!(found["verdict"], "synthetic", "{found}");
        assert_eq!(found["watermark"]["found"], true, "{found}");
        for field in ["image_id", "review_state"] {
            assert_eq!(found["registry"][field], known[field], "{found}");
        }
        assert_eq!(found["registry"]["by"], *by, "{found}");
    };
    let found = verified(auditor, &object).await;
    is_known(&found, &json!(["file", "pixels", "sop_instance_uid"]));
    assert_eq!(found["said"]["synthetic_data"], true);
    assert_eq!(found["credential"]["state"], "not_read");
    let found = verified(auditor, &png).await;
    is_known(&found, &json!(["file", "pixels"]));
    assert_eq!(found["credential"]["state"], "trusted", "{found}");
    assert_eq!(found["said"]["seed"], 21);

    // Its words gone, the pixels are known; as a JPEG, the mark is.
    let picture = image::load_from_memory(&png).unwrap();
    let written = |format: ImageFormat| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let found = verified(auditor, &written(ImageFormat::Png)).await;
    is_known(&found, &json!(["pixels"]));
    assert_eq!(found["credential"]["state"], "absent");
    let found = verified(auditor, &written(ImageFormat::Jpeg)).await;
    assert_eq!((&found["verdict"], &found["registry"]), (&json!("synthetic"), &Value::Null));

    // What a viewer asks for is made of the marked pixels.
    let described = skiagraph_engine::dicom::describe(&object).unwrap();
    let rendered = format!(
        "/dicom-web/studies/{}/series/{}/instances/{}/rendered",
        described.study_instance_uid, described.series_instance_uid, described.sop_instance_uid
    );
    for accept in ["image/png", "image/jpeg"] {
        let request = own.request(Method::GET, &rendered).header("accept", accept);
        let picture = request.send().await.unwrap().bytes().await.unwrap();
        let found = verified(auditor, &picture).await;
        assert_eq!(
            (&found["verdict"], &found["watermark"]["found"]),
            (&json!("synthetic"), &json!(true))
        );
    }

    // One letter of the words that were signed, and the credential does not hold.
    let at = png.windows(6).position(|part| part == b"normal").unwrap();
    let mut changed = png.clone();
    changed[at] = b'N';
    assert_eq!(verified(auditor, &changed).await["credential"]["state"], "invalid");
}

#[tokio::test]
async fn a_radiograph_is_not_said_to_be_anything() {
    let session = shared().await.session("clinician");
    let found = verified(session, &objects()[0].1).await;
    assert_eq!(found["verdict"], "unknown", "{found}");
    assert_eq!(found["registry"], Value::Null);
    assert_eq!(found["watermark"]["found"], false);
}

#[tokio::test]
async fn nothing_of_a_file_is_kept_and_that_somebody_asked_is_written_down() {
    let server = Server::start().await;
    let clinician = server.user(&["clinician"]).await;
    let auditor = server.user(&["auditor"]).await;
    let before = footprint(&server.data).await;
    verified(&clinician, &objects()[0].1).await;
    names_field(send(&clinician, &[b"a letter"]).await, &[422], "files[0]").await;
    assert_eq!(footprint(&server.data).await, before);
    let (_, events) = auditor.get("/audit/events?action=query&page_size=200").await;
    let events = events["items"].as_array().unwrap();
    let asked = events.iter().filter(|event| event["object_type"] == "registry");
    let mut outcomes: Vec<&str> = asked.map(|event| event["outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["failure", "success"]);
}

#[tokio::test]
async fn what_is_no_image_is_refused() {
    let session = shared().await.session("admin");
    for bytes in [&b""[..], b"a letter", b"\x89PNG\r\n\x1a\n and no more", b"\xff\xd8\xff\xe1"] {
        let problem = names_field(send(session, &[bytes]).await, &[422], "files[0]").await;
        assert!(!problem.to_string().contains("letter"), "{problem}");
    }
    let object = &objects()[0].1;
    names_field(send(session, &[&object[..object.len() / 2]]).await, &[422], "files[0]").await;
    names_field(send(session, &[object, object]).await, &[413], "files").await;
    names_field(send(session, &[]).await, &[400], "body").await;
    let request = session.request(Method::POST, "/verify").json(&json!({}));
    names_field(request.send().await.unwrap(), &[400], "body").await;
}
