//! With an archive that others keep: Orthanc and its DICOMweb plugin send to the platform, are sent to, and
//! fetch from it; dicomweb-client reads it. Pixels arrive as they left.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use skiagraph_engine::dicom;

use crate::harness::objects::objects;
use crate::harness::server::free_port;
use crate::harness::session::read;
use crate::harness::{Server, Session, wait_over};
use crate::standards::python;

/// Where the plugin's package puts it.
const PLUGIN: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";

/// An archive that runs until it is dropped.
pub(super) struct Orthanc {
    process: Child,
    folder: tempfile::TempDir,
    root: String,
    client: reqwest::Client,
}

impl Orthanc {
    /// Whether it is installed.
    pub(super) fn installed() -> bool {
        let found = Command::new("Orthanc").arg("--version").output().is_ok();
        if !found || !Path::new(PLUGIN).exists() {
            println!(
                "SKIPPED: Orthanc with its DICOMweb plugin is not installed; `make test` installs it"
            );
            return false;
        }
        true
    }

    /// Starts it, with a platform as its peer in both worlds.
    async fn start(dicom: u16, receiver: u16, platform: &str, token: &str) -> Self {
        let settings = json!({
            "AuthenticationEnabled": false,
            "DicomModalities": { "platform": ["SKIAGRAPH", "127.0.0.1", receiver] },
            "DicomWeb": {
                "Enable": true, "Root": "/dicom-web/",
                "Servers": {
                    "platform": {
                        "Url": format!("{platform}/dicom-web/"),
                        "HttpHeaders": { "Authorization": format!("Bearer {token}") },
                    },
                },
            },
        });
        Self::start_with(dicom, &settings, reqwest::Client::new()).await
    }

