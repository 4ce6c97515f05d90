//! Released images over the web (STOW-RS) to an archive that others keep: Orthanc and its DICOMweb plugin,
//! by TLS, behind a name and a password.

use std::process::{Child, Command};

use reqwest::Method;
use serde_json::{Value, json};

use super::dimse::Certificates;
use super::exchange::{Orthanc, made, release, same_pixels};
use crate::harness::server::free_port;
use crate::harness::session::read;
use crate::harness::{Server, Session, wait_over};

const NAME: &str = "skiagraph";
const PASSWORD: &str = "a quiet lamp";

/// What stands before an archive and speaks TLS: Debian's Orthanc ends on its first request by HTTPS.
struct Door(Child, u16);

impl Door {
    /// Before the archive at `address`.
    fn before(address: &str, certificates: &Certificates) -> Self {
        let pem = |name: &str| std::fs::read_to_string(certificates.path(name)).unwrap();
        // socat reads certificate and key from one file.
        let both = certificates.path("both.pem");
        std::fs::write(&both, pem("certificate.pem") + &pem("key.pem")).unwrap();
        let port = free_port();
        let listen =
            format!("OPENSSL-LISTEN:{port},bind=127.0.0.1,cert={both},verify=0,fork,reuseaddr");
        let door = Command::new("socat").arg(listen).arg(format!("TCP:{address}")).spawn();
        Self(door.unwrap(), port)
    }

    fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.1)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Orthanc behind a name and a password.
async fn archive() -> Orthanc {
    let settings = json!({ "AuthenticationEnabled": true, "RegisteredUsers": { NAME: PASSWORD } });
    let credential =
        reqwest::header::HeaderValue::from_static("Basic c2tpYWdyYXBoOmEgcXVpZXQgbGFtcA==");
    let headers = [(reqwest::header::AUTHORIZATION, credential)].into_iter().collect();
    let client = reqwest::Client::builder().default_headers(headers).build().unwrap();
    Orthanc::start_with(free_port(), &settings, client).await
}

async fn change(admin: &Session, settings: &Value) -> Value {
    let request = admin.request(Method::PUT, "/destinations/web").json(settings);
    let (status, answer) = read(request.send().await.unwrap()).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Why the archive did not answer; nothing where it did.
async fn echo(session: &Session) -> Option<String> {
    let (status, echo) = session.post("/destinations/web/echo", &json!({})).await;
    assert_eq!(status, 200, "{echo}");
    assert_eq!(echo["answered"], echo["cause"].is_null(), "{echo}");
    echo["cause"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn released_images_go_to_an_archive_over_the_web() {
    if !Orthanc::installed() {
        return;
    }
    if Command::new("socat").arg("-V").output().is_err() {
        println!("SKIPPED: socat is not installed; `make test` installs it");
        return;
    }
    let Some(certificates) = Certificates::make() else { return };
    let server = Server::start().await;
    let admin = server.user(&["admin"]).await;
    let clinician = server.user(&["clinician"]).await;
    let auditor = server.user(&["auditor"]).await;
    let orthanc = archive().await;
    let door = Door::before(orthanc.url("").trim_start_matches("http://"), &certificates);
    let authority = std::fs::read_to_string(certificates.path("ca.pem")).unwrap();
    let settings = |password: &str| {
        json!({
            "kind": "dicomweb", "address": door.url("/dicom-web"), "accepts_synthetic": true,
            "authorities": authority, "authentication": "basic", "username": NAME,
            "secret": password,
        })
    };
    let new = json!({ "name": "web", "settings": settings("wrong") });
    let (status, answer) = admin.post("/destinations", &new).await;
    assert_eq!(status, 201, "{answer}");
    assert!(echo(&admin).await.unwrap().contains("does not accept the token or password"));

    // A password that is wrong, a certificate that nobody vouches for: said, and nothing is sent.
    let image = made(&clinician).await;
    let id = image["id"].as_str().unwrap();
    release(&clinician, id).await;
    let order = json!({ "image_ids": [id], "destination": "web" });
    let send = async || {
        let transfer = clinician.accepted("/transfers", &order).await;
        wait_over(&clinician, &format!("/transfers/{transfer}")).await
    };
    let record = send().await;
    assert_eq!(record["state"], "failed", "{record}");
    assert!(record["error"].as_str().unwrap().contains("HTTP 401"), "{record}");
    let mut unknown = settings(PASSWORD);
    unknown["authorities"] = Value::Null;
    change(&admin, &unknown).await;
    assert!(echo(&clinician).await.is_some(), "nobody vouches for it");
    let mut unmarked = settings(PASSWORD);
    unmarked["accepts_synthetic"] = json!(false);
    change(&admin, &unmarked).await;
    assert_eq!(echo(&clinician).await, None, "{}", orthanc.log());
    assert_eq!(clinician.post("/transfers", &order).await.0, 422);
    assert!(orthanc.instances().await.is_empty());

    // What opens it stays while it is left out of a change.
    let mut marked = settings(PASSWORD);
    marked["secret"] = Value::Null;
    change(&admin, &marked).await;
    let record = send().await;
    assert_eq!(record["state"], "succeeded", "{record}\n{}", orthanc.log());
    let there = orthanc.instances().await;
    let own = clinician.bytes(&format!("/images/{id}/file")).await;
    same_pixels(&own, &orthanc.get(&format!("/instances/{}/file", there[0])).await);
    let (_, events) = auditor.get("/audit/events?action=instances_transferred").await;
    assert_eq!((&events["total"], &events["items"][0]["object_id"]), (&json!(1), &json!(id)));
    assert_eq!(events["items"][0]["detail"]["by"], "stow_rs", "{events}");

    // Sent again, it is still one; and no secret is in what anybody can read.
    assert_eq!(send().await["state"], "succeeded");
    assert_eq!(orthanc.instances().await.len(), 1);
    let (_, listed) = admin.get("/destinations").await;
    let (_, log) = auditor.get("/audit/events?page_size=500").await;
    for text in [listed.to_string(), log.to_string(), server.log()] {
        assert!(!text.contains(PASSWORD), "a secret came out");
    }
    let gone = admin.request(Method::DELETE, "/destinations/web").send().await.unwrap();
    assert_eq!(gone.status().as_u16(), 204);
}
