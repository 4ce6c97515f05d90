//! Query strings, whose faults are told by field.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures::future::{Ready, ready};
use serde::de::DeserializeOwned;
use serde_urlencoded::Deserializer;
use url::form_urlencoded;

use crate::error::ApiError;

/// A query of this type, not yet read: a guard answers first, whatever the query holds.
pub struct Query<T> {
    text: String,
    holds: PhantomData<T>,
}

impl<T: 'static> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self { text: request.query_string().to_owned(), holds: PhantomData }))
    }
}

impl<T: DeserializeOwned> Query<T> {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it, by field.
    pub fn read(&self) -> Result<T, ApiError> {
        let pairs = Deserializer::new(form_urlencoded::parse(self.text.as_bytes()));
        serde_path_to_error::deserialize(pairs)
            .map_err(|error| fault(&error.path().to_string(), &error.inner().to_string()))
    }
}

/// What serde says may repeat input; only the place and the kind of a fault go out. The place is the
/// name of a field of ours: a parameter that nobody asks for is passed over.
fn fault(path: &str, said: &str) -> ApiError {
    let named = said.split('`').nth(1);
    let (field, cause) = match named {
        Some(name) if said.starts_with("missing field") => (name, "is missing"),
        Some(name) if said.starts_with("duplicate field") => (name, "is given twice"),
        _ if said.contains("float literal") => (path, "must be a number"),
        _ if said.contains("digit") || said.contains("parse integer") => {
            (path, "must be a whole number")
        }
        _ if said.starts_with("number too") => (path, "is out of range"),
        _ => (path, "cannot be used"),
    };
    ApiError::invalid(if field == "." { "query" } else { field }, cause)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use crate::views::page::PageQuery;
    use crate::views::uploads::Window;

    fn faults<T: DeserializeOwned + 'static>(text: &str) -> Option<(String, String)> {
        let query = Query::<T> { text: text.to_owned(), holds: PhantomData };
        match query.read() {
            Ok(_) => None,
            Err(ApiError::Invalid(faults)) => {
                Some((faults[0].field.clone(), faults[0].cause.clone()))
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    fn check<T: DeserializeOwned + 'static>(text: &str, field: &str, cause: &str) {
        assert_eq!(faults::<T>(text), Some((field.to_owned(), cause.to_owned())), "{text}");
    }

    #[test]
    fn faults_name_their_field_and_repeat_no_values() {
        check::<PageQuery>("page=JohnSmith", "page", "must be a whole number");
        check::<PageQuery>("page=1&page_size=-1", "page_size", "must be a whole number");
        check::<PageQuery>("page_size=", "page_size", "must be a whole number");
        check::<PageQuery>("page=99999999999999999999", "page", "is out of range");
        check::<PageQuery>("page=1&page=2", "page", "is given twice");
        check::<Window>("center=wide", "center", "must be a number");
    }

    #[test]
    fn what_is_not_asked_for_is_passed_over() {
        for text in ["", "page=2", "page=%32&other=%ff", "&&=", "page_size=7&actor=x"] {
            assert_eq!(faults::<PageQuery>(text), None, "{text}");
        }
    }
}
