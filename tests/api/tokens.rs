//! Tokens that must not be believed.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::problem::problem;
use crate::harness::server::PASSWORD;
use crate::harness::{Session, shared};

/// Base64 for URLs without padding (RFC 4648, 5).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = (0..3).fold(0_u32, |n, i| n << 8 | u32::from(*group.get(i).unwrap_or(&0)));
        for place in 0..=group.len() {
            text.push(char::from(LETTERS[(number >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

fn from_base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => u32::from(c - b'A'),
        b'a'..=b'z' => u32::from(c - b'a') + 26,
        b'0'..=b'9' => u32::from(c - b'0') + 52,
        b'-' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let number = (0..4).fold(0, |n, i| n << 6 | group.get(i).map_or(0, |c| value(*c)));
        bytes.extend(&number.to_be_bytes()[1..group.len()]);
    }
    bytes
}

/// The claims of a token that the server gave.
fn claims(token: &str) -> Value {
    serde_json::from_slice(&from_base64(token.split('.').nth(1).unwrap())).unwrap()
}

async fn check_refused(address: &str, token: &str, what: &str) {
    let session = Session::with_token(address, token);
    let answer = session.request(Method::GET, "/auth/me").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 401, "{what}");
    let challenge =
        answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    assert!(
        challenge.is_some_and(|challenge| challenge.starts_with("Bearer")),
        "{what}: no challenge"
    );
    let document = problem(answer, 401).await;
    assert!(!document.to_string().contains(token), "{what}: the token is repeated");
}

#[tokio::test]
async fn tokens_that_must_not_be_believed() {
    let shared = shared().await;
    let address = &shared.server.address;
    let real = &shared.everyone.access_token;
    let claims = claims(real);
    assert_eq!(shared.everyone.get("/auth/me").await.0, 200);

    let parts: Vec<&str> = real.split('.').collect();
    let unsigned = |header: &Value, claims: &Value| {
        format!(
            "{}.{}",
            base64(header.to_string().as_bytes()),
            base64(claims.to_string().as_bytes())
        )
    };
    for none in ["none", "None", "NONE"] {
        let token = unsigned(&json!({ "alg": none, "typ": "JWT" }), &claims);
        check_refused(address, &format!("{token}."), "alg: none").await;
        check_refused(address, &format!("{token}.{}", parts[2]), "alg: none with a signature")
            .await;
    }

    let mut more = claims.clone();
    more["roles"] = json!(["admin"]);
    let forged = format!("{}.{}.{}", parts[0], base64(more.to_string().as_bytes()), parts[2]);
    check_refused(address, &forged, "other claims under the signature").await;

    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        for secret in ["", "secret", "skiagraph"] {
            let key = EncodingKey::from_secret(secret.as_bytes());
            let token = encode(&Header::new(algorithm), &claims, &key).unwrap();
            check_refused(address, &token, "a key that is not the server's").await;
        }
    }
    let token = unsigned(&json!({ "alg": "RS256", "typ": "JWT" }), &claims);
    check_refused(address, &format!("{token}.{}", parts[2]), "another algorithm").await;

    for (what, token) in [
        ("an empty part", format!("{}..{}", parts[0], parts[2])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("no token at all", "not-a-token".to_owned()),
        ("a refresh token", shared.everyone.refresh_token.clone()),
        ("a signature cut short", real[..real.len() - 4].to_owned()),
    ] {
        check_refused(address, &token, what).await;
    }
}

#[tokio::test]
async fn an_expired_token() {
    // The lifetime is short here; the clock is the real one.
    let server =
        crate::harness::Server::start_with(&[("SKIAGRAPH_ACCESS_TOKEN_SECONDS", "1")]).await;
    let session = server.admin().await;
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    check_refused(&server.address, &session.access_token, "an expired token").await;
}

#[tokio::test]
async fn a_session_that_was_left() {
    let shared = shared().await;
    let own = Session::login(&shared.server.address, &shared.everyone.username, PASSWORD).await;
    assert_eq!(own.get("/auth/me").await.0, 200);
    let (status, _) = own.post("/auth/logout", &json!({})).await;
    assert!((200..300).contains(&status), "{status}");
    check_refused(&own.address, &own.access_token, "a token after logging out").await;
    let refresh = json!({ "refresh_token": own.refresh_token });
    assert_eq!(Session::nobody(&own.address).post("/auth/refresh", &refresh).await.0, 401);
    assert_eq!(shared.everyone.get("/auth/me").await.0, 200, "another session of the same user");
}

#[tokio::test]
async fn a_user_who_was_disabled() {
    let shared = shared().await;
    let own = shared.server.user(&["clinician"]).await;
    let (_, me) = own.get("/auth/me").await;
    let id = me["id"].as_str().or(me["user"]["id"].as_str()).unwrap();
    let admin = shared.server.admin().await;
    let (status, _) = admin.patch(&format!("/users/{id}"), &json!({ "disabled": true })).await;
    assert_eq!(status, 200);
    check_refused(&own.address, &own.access_token, "the token of a disabled user").await;
    let body = json!({ "username": own.username, "password": PASSWORD });
    assert_eq!(Session::nobody(&own.address).post("/auth/login", &body).await.0, 401);
}
