//! `/users`: what an administrator may enter.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::problem::names_field;
use crate::harness::shared;

async fn check(change: &[(&str, Value)], field: &str) {
    let shared = shared().await;
    let mut body =
        json!({ "username": "someone", "display_name": "Someone", "roles": ["clinician"] });
    for (name, value) in change {
        body[*name] = value.clone();
    }
    let request = shared.session("admin").request(Method::POST, "/users").json(&body);
    names_field(request.send().await.unwrap(), &[400, 409, 422], field).await;
}

#[tokio::test]
async fn fields_that_cannot_be_used() {
    check(&[("username", json!(""))], "username").await;
    check(&[("username", json!("a b\n"))], "username").await;
    check(&[("username", json!(shared().await.everyone.username))], "username").await;
    check(&[("roles", json!(["wizard"]))], "roles").await;
    check(&[("roles", json!("clinician"))], "roles").await;
    check(&[("display_name", json!("x".repeat(100_000)))], "display_name").await;
    check(&[("shoe_size", json!(43))], "shoe_size").await;
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let server = crate::harness::Server::start().await;
    let admin = server.admin().await;
    let (_, me) = admin.get("/auth/me").await;
    let id = me["id"].as_str().or(me["user"]["id"].as_str()).unwrap();
    for body in [json!({ "disabled": true }), json!({ "roles": ["auditor"] })] {
        let (status, answer) = admin.patch(&format!("/users/{id}"), &body).await;
        assert!(status == 409 || status == 422, "{body}: {status} {answer}");
    }
}
