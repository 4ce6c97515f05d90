//! The card of a part that was trained beside a model and travels in a folder of its own.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::read_json;
use super::error::ModelError;
use super::owed::credits;

/// What a part is, and beside which model it was trained (`part_card.json` in the part's folder, beside
/// whatever card a bundle has). Parts of other programs have none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PartCard {
    /// The part's name, as people choose it.
    pub name: String,
    /// `controlnet` or `clip`.
    pub kind: String,
    /// What a ControlNet was taught to follow: `mask`, `edges` or `sketch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Name of the model that it was trained beside; empty where it serves any.
    #[serde(default)]
    pub base_model: String,
    /// Hash of that model's weights ([`ModelCard::weights_sha256`](super::ModelCard::weights_sha256)).
    #[serde(default)]
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
    /// Loss on held-out patients before the first step.
    pub validation_loss_before: f32,
    /// The same after the last.
    pub validation_loss_after: f32,
    /// Measured figures, by name.
    #[serde(default)]
    pub figures: BTreeMap<String, f64>,
}

impl PartCard {
    /// The name of its file.
    pub const FILE: &'static str = "part_card.json";

    /// The card in a part's folder, where there is one.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn of(folder: &Path) -> Result<Option<Self>, ModelError> {
        let path = folder.join(Self::FILE);
        if path.exists() { read_json(&path).map(Some) } else { Ok(None) }
    }

    /// # Errors
    /// Where the part in `folder` was trained beside a model with other weights than those of the hash
    /// `base_sha256`.
    pub fn check_base(&self, folder: &Path, base_sha256: &str) -> Result<(), ModelError> {
        if self.base_sha256.is_empty() || base_sha256.is_empty() || self.base_sha256 == base_sha256
        {
            return Ok(());
        }
        let model = &self.base_model;
        let cause = format!(
            "is for another base: it was trained beside {model}, with other weights than this model's"
        );
        Err(ModelError::file(folder, cause))
    }
}
