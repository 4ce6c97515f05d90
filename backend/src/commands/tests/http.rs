//! What stands around every route.

use actix_web::http::header::{ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use super::*;

#[actix_web::test]
async fn answers_forbid_other_sources() {
    let house = House::new().await;
    for path in ["/", "/api/docs", "/api/openapi.json", "/healthz", "/api/v1/users", "/nothing"] {
        let answer = house.get(path, None).await;
        let policy = answer.headers.get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'"), "{path}");
        assert!(!policy.contains("http"), "{path}: {policy}");
        assert_eq!(answer.headers.get("x-content-type-options").unwrap(), "nosniff");
        assert!(!answer.text.contains("src=\"http"), "{path}: {}", answer.text);
    }
}

#[actix_web::test]
async fn what_no_route_takes_is_a_problem_too() {
    let house = House::new().await;
    let problem = |answer: &Answer, status: u16| {
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        assert_eq!(answer.headers.get(CONTENT_TYPE).unwrap(), "application/problem+json");
        assert_eq!(answer.body["status"], status);
        assert!(answer.body["instance"].as_str().unwrap().starts_with("urn:uuid:"));
    };
    problem(&house.get("/api/v1/nothing", None).await, 404);
    problem(&house.get("/missing.js", None).await, 404);
    let answer = house.ask(Method::DELETE, "/api/v1/users/x", None, None).await;
    problem(&answer, 405);
    assert_eq!(answer.headers.get(ALLOW).unwrap(), "GET, PATCH");
    problem(&house.get("/api/v1/users", None).await, 401);
    let text = house.post("/api/v1/auth/login", None, &json!("John Smith")).await;
    problem(&text, 422);
    assert!(!text.text.contains("Smith"));
}

#[actix_web::test]
async fn the_description_has_every_way_to_fail() {
    let house = House::new().await;
    let api = house.get("/api/openapi.json", None).await.body;
    assert_eq!(api["components"]["securitySchemes"]["access_token"]["scheme"], "bearer");
    assert!(api["components"]["schemas"]["Problem"].is_object());
    for status in ["401", "403", "404", "422"] {
        assert!(api["paths"]["/api/v1/users"]["get"]["responses"][status].is_object(), "{status}");
    }
}

#[actix_web::test]
async fn what_does_not_work_is_not_ready() {
    let house = House::new().await;
    let answer = house.get("/readyz", None).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body["database"], true);
    assert_eq!(answer.body["model"], false);
    house.state.readiness.set_model(true);
    house.state.readiness.set_worker(true);
    assert_eq!(house.get("/readyz", None).await.status, StatusCode::OK);
    assert_eq!(house.get("/healthz", None).await.status, StatusCode::OK);
}
