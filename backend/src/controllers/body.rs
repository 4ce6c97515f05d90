//! JSON bodies, whose faults are told by field.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use bytes::BytesMut;
use futures::StreamExt;
use futures::future::{Ready, ready};
use serde::de::DeserializeOwned;

use crate::error::{ApiError, FieldError};

/// Bytes of a body, at most. A prompt that is far too long still fits, so that its field is named.
const MOST: usize = 256 << 10;
/// Characters of a field's path that is repeated in a problem.
const LONGEST_PATH: usize = 64;

/// A JSON body of this type, not yet read: a guard answers first, whatever the body holds.
pub struct Body<T> {
    json: bool,
    chunks: Payload,
    holds: PhantomData<T>,
}

impl<T: 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let json = request.content_type().eq_ignore_ascii_case("application/json");
        ready(Ok(Self { json, chunks: payload.take(), holds: PhantomData }))
    }
}

impl<T: DeserializeOwned> Body<T> {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it, by field.
    pub async fn read(self) -> Result<T, ApiError> {
        if !self.json {
            let field = FieldError::new("content-type", "must be application/json");
            return Err(ApiError::MediaType(field));
        }
        parse(&self.bytes().await?)
    }

    /// Reads it where there is one.
    ///
    /// # Errors
    /// What is wrong with it, by field.
    pub async fn read_if_any(self) -> Result<Option<T>, ApiError> {
        let bytes = self.bytes().await?;
        if bytes.is_empty() { Ok(None) } else { parse(&bytes).map(Some) }
    }

    async fn bytes(mut self) -> Result<BytesMut, ApiError> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.chunks.next().await {
            let chunk = chunk.map_err(|_| ApiError::malformed("body", "ended before its end"))?;
            if bytes.len() + chunk.len() > MOST {
                return Err(ApiError::too_large("body", format!("at most {MOST} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        fault(&path, error.inner())
    })?;
    json.end().map_err(|error| fault(".", &error))?;
    Ok(value)
}

/// What serde says may repeat input; only the place and the kind of a fault go out.
fn fault(path: &str, error: &serde_json::Error) -> ApiError {
    if !error.is_data() {
        let cause = format!("is not JSON at line {}, column {}", error.line(), error.column());
        return ApiError::malformed("body", cause);
    }
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    if let Some(rest) = said.strip_prefix("missing field `") {
        let name = rest.trim_end_matches('`');
        let field = if path == "." { name.to_owned() } else { format!("{path}.{name}") };
        return ApiError::invalid(&field, "is missing");
    }
    let cause = if said.starts_with("unknown field") {
        "is not known".to_owned()
    } else if said.starts_with("duplicate field") {
        "is given twice".to_owned()
    } else if let Some((_, expected)) = said.rsplit_once("expected ") {
        format!("must be {}", plain(expected))
    } else {
        "cannot be used".to_owned()
    };
    ApiError::invalid(&field(path), cause)
}

/// What serde expected, for somebody who does not write Rust.
fn plain(expected: &str) -> &str {
    match expected {
        "i64" | "u64" | "u32" | "usize" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

/// A path of plain names, as ours are; any other came from outside and is not repeated.
fn field(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']');
    let known = path != "." && path.len() <= LONGEST_PATH && path.chars().all(plain);
    if known { path.to_owned() } else { "body".to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use crate::views::generations::NewGeneration;

    /// The field and the status of the first fault.
    fn fault_of(body: &str) -> (String, bool) {
        match parse::<NewGeneration>(body.as_bytes()).unwrap_err() {
            ApiError::Invalid(faults) => (faults[0].field.clone(), true),
            ApiError::Malformed(fault) => (fault.field, false),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn faults_name_their_field_and_repeat_no_values() {
        for (body, field) in [
            (r#"{"prompt": {}, "steps": "John Smith"}"#, "steps"),
            (r#"{"prompt": {"findings": "normal"}}"#, "prompt.findings"),
            (r#"{"prompt": {"findings": [1]}}"#, "prompt.findings[0]"),
            (r#"{"prompt": {"mood": "happy"}}"#, "prompt.mood"),
            (r#"{"prompt": {}, "colour": 1}"#, "colour"),
            (r#"{"prompt": {}, "John Smith": 1}"#, "body"),
            (r#"{"steps": 3}"#, "prompt"),
            ("[]", "body"),
            ("null", "body"),
        ] {
            assert_eq!(fault_of(body), (field.to_owned(), true), "{body}");
        }
        for body in ["", "{", r#"{"prompt": {}} x"#] {
            assert_eq!(fault_of(body), ("body".to_owned(), false), "{body}");
        }
    }
}
