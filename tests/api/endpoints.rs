//! Every endpoint against every role and against nobody. The endpoints come from the API's own
//! description: a new one without a line here fails the test, as does a line without its endpoint.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::server::{PASSWORD, ROLES};
use crate::harness::{Session, shared};

/// Who may call an endpoint.
#[derive(Clone, Copy)]
enum Who {
    /// Everybody, also without a token.
    Public,
    /// Everybody who is logged in.
    SignedIn,
    /// Users with one of these roles.
    Roles(&'static [&'static str]),
}

use Who::{Public, Roles, SignedIn};

const CLINICIAN: Who = Roles(&["clinician"]);
const ML_ENGINEER: Who = Roles(&["ml_engineer"]);
const AUDITOR: Who = Roles(&["auditor"]);
const ADMIN: Who = Roles(&["admin"]);
const MAKERS: Who = Roles(&["clinician", "ml_engineer"]);
const SENDERS: Who = Roles(&["clinician", "ml_engineer", "admin"]);
const REVIEW_READERS: Who = Roles(&["clinician", "auditor"]);

/// Every endpoint under `/api/v1`, and under `/dicom-web`, and who may call it.
const EXPECTED: &[(&str, &str, Who)] = &[
    ("POST", "/auth/login", Public),
    ("POST", "/auth/refresh", Public),
    ("POST", "/auth/logout", SignedIn),
    ("GET", "/auth/me", SignedIn),
    ("POST", "/auth/password", SignedIn),
    ("GET", "/users", ADMIN),
    ("POST", "/users", ADMIN),
    ("GET", "/users/{id}", ADMIN),
    ("PATCH", "/users/{id}", ADMIN),
    ("POST", "/users/{id}/password-reset", ADMIN),
    ("POST", "/uploads", ML_ENGINEER),
    ("GET", "/uploads", ML_ENGINEER),
    ("GET", "/uploads/{id}", ML_ENGINEER),
    ("POST", "/uploads/{id}/decisions", ML_ENGINEER),
    ("GET", "/radiographs", ML_ENGINEER),
    ("GET", "/radiographs/{id}", ML_ENGINEER),
    ("GET", "/radiographs/{id}/file", ML_ENGINEER),
    ("GET", "/radiographs/{id}/rendered", ML_ENGINEER),
    ("POST", "/radiographs/{id}/decision", ML_ENGINEER),
    ("POST", "/datasets", ML_ENGINEER),
    ("GET", "/datasets", ML_ENGINEER),
    ("GET", "/datasets/{id}", ML_ENGINEER),
    ("GET", "/datasets/{id}/samples", ML_ENGINEER),
    ("GET", "/datasets/{id}/events", ML_ENGINEER),
    ("POST", "/runs", ML_ENGINEER),
    ("GET", "/runs", ML_ENGINEER),
    ("GET", "/runs/{id}", ML_ENGINEER),
    ("GET", "/runs/{id}/metrics", ML_ENGINEER),
    ("GET", "/runs/{id}/events", ML_ENGINEER),
    ("POST", "/runs/{id}/cancel", ML_ENGINEER),
    ("POST", "/runs/{id}/promote", ML_ENGINEER),
    ("GET", "/models", MAKERS),
    ("GET", "/findings", MAKERS),
    ("POST", "/generations", MAKERS),
    ("GET", "/generations", MAKERS),
    ("GET", "/generations/{id}", MAKERS),
    ("GET", "/generations/{id}/events", MAKERS),
    ("POST", "/generations/{id}/cancel", MAKERS),
    ("GET", "/images", MAKERS),
    ("GET", "/images/{id}", MAKERS),
    ("GET", "/images/{id}/file", MAKERS),
    ("GET", "/images/{id}/png", MAKERS),
    ("POST", "/images/{id}/reviews", CLINICIAN),
    ("GET", "/images/{id}/reviews", REVIEW_READERS),
    ("GET", "/images/{id}/report", REVIEW_READERS),
    ("POST", "/transfers", MAKERS),
    ("GET", "/transfers", MAKERS),
    ("GET", "/transfers/{id}", MAKERS),
    ("GET", "/transfers/{id}/events", MAKERS),
    ("GET", "/destinations", SENDERS),
    ("POST", "/destinations", ADMIN),
    ("PUT", "/destinations/{id}", ADMIN),
    ("DELETE", "/destinations/{id}", ADMIN),
    ("POST", "/destinations/{id}/echo", SENDERS),
    ("GET", "/dicom-web/studies", MAKERS),
    ("POST", "/dicom-web/studies", ML_ENGINEER),
    ("GET", "/dicom-web/series", MAKERS),
    ("GET", "/dicom-web/instances", MAKERS),
    ("GET", "/dicom-web/studies/{study}", MAKERS),
    ("POST", "/dicom-web/studies/{study}", ML_ENGINEER),
    ("GET", "/dicom-web/studies/{study}/series", MAKERS),
    ("GET", "/dicom-web/studies/{study}/instances", MAKERS),
    ("GET", "/dicom-web/studies/{study}/metadata", MAKERS),
    ("GET", "/dicom-web/studies/{study}/thumbnail", MAKERS),
    ("GET", "/dicom-web/studies/{study}/series/{series}", MAKERS),
    ("GET", "/dicom-web/studies/{study}/series/{series}/metadata", MAKERS),
    ("GET", "/dicom-web/studies/{study}/series/{series}/thumbnail", MAKERS),
    ("GET", "/dicom-web/studies/{study}/series/{series}/instances", MAKERS),
    ("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}", MAKERS),
    ("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata", MAKERS),
    ("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/rendered", MAKERS),
    ("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/thumbnail", MAKERS),
    (
        "GET",
        "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}",
        MAKERS,
    ),
    (
        "GET",
        "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frame}/rendered",
        MAKERS,
    ),
    (
        "GET",
        "/dicom-web/studies/{study}/series/{series}/instances/{instance}/bulkdata/{tag}",
        MAKERS,
    ),
    ("POST", "/verify", SignedIn),
    ("GET", "/audit/events", AUDITOR),
    ("GET", "/audit/export", AUDITOR),
    ("GET", "/audit/public-key", AUDITOR),
    ("POST", "/audit/verify", AUDITOR),
];

