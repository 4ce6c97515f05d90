//! The card of an adapter: without one it does not load.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What an adapter is and which model it fits (`card.json` beside its weights).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AdapterCard {
    /// The adapter's name, as people choose it.
    pub name: String,
    /// `lora` or `concept`.
    pub method: String,
    /// Name of the model that it was trained on.
    pub base_model: String,
    /// Hash of that model's weights ([`crate::model::ModelCard::weights_sha256`]).
    pub base_sha256: String,
    /// Name of the data set that it was trained on.
    pub dataset: String,
    /// Licence of that data set.
    pub licence: String,
    /// Attribution that the data set asks for.
    pub attribution: String,
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
