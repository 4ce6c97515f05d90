//! A user who is logged in, and what they ask for.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// A client that keeps no connection: every test has a runtime of its own, and a connection that
/// outlives its runtime answers nothing to the next test that shares the session.
fn client() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap()
}

/// A user who is logged in.
#[derive(Clone)]
pub struct Session {
    pub address: String,
    pub username: String,
    pub access_token: String,
    pub refresh_token: String,
    client: reqwest::Client,
}

impl Session {
    /// Logs in; fails where the server does not let this user in.
    pub async fn login(address: &str, username: &str, password: &str) -> Self {
        let client = client();
        let body = json!({ "username": username, "password": password });
        let answer =
            client.post(format!("{address}/api/v1/auth/login")).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "login of {username}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        let token = |name: &str| answer[name].as_str().unwrap().to_owned();
        Self {
            address: address.to_owned(),
            username: username.to_owned(),
            access_token: token("access_token"),
            refresh_token: token("refresh_token"),
            client,
        }
    }

    /// Nobody: requests without a token.
    pub fn nobody(address: &str) -> Self {
        Self::with_token(address, "")
    }

    /// Whoever a token says.
    pub fn with_token(address: &str, token: &str) -> Self {
        Self {
            address: address.to_owned(),
            username: String::new(),
            access_token: token.to_owned(),
            refresh_token: String::new(),
            client: client(),
        }
    }

    pub async fn change_password(&self, current: &str, new: &str) {
        let body = json!({ "current_password": current, "new_password": new });
        let (status, answer) = self.post("/auth/password", &body).await;
        assert!((200..300).contains(&status), "password: {status} {answer}");
    }

    /// A request to a path under `/api/v1`, or under `/dicom-web` where it begins so.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let root = if path.starts_with("/dicom-web/") { "" } else { "/api/v1" };
        let request = self.client.request(method, format!("{}{root}{path}", self.address));
        if self.access_token.is_empty() { request } else { request.bearer_auth(&self.access_token) }
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        read(self.request(Method::POST, path).json(body).send().await.unwrap()).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> (u16, Value) {
        read(self.request(Method::PATCH, path).json(body).send().await.unwrap()).await
    }

    /// The bytes of a file; the request must succeed.
    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.bytes().await.unwrap().to_vec()
    }

    /// Sends files in one upload, each with a file name.
    pub async fn upload(&self, files: Vec<(String, Vec<u8>)>) -> Response {
        let mut form = reqwest::multipart::Form::new();
        for (name, bytes) in files {
            form = form.part("files", reqwest::multipart::Part::bytes(bytes).file_name(name));
        }
        self.request(Method::POST, "/uploads").multipart(form).send().await.unwrap()
    }

    /// Sends files that must be taken; returns the upload's identifier.
    pub async fn uploaded(&self, files: Vec<(String, Vec<u8>)>) -> String {
        let (status, answer) = read(self.upload(files).await).await;
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Asks for long work that must be accepted; returns the record's identifier.
    pub async fn accepted(&self, path: &str, body: &Value) -> String {
        let (status, answer) = self.post(path, body).await;
        assert_eq!(status, 202, "{path}: {answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// A data set of an upload, built.
    pub async fn dataset(&self, upload: &str) -> String {
        let body = json!({
            "name": "Test set", "upload_ids": [upload], "validation_fraction": 0.25, "seed": 1,
            "licence": "CC0-1.0", "attribution": "Drawn by a test",
        });
        let id = self.accepted("/datasets", &body).await;
        let record = wait_over(self, &format!("/datasets/{id}")).await;
        assert_eq!(record["state"], "succeeded", "{record}");
        id
    }
}

/// An answer's status and JSON; null where the body is none.
pub async fn read(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await.unwrap_or_default();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// Waits until a record's work is over; returns the record.
pub async fn wait_over(session: &Session, path: &str) -> Value {
    wait_until(session, path, |record| {
        matches!(record["state"].as_str(), Some("succeeded" | "failed" | "cancelled"))
    })
    .await
}

/// Waits until a record is as asked; returns it. Fails where its work failed.
pub async fn wait_until(session: &Session, path: &str, is: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let (status, record) = session.get(path).await;
        assert_eq!(status, 200, "{path}: {record}");
        if is(&record) {
            return record;
        }
        assert!(record["state"] != "failed", "{path} failed: {record}");
        assert!(started.elapsed() < Duration::from_mins(5), "{path} takes too long: {record}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
