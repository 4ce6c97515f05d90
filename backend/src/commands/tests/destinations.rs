//! Archives that administrators make.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

const PATH: &str = "/api/v1/destinations";

fn web(secret: &Value) -> Value {
    json!({
        "kind": "dicomweb", "address": "https://127.0.0.1:1/dicom-web", "accepts_synthetic": true,
        "timeout_seconds": 1, "authentication": "bearer", "secret": secret,
    })
}

impl House {
    /// The files of what opens archives.
    fn secrets(&self) -> Vec<PathBuf> {
        let folder = self.platform.config.data_dir.join("secrets");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.to_str().unwrap().contains("destination-")).collect()
    }

    async fn put(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.ask(Method::PUT, path, Some(token), Some(body)).await
    }
}

#[actix_web::test]
async fn an_administrator_makes_changes_and_removes_an_archive() {
    let house = House::new().await;
    let admin = house.user("ada", &[Role::Admin]).await;
    let clinician = house.user("clara", &[Role::Clinician]).await;
    let new = json!({ "name": "research", "settings": web(&json!("a-long-token")) });
    let refused = house.post(PATH, Some(&clinician), &new).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let made = house.post(PATH, Some(&admin), &new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert!(!made.text.contains("a-long-token") && !made.text.contains("destination-"));
    let taken = house.post(PATH, Some(&admin), &new).await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.text);

    // What opens it is a file of its owner's, once.
    let secrets = house.secrets();
    assert_eq!(secrets.len(), 1);
    assert_eq!(std::fs::read_to_string(&secrets[0]).unwrap(), "a-long-token");
    assert_eq!(std::fs::metadata(&secrets[0]).unwrap().permissions().mode() & 0o777, 0o600);

    // Makers see where images may go.
    let listed = house.get(PATH, Some(&clinician)).await.body;
    assert_eq!(listed["items"][0]["name"], "research");
    assert_eq!(listed["items"][0]["accepts_synthetic"], true);
    let echo = house.post(&format!("{PATH}/research/echo"), Some(&admin), &json!({})).await.body;
    assert_eq!(echo["answered"], false);
    assert!(echo["cause"].as_str().unwrap().starts_with("127.0.0.1:1: "), "{echo}");

    // A change without it keeps it, as long as the archive stays where it is.
    let path = format!("{PATH}/research");
    let mut settings = web(&Value::Null);
    settings["accepts_synthetic"] = json!(false);
    let changed = house.put(&path, &admin, &settings).await;
    assert_eq!(
        (changed.status, &changed.body["accepts_synthetic"]),
        (StatusCode::OK, &json!(false))
    );
    assert_eq!(house.secrets(), secrets);
    settings["address"] = json!("https://elsewhere.example/dicom-web");
    let elsewhere = house.put(&path, &admin, &settings).await;
    assert_eq!(elsewhere.body["errors"][0]["field"], "secret", "{}", elsewhere.text);
    let changed = house.put(&path, &admin, &web(&json!("another-token"))).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(std::fs::read_to_string(&house.secrets()[0]).unwrap(), "another-token");
    assert_eq!(house.secrets().len(), 1);

    let gone = house.ask(Method::DELETE, &path, Some(&admin), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    assert!(house.secrets().is_empty());
    let gone = house.ask(Method::DELETE, &path, Some(&admin), None).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    let log = house.log().await;
    let configured = ("network_configured".to_owned(), "success".to_owned());
    assert_eq!(log.iter().filter(|entry| **entry == configured).count(), 4);
    let rows = models::audit::matching_after(&house.platform.db, &Filter::default(), None).await;
    assert!(rows.unwrap().iter().all(|row| !row.detail.contains("token")), "a secret in the log");
    assert!(house.is_intact().await);
}

#[actix_web::test]
async fn what_cannot_be_an_archive_leaves_nothing() {
    let house = House::new().await;
    let admin = house.user("ada", &[Role::Admin]).await;
    for (name, settings, field) in [
        ("research", web(&Value::Null), "settings.secret"),
        ("no name", web(&json!("token")), "name"),
        (
            "research",
            json!({ "kind": "dimse", "address": "pacs:104", "accepts_synthetic": true }),
            "settings.ae_title",
        ),
        (
            "research",
            json!({ "kind": "post", "address": "a:1", "accepts_synthetic": true }),
            "settings.kind",
        ),
    ] {
        let new = json!({ "name": name, "settings": settings });
        let answer = house.post(PATH, Some(&admin), &new).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.text);
        assert!(!answer.text.contains("token"));
    }
    assert!(house.secrets().is_empty());
    assert_eq!(house.get(PATH, Some(&admin)).await.body["total"], 0);
}
