#![allow(clippy::unwrap_used)]

use actix_web::body::to_bytes;
use serde_json::Value;

use super::*;

async fn document(error: ApiError) -> (StatusCode, Value) {
    let response = error.error_response();
    let status = response.status();
    assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), PROBLEM_JSON);
    let body = to_bytes(response.into_body()).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[actix_web::test]
async fn a_problem_names_field_and_cause() {
    let (status, problem) =
        document(ApiError::invalid("steps", "must lie between 1 and 1000")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["status"], 422);
    assert!(problem["type"].as_str().unwrap().ends_with("/invalid"));
    assert_eq!(problem["errors"][0]["field"], "steps");
    assert_eq!(problem["errors"][0]["cause"], "must lie between 1 and 1000");
}

#[actix_web::test]
async fn an_internal_cause_does_not_go_out() {
    let (status, problem) = document(ApiError::Internal("the table smith_john".to_owned())).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!problem.to_string().contains("smith"));
}
