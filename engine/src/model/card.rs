//! The card of a model. What it does not state is told as unknown.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::disk::read_json;
use super::error::ModelError;

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
    /// Where its files come from: the file that was imported, or the repository with the commit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// SHA-256 over the hashes of all weight files, in hexadecimal; filled in when a bundle is opened.
    #[serde(default)]
    pub weights_sha256: String,
}

impl ModelCard {
    /// The card of a folder that has none: what diffusers' configurations say, and that nobody stated
    /// the rest.
    ///
    /// # Errors
    /// Where the folder has no UNet, or its configuration or the autoencoder's cannot be read.
    pub(super) fn made_up(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("unet").join("config.json");
        if !path.exists() {
            let cause = "has neither a card.json nor a UNet: it is no model folder";
            return Err(ModelError::file(folder, cause));
        }
        let unet: Value = read_json(&path)?;
        // Many checkpoints come without an autoencoder: it is another model's, then.
        let vae = folder.join("vae");
        let vae: Value =
            if vae.exists() { read_json(&vae.join("config.json"))? } else { Value::Null };
        let index: Value = read_json(&folder.join("model_index.json")).unwrap_or_default();
        let number = |value: &Value| value.as_u64().map(|number| number as usize);
        let latent_size = match &unet["sample_size"] {
            Value::Array(sides) => sides.iter().filter_map(number).min(),
            other => number(other),
        };
        let levels = vae["block_out_channels"].as_array().map_or(4, Vec::len).clamp(1, 8);
        let patch = number(&vae["patch_size"]).unwrap_or(1).clamp(1, 32);
        let latent_size = latent_size.unwrap_or(64).clamp(1, 4096);
        let place = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = index["_name_or_path"]
            .as_str()
            .and_then(|name| name.trim_end_matches('/').rsplit('/').next())
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .or_else(|| Some(place.file_name()?.to_string_lossy().into_owned()));
        let large = unet["addition_embed_type"].as_str() == Some("text_time");
        Ok(Self {
            name: name.unwrap_or_else(|| "unnamed".into()),
            version: "unknown".into(),
            description: "A model in diffusers' layout, without a card of its own.".into(),
            image_size: (latent_size * patch) << (levels - 1),
            // The defaults of diffusers' own pipelines.
            default_steps: 50,
            default_guidance_scale: if large { 5.0 } else { 7.5 },
            licence: "unknown".into(),
            training: "unknown".into(),
            limits: "Nobody stated what it cannot do: it must not be used before somebody has."
                .into(),
            ..Self::default()
        })
    }
}
