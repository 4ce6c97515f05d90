//! The card of a model: without one it does not load.

use serde::{Deserialize, Serialize};

/// What a model is, where it comes from and what it must not be used for (`card.json`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// The model's name, as people choose it.
    pub name: String,
    /// The model's version.
    pub version: String,
    /// What it makes, in a sentence.
    pub description: String,
    /// Sides of the square image, in pixels.
    pub image_size: usize,
    /// Slugs of the findings that it was trained on.
    pub findings: Vec<String>,
    /// Steps that a request takes where it does not say.
    pub default_steps: u32,
    /// Guidance scale that a request takes where it does not say.
    pub default_guidance_scale: f32,
    /// Licence of the weights.
    pub licence: String,
    /// Licence and attribution of every data set that it was trained on.
    pub attribution: Vec<String>,
    /// How it was trained.
    pub training: String,
    /// Measured figures, by name.
    #[serde(default)]
    pub figures: std::collections::BTreeMap<String, f64>,
    /// What it cannot do, and what it must not be used for.
    pub limits: String,
    /// SHA-256 over the hashes of all weight files, in hexadecimal; filled in when a bundle is opened.
    #[serde(default)]
    pub weights_sha256: String,
}