/// Paths outside `/api/v1`, which everybody may read.
const OUTSIDE: &[&str] = &["/healthz", "/readyz", "/api/openapi.json", "/api/docs"];

async fn described() -> BTreeSet<(String, String)> {
    let address = &shared().await.server.address;
    let document: Value =
        reqwest::get(format!("{address}/api/openapi.json")).await.unwrap().json().await.unwrap();
    let mut endpoints = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let inside = path.strip_prefix("/api/v1");
        let Some(path) = inside.or_else(|| path.starts_with("/dicom-web/").then_some(path)) else {
            assert!(OUTSIDE.contains(&path.as_str()), "{path} is described and not expected");
            continue;
        };
        for method in operations.as_object().unwrap().keys() {
            if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                endpoints.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    endpoints
}

#[tokio::test]
async fn every_endpoint_is_expected_and_every_expected_one_is_there() {
    let described = described().await;
    let expected: BTreeSet<_> = EXPECTED
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    let new: Vec<_> = described.difference(&expected).collect();
    let gone: Vec<_> = expected.difference(&described).collect();
    assert!(new.is_empty(), "described, and this test does not say who may call them: {new:?}");
    assert!(gone.is_empty(), "expected, and not described: {gone:?}");
}

/// The address with identifiers that nothing has.
fn filled(path: &str) -> String {
    let path = path.replace("{id}", &uuid::Uuid::now_v7().to_string());
    let path = path.replace("{frames}", "1").replace("{frame}", "1").replace("{tag}", "7FE00010");
    ["{study}", "{series}", "{instance}"].iter().fold(path, |path, uid| path.replace(uid, "1.2.3"))
}

/// Calls an endpoint with an empty request; returns the status.
async fn call(session: &Session, method: &str, path: &str) -> u16 {
    let path = filled(path);
    let method: Method = method.parse().unwrap();
    let mut request = session.request(method.clone(), &path);
    if method != Method::GET {
        request = request.json(&json!({}));
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn nobody_gets_in_without_a_token() {
    let nobody = Session::nobody(&shared().await.server.address);
    for (method, path, who) in EXPECTED {
        let status = call(&nobody, method, path).await;
        match who {
            // Without credentials a public endpoint has something to refuse, but knows itself why.
            Public => assert!(
                status == 400 || status == 401 || status == 422,
                "{method} {path}: {status}"
            ),
            SignedIn | Roles(_) => assert_eq!(status, 401, "{method} {path} without a token"),
        }
    }
}

#[tokio::test]
async fn every_endpoint_against_every_role() {
    let shared = shared().await;
    let mut calls = 0;
    for role in ROLES {
        let session = shared.session(role);
        for (method, path, who) in EXPECTED {
            let allowed = match who {
                Public => continue,
                SignedIn => true,
                Roles(roles) => roles.contains(&role),
            };
            let status = if *path == "/auth/logout" {
                // Logging out ends the session: one of its own.
                let own = Session::login(&session.address, &session.username, PASSWORD).await;
                call(&own, method, path).await
            } else {
                call(session, method, path).await
            };
            calls += 1;
            if allowed {
                assert!(
                    ![401, 403, 405, 500, 501].contains(&status),
                    "{role}: {method} {path}: {status}"
                );
            } else {
                assert_eq!(status, 403, "{role}: {method} {path}");
            }
        }
    }
    assert_eq!(calls, ROLES.len() * (EXPECTED.len() - 2));
}

/// The guard is asked before the request is looked at: what is wrong with it is no stranger's business.
#[tokio::test]
async fn the_guard_answers_before_a_query_that_cannot_be_read() {
    let shared = shared().await;
    let nobody = Session::nobody(&shared.server.address);
    let mut faults = 0;
    for (method, path, who) in EXPECTED.iter().filter(|(method, ..)| *method == "GET") {
        let Roles(roles) = who else { continue };
        let path = format!("{path}?page=John&center=John");
        assert_eq!(call(&nobody, method, &path).await, 401, "{path}");
        let stranger = ROLES.iter().find(|role| !roles.contains(role)).unwrap();
        assert_eq!(call(shared.session(stranger), method, &path).await, 403, "{stranger}: {path}");
        let insider = shared.session(roles[0]);
        let path = filled(&path);
        let answer = insider.request(Method::GET, &path).send().await.unwrap();
        if answer.status() == 422 {
            let problem = crate::harness::problem::problem(answer, 422).await;
            let field = problem["errors"][0]["field"].as_str().unwrap();
            assert!(["page", "center"].contains(&field), "{path}: {problem}");
            assert!(!problem.to_string().contains("John"), "{problem}");
            faults += 1;
        }
    }
    assert!(faults > 10, "only {faults} endpoints read their query");
}

#[tokio::test]
async fn what_everybody_may_read() {
    let address = &shared().await.server.address;
    for path in OUTSIDE.iter().chain(&["/"]) {
        let answer = reqwest::get(format!("{address}{path}")).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
    }
    let answer = reqwest::get(format!("{address}/api/v1/nowhere")).await.unwrap();
    crate::harness::problem::problem(answer, 404).await;
}