    /// Starts it with more settings; `client` is who may look into it.
    pub(super) async fn start_with(dicom: u16, settings: &Value, client: reqwest::Client) -> Self {
        let folder = tempfile::Builder::new().prefix("skiagraph-orthanc-").tempdir().unwrap();
        let http = free_port();
        let storage = folder.path().join("storage");
        let mut configuration = json!({
            "Name": "Test", "StorageDirectory": storage, "IndexDirectory": storage,
            "HttpPort": http, "DicomPort": dicom, "DicomAet": "ORTHANC",
            "RemoteAccessAllowed": false, "Plugins": [PLUGIN],
            "DicomWeb": { "Enable": true, "Root": "/dicom-web/" },
        });
        for (name, value) in settings.as_object().unwrap() {
            configuration[name] = value.clone();
        }
        let file = folder.path().join("orthanc.json");
        std::fs::write(&file, configuration.to_string()).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new("Orthanc")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let orthanc = Self { process, folder, root: format!("http://127.0.0.1:{http}"), client };
        let started = Instant::now();
        while let Err(error) = orthanc.client.get(orthanc.url("/system")).send().await {
            let late = started.elapsed() > Duration::from_mins(1);
            assert!(!late, "never ready: {error:?}\n{}", orthanc.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        orthanc
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(super) async fn get(&self, path: &str) -> Vec<u8> {
        let answer = self.client.get(self.url(path)).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}\n{}", answer.status(), self.log());
        answer.bytes().await.unwrap().to_vec()
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Value {
        let answer = self.client.post(self.url(path)).body(body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}\n{}", self.log());
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Orthanc's identifiers of its instances.
    pub(super) async fn instances(&self) -> Vec<String> {
        serde_json::from_slice(&self.get("/instances").await).unwrap()
    }

    async fn remove(&self, instance: &str) {
        let url = self.url(&format!("/instances/{instance}"));
        self.client.delete(url).send().await.unwrap();
    }
}

impl Drop for Orthanc {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A platform whose receiver belongs to `keeper`, with an archive that takes synthetic images and one
/// that does not.
async fn platform(receiver: u16, archive: u16) -> Server {
    let settings = format!(
        "{{bind=\"127.0.0.1:{receiver}\",calling_ae_titles=[\"ORTHANC\"],user=\"keeper\"}}"
    );
    let peer = format!("address=\"127.0.0.1:{archive}\",ae_title=\"ORTHANC\"");
    let destinations = format!("{{research={{{peer},accepts_synthetic=true}},clinic={{{peer}}}}}");
    Server::start_with(&[
        ("SKIAGRAPH_RECEIVER", &settings),
        ("SKIAGRAPH_DESTINATIONS", &destinations),
    ])
    .await
}

/// A synthetic image that nobody has judged.
pub(super) async fn made(clinician: &Session) -> Value {
    let order = json!({ "prompt": { "findings": ["normal"] }, "steps": 2, "count": 1, "seed": 3 });
    let generation = clinician.accepted("/generations", &order).await;
    let record = wait_over(clinician, &format!("/generations/{generation}")).await;
    assert_eq!(record["state"], "succeeded", "{record}");
    let (_, page) = clinician.get(&format!("/images?generation_id={generation}")).await;
    page["items"][0].clone()
}

pub(super) async fn release(clinician: &Session, image: &str) {
    let verdict = json!({ "verdict": "release" });
    let (status, answer) = clinician.post(&format!("/images/{image}/reviews"), &verdict).await;
    assert_eq!(status, 201, "{answer}");
}

pub(super) fn same_pixels(one: &[u8], other: &[u8]) {
    let (one, other) = (dicom::read(one).unwrap(), dicom::read(other).unwrap());
    assert_eq!(one.frame, other.frame);
}

#[tokio::test]
async fn objects_go_to_an_archive_and_come_from_one() {
    if !Orthanc::installed() {
        return;
    }
    let (receiver, archive) = (free_port(), free_port());
    let server = platform(receiver, archive).await;
    let keeper = server.user_named("keeper", &["ml_engineer"]).await;
    let clinician = server.user(&["clinician"]).await;
    let auditor = server.user(&["auditor"]).await;
    let orthanc = Orthanc::start(archive, receiver, &server.address, &keeper.access_token).await;
    let (status, echo) = clinician.post("/destinations/research/echo", &json!({})).await;
    assert_eq!((status, &echo["answered"]), (200, &json!(true)), "{echo}");

    // To the archive: released images alone, and only where they are wanted.
    let image = made(&clinician).await;
    let id = image["id"].as_str().unwrap();
    let order = |to: &str| json!({ "image_ids": [id], "destination": to });
    assert_eq!(clinician.post("/transfers", &order("research")).await.0, 409);
    release(&clinician, id).await;
    assert_eq!(clinician.post("/transfers", &order("clinic")).await.0, 422);
    assert_eq!(keeper.post("/transfers", &order("research")).await.0, 422, "another's image");
    assert!(orthanc.instances().await.is_empty());
    let transfer = clinician.accepted("/transfers", &order("research")).await;
    let record = wait_over(&clinician, &format!("/transfers/{transfer}")).await;
    assert_eq!(record["state"], "succeeded", "{record}\n{}", orthanc.log());
    let there = orthanc.instances().await;
    let own = clinician.bytes(&format!("/images/{id}/file")).await;
    same_pixels(&own, &orthanc.get(&format!("/instances/{}/file", there[0])).await);
    let (_, events) = auditor.get("/audit/events?action=instances_transferred").await;
    assert_eq!((&events["total"], &events["items"][0]["object_id"]), (&json!(1), &json!(id)));

    // A synthetic object does not come back as a radiograph.
    let store = |instance: &str| format!("[\"{instance}\"]").into_bytes();
    let url = orthanc.url("/modalities/platform/store");
    let refused = reqwest::Client::new().post(url).body(store(&there[0])).send().await.unwrap();
    assert!(!refused.status().is_success());
    orthanc.remove(&there[0]).await;

    // From here by WADO-RS: what was released is in sight of every maker.
    let study = dicom::describe(&own).unwrap().study_instance_uid;
    let wanted = json!({ "Resources": [{ "Study": study }] }).to_string().into_bytes();
    orthanc.post("/dicom-web/servers/platform/retrieve", wanted).await;
    let fetched = orthanc.instances().await;
    assert_eq!(fetched.len(), 1, "{}", orthanc.log());
    same_pixels(&own, &orthanc.get(&format!("/instances/{}/file", fetched[0])).await);
    orthanc.remove(&fetched[0]).await;

    // From the archive by C-STORE, and by STOW-RS.
    let radiographs = objects();
    for (number, way) in ["/modalities/platform/store", "stow"].into_iter().enumerate() {
        let (_, original) = &radiographs[number];
        let there = orthanc.post("/instances", original.clone()).await;
        let instance = there["ID"].as_str().unwrap();
        if way == "stow" {
            let body = json!({ "Resources": [instance] }).to_string().into_bytes();
            orthanc.post("/dicom-web/servers/platform/stow", body).await;
        } else {
            orthanc.post(way, store(instance)).await;
        }
        let (_, uploads) = keeper.get("/uploads").await;
        assert_eq!(uploads["total"], number + 1, "{uploads}\n{}", server.log());
        let upload = uploads["items"][0]["id"].as_str().unwrap();
        let (_, kept) = keeper.get(&format!("/radiographs?upload_id={upload}")).await;
        assert_eq!(kept["total"], 1, "{kept}");
        let kept = kept["items"][0]["id"].as_str().unwrap();
        let bytes = keeper.bytes(&format!("/radiographs/{kept}/file")).await;
        same_pixels(original, &bytes);
        let (before, after) = (dicom::read(original).unwrap(), dicom::read(&bytes).unwrap());
        assert_ne!(before.header.sop_instance_uid, after.header.sop_instance_uid);
        assert_ne!(before.header.patient_id, after.header.patient_id);
    }
    let (_, events) = auditor.get("/audit/events?action=import").await;
    let by: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["detail"]["by"].clone(), event["outcome"].clone()))
        .collect();
    let expected = [("stow_rs", "success"), ("c_store", "success"), ("c_store", "failure")];
    assert_eq!(by, expected.map(|(by, outcome)| (json!(by), json!(outcome))), "{events}");
}

#[tokio::test]
async fn viewers_find_and_read_what_they_may() {
    let server =
        Server::start_with(&[("SKIAGRAPH_DICOMWEB_ORIGINS", "[\"https://viewer.example\"]")]).await;
    let clinician = server.user(&["clinician"]).await;
    let other = server.user(&["clinician"]).await;
    let engineer = server.user(&["ml_engineer"]).await;
    let image = made(&clinician).await;
    let id = image["id"].as_str().unwrap();
    let own = clinician.bytes(&format!("/images/{id}/file")).await;
    let study = dicom::describe(&own).unwrap().study_instance_uid;
    engineer.uploaded(objects()).await;

    // One's own, what was released, and radiographs for ML engineers.
    let count = async |session: &Session| {
        let answer = session.request(Method::GET, "/dicom-web/studies").send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/dicom+json");
        read(answer).await.1.as_array().unwrap().len()
    };
    let radiographs = count(&engineer).await;
    assert!(radiographs > 0);
    assert_eq!((count(&clinician).await, count(&other).await), (1, 0));
    let address = format!("/dicom-web/studies/{study}");
    assert_eq!(other.request(Method::GET, &address).send().await.unwrap().status(), 404);
    release(&clinician, id).await;
    assert_eq!((count(&other).await, count(&engineer).await), (1, radiographs + 1));

    // Forms that are not made, and keys that are none.
    let get = |path: &str, accept: &'static str| {
        other.request(Method::GET, path).header("accept", accept).send()
    };
    assert_eq!(get(&address, "application/pdf").await.unwrap().status(), 406);
    assert_eq!(get("/dicom-web/studies?PatientWeight=7", "*/*").await.unwrap().status(), 400);
    let rendered = format!("{address}/thumbnail");
    let thumbnail = get(&rendered, "image/jpeg").await.unwrap().bytes().await.unwrap();
    assert!(image::load_from_memory(&thumbnail).unwrap().width() <= 256);

    // A viewer's own page, if it is a known one.
    for (origin, allowed) in [("https://viewer.example", true), ("https://other.example", false)] {
        let asked = reqwest::Client::new()
            .request(Method::OPTIONS, format!("{}{address}", server.address))
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .send()
            .await
            .unwrap();
        assert_eq!(asked.headers().contains_key("access-control-allow-origin"), allowed);
    }

    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.dcm");
    std::fs::write(&file, own).unwrap();
    let script: PathBuf =
        Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("flows/dicomweb.py");
    let done = Command::new(python)
        .arg("-B")
        .arg(script)
        .arg(format!("{}/dicom-web", server.address))
        .args([&engineer.access_token, &study])
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success() && said.contains("agrees"), "{said}\n{}", server.log());
}
