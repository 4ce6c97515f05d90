//! `/auth`: sessions, their rotation and their end.

use reqwest::Method;
use serde_json::json;

use crate::harness::problem::problem;
use crate::harness::server::PASSWORD;
use crate::harness::{Session, shared};

#[tokio::test]
async fn a_wrong_password_says_no_more_than_a_wrong_name() {
    let shared = shared().await;
    let address = &shared.server.address;
    let mut details = Vec::new();
    for name in [shared.everyone.username.as_str(), "nobody-of-this-name"] {
        let body = json!({ "username": name, "password": "wrong" });
        let request = Session::nobody(address).request(Method::POST, "/auth/login").json(&body);
        details.push(problem(request.send().await.unwrap(), 401).await["detail"].clone());
    }
    assert_eq!(details[0], details[1]);
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let address = &shared().await.server.address;
    let body = json!({ "username": "guessed", "password": "wrong" });
    for _ in 0..60 {
        let request = Session::nobody(address).request(Method::POST, "/auth/login").json(&body);
        let answer = request.send().await.unwrap();
        if answer.status().as_u16() == 429 {
            assert!(answer.headers().contains_key("retry-after"));
            problem(answer, 429).await;
            return;
        }
    }
    panic!("60 wrong passwords in a row were all heard");
}

#[tokio::test]
async fn a_session_goes_on_and_an_old_refresh_token_ends_it() {
    let shared = shared().await;
    let first = Session::login(&shared.server.address, &shared.everyone.username, PASSWORD).await;
    let nobody = Session::nobody(&first.address);
    let refresh = |token: String| {
        let nobody = nobody.clone();
        async move { nobody.post("/auth/refresh", &json!({ "refresh_token": token })).await }
    };
    let (status, second) = refresh(first.refresh_token.clone()).await;
    assert_eq!(status, 200, "{second}");
    let rotated = second["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(rotated, first.refresh_token);

    let (status, _) = refresh(first.refresh_token.clone()).await;
    assert_eq!(status, 401, "a used refresh token");
    let (status, _) = refresh(rotated).await;
    assert_eq!(status, 401, "the family of a refresh token that was used twice");
    let access = Session::with_token(&first.address, second["access_token"].as_str().unwrap());
    assert_eq!(access.get("/auth/me").await.0, 401, "an access token of a revoked family");
}

#[tokio::test]
async fn nothing_but_the_password_until_it_is_changed() {
    let shared = shared().await;
    let name = format!("n{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
    let body = json!({ "username": name, "display_name": "New", "roles": ["clinician"] });
    let (status, made) = shared.server.admin().await.post("/users", &body).await;
    assert_eq!(status, 201, "{made}");
    let one_time = made["one_time_password"].as_str().unwrap();
    let new = Session::login(&shared.server.address, &name, one_time).await;
    let answer = new.request(Method::GET, "/findings").send().await.unwrap();
    let document = problem(answer, 403).await;
    assert!(document["type"].as_str().unwrap().ends_with("password-change-required"), "{document}");
    new.change_password(one_time, PASSWORD).await;
    let again = Session::login(&shared.server.address, &name, PASSWORD).await;
    assert_eq!(again.get("/findings").await.0, 200);
}

#[tokio::test]
async fn a_weak_password_is_refused_by_its_field() {
    let shared = shared().await;
    let own = shared.server.user(&["clinician"]).await;
    let body = json!({ "current_password": PASSWORD, "new_password": "short" });
    let answer = own.request(Method::POST, "/auth/password").json(&body).send().await.unwrap();
    crate::harness::problem::names_field(answer, &[422], "new_password").await;
}
