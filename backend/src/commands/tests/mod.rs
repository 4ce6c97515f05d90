//! The application as a whole, in this process, over a folder of its own.

#![allow(clippy::unwrap_used)]

mod destinations;
mod exports;
mod http;
mod log;
mod near;
mod schema;
mod sessions;
mod transfers;
mod verdicts;

use actix_web::body::to_bytes;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::{test, web};
use serde_json::{Value, json};
use skiagraph_compliance::role::Role;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::platform::Platform;
use super::{serve, user, work};
use crate::audit::{self, Actor};
use crate::config::Config;
use crate::controllers::domain::Domain;
use crate::database;
use crate::models;
use crate::models::audit::Filter;
use crate::router;
use crate::state::AppState;

const PASSWORD: &str = "a shadow drawing";

/// A platform in a folder, without a model.
struct House {
    _folder: TempDir,
    platform: Platform,
    state: web::Data<AppState>,
    domain: web::Data<Domain>,
}

/// An answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
    body: Value,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config =
            Config { data_dir: folder.path().join("data"), login_burst: 1000, ..Config::default() };
        let platform = Platform::open(config).await.unwrap();
        platform.migrate().await.unwrap();
        let state = web::Data::new(serve::state(&platform).unwrap());
        let context = work::context(&platform, &CancellationToken::new()).await.unwrap();
        let domain = web::Data::new(serve::domain(&platform.config, &context).unwrap());
        Self { _folder: folder, platform, state, domain }
    }

    /// A user with these roles and a one-time password.
    async fn newcomer(&self, name: &str, roles: &[Role]) -> String {
        let (ledger, actor) = (&self.state.ledger, Actor::system("test"));
        user::add(ledger, actor, name.to_owned(), name.to_owned(), roles.to_vec()).await.unwrap()
    }

    /// The access token of a new user with these roles and a password of their own.
    async fn user(&self, name: &str, roles: &[Role]) -> String {
        let one_time = self.newcomer(name, roles).await;
        let first = self.login(name, &one_time).await.body;
        let first = first["access_token"].as_str().unwrap();
        let change = json!({ "current_password": one_time, "new_password": PASSWORD });
        let changed = self.post("/api/v1/auth/password", Some(first), &change).await;
        assert_eq!(changed.status, StatusCode::NO_CONTENT, "{}", changed.text);
        self.login(name, PASSWORD).await.body["access_token"].as_str().unwrap().to_owned()
    }

    async fn login(&self, name: &str, password: &str) -> Answer {
        self.post("/api/v1/auth/login", None, &json!({ "username": name, "password": password }))
            .await
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.ask(Method::GET, path, token, None).await
    }

    async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.ask(Method::POST, path, token, Some(body)).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let app = test::init_service(router::app(self.state.clone(), self.domain.clone())).await;
        let mut request = test::TestRequest::with_uri(path).method(method);
        if let Some(token) = token {
            request = request.insert_header((AUTHORIZATION, format!("Bearer {token}")));
        }
        if let Some(body) = body {
            request = request.set_json(body);
        }
        let response = test::call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body()).await.ok().unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { status, headers, text, body }
    }

    /// Words of what was done, with its outcome, in the order of the log.
    async fn log(&self) -> Vec<(String, String)> {
        let rows = models::audit::matching_after(&self.platform.db, &Filter::default(), None).await;
        rows.unwrap().into_iter().map(|row| (row.action, row.outcome)).collect()
    }

    async fn is_intact(&self) -> bool {
        let snapshot = database::snapshot(&self.platform.db).await.unwrap();
        audit::verify(&snapshot, self.state.ledger.public_key()).await.unwrap().intact()
    }
}
