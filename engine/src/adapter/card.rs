//! The card of an adapter: without one it does not load.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::AdapterError;
use super::read::card_path;
use crate::model::{credits, read_json};

/// What an adapter is and which model it fits (`card.json` beside its weights).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AdapterCard {
    /// The adapter's name, as people choose it.
    pub name: String,
    /// `lora`, `dora`, `loha`, `lokr`, `prefix`, `textual_inversion` or `concept`.
    pub method: String,
    /// Name of the model that it was trained on.
    pub base_model: String,
    /// Hash of that model's weights ([`crate::model::ModelCard::weights_sha256`]).
    pub base_sha256: String,
    /// Name of the data set that it was trained on.
    pub dataset: String,
    /// Licences of that data set and of whatever else its weights were made of.
    pub licence: String,
    /// Whom to credit for all that.
    #[serde(deserialize_with = "credits")]
    pub attribution: Vec<String>,
    /// Steps of training.
    pub steps: u64,
    /// Loss on held-out patients of the untouched base.
    pub validation_loss_before: f32,
    /// The same after training.
    pub validation_loss_after: f32,
    /// Measured figures, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, f64>,
}

impl AdapterCard {
    /// The card of what lies at `path`, a folder or a file; `None` where it has none, as what comes from
    /// other programs.
    ///
    /// # Errors
    /// [`AdapterError::Model`] where it cannot be read.
    pub fn of(path: &Path) -> Result<Option<Self>, AdapterError> {
        let card = card_path(path).filter(|card| card.is_file());
        Ok(card.map(|card| read_json(&card)).transpose()?)
    }

    /// Whether what lies at `path` was trained on the model whose weights have the hash `base_sha256`; a card
    /// without a hash fits every model.
    ///
    /// # Errors
    /// [`AdapterError::WrongBase`] where it was not.
    pub(super) fn check_base(&self, path: &Path, base_sha256: &str) -> Result<(), AdapterError> {
        if self.base_sha256.is_empty() || self.base_sha256 == base_sha256 {
            return Ok(());
        }
        let cause =
            format!("was trained on {} with other weights than this model's", self.base_model);
        Err(AdapterError::WrongBase { path: path.to_owned(), cause })
    }
}
