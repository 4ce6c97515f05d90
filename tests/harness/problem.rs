//! What a refusal must look like: RFC 9457, with the field and the cause.

use reqwest::Response;
use serde_json::Value;

/// Asserts that an answer is a problem document of this status; returns it.
pub async fn problem(answer: Response, status: u16) -> Value {
    let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    let found = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    assert_eq!(kind.as_deref(), Some("application/problem+json"), "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["status"], status, "{text}");
    for member in ["type", "title", "detail"] {
        assert!(document[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {text}");
    }
    document
}

/// Asserts that an answer is a problem document that names this field, with a cause.
pub async fn names_field(answer: Response, statuses: &[u16], field: &str) -> Value {
    let status = answer.status().as_u16();
    assert!(
        statuses.contains(&status),
        "{status} is none of {statuses:?}: {}",
        answer.text().await.unwrap()
    );
    let document = problem(answer, status).await;
    let errors = document["errors"].as_array().cloned().unwrap_or_default();
    let named = errors.iter().any(|error| {
        error["field"].as_str().is_some_and(|name| name.starts_with(field))
            && error["cause"].as_str().is_some_and(|cause| !cause.is_empty())
    });
    assert!(named, "no error names {field}: {document}");
    document
}
