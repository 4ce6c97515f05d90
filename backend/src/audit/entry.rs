//! What a handler says about what it does.

use serde_json::{Map, Value};
use skiagraph_compliance::audit::{Action, Outcome};

/// What is done, to what, and how it ended. Never holds patient data.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) action: Action,
    pub(super) object_type: String,
    pub(super) object_id: Option<String>,
    pub(super) outcome: Outcome,
    pub(super) detail: Map<String, Value>,
}

impl Entry {
    /// Something done to objects of a kind: a list, a search.
    pub fn new(action: Action, object_type: &str) -> Self {
        Self {
            action,
            object_type: object_type.to_owned(),
            object_id: None,
            outcome: Outcome::Success,
            detail: Map::new(),
        }
    }

    /// Something done to one object.
    pub fn of(action: Action, object_type: &str, object_id: &str) -> Self {
        Self { object_id: Some(object_id.to_owned()), ..Self::new(action, object_type) }
    }

    /// More about it; never patient data.
    #[must_use]
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(key.to_owned(), value.into());
        self
    }

    /// It was not allowed.
    #[must_use]
    pub fn refused(self) -> Self {
        Self { outcome: Outcome::Refused, ..self }
    }

    /// It was tried and did not come off.
    #[must_use]
    pub fn failed(self) -> Self {
        Self { outcome: Outcome::Failure, ..self }
    }
}
