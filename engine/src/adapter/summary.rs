//! What an adapter is, in a few figures.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::concept::{CONCEPT, Concept};
use super::embedding::{Embedding, FILE};
use super::error::AdapterError;
use super::ip::{ImagePrompts, describe};
use super::names::Form;
use super::prefix::Prefix;
use super::read::{Adapter, stem, weights_sha256};
use crate::model::sha256_file;

/// What `adapter show` says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// `lora`, `loha`, `lokr`, each with `+dora` where layers have magnitudes, several with commas; or
    /// `textual_inversion`; or `prefix`; or `concept`; or `ip_adapter`, `ip_adapter_plus`, `ip_adapter_full`,
    /// `ip_adapter_faceid`.
    pub kind: String,
    /// The form on disk; none for embeddings and IP-Adapters.
    pub form: Option<Form>,
    /// The smallest and the largest rank, where layers have one.
    pub ranks: Option<(usize, usize)>,
    /// Layers by network; for embeddings and prefixes, the width of the vectors by network; for concepts, its tokens
    /// and their width.
    pub layers: BTreeMap<&'static str, usize>,
    /// Of an IP-Adapter: for what it makes which tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_prompts: Option<ImagePrompts>,
    /// The model that it was trained on, where its card says so.
    pub base_model: Option<String>,
    /// Hash of that model's weights, where its card says so.
    pub base_sha256: Option<String>,
    /// SHA-256 of its own weights.
    pub weights_sha256: String,
}

impl Adapter {
    /// What the adapter is.
    pub fn summary(&self) -> Summary {
        let mut kinds: Vec<String> = Vec::new();
        let mut layers = BTreeMap::new();
        let mut ranks: Option<(usize, usize)> = None;
        for (place, change) in &self.layers {
            *layers.entry(place.component.folder()).or_insert(0) += 1;
            let dora = if change.magnitude.is_some() { "+dora" } else { "" };
            let kind = format!("{}{dora}", change.method().to_lowercase());
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
            if let Some(rank) = change.factors.rank() {
                let (least, most) = ranks.unwrap_or((rank, rank));
                ranks = Some((least.min(rank), most.max(rank)));
            }
        }
        let said = |text: &String| (!text.is_empty()).then(|| text.clone());
        Summary {
            name: self.name.clone(),
            kind: kinds.join(", "),
            form: Some(self.form),
            ranks,
            layers,
            image_prompts: None,
            base_model: self.card.as_ref().and_then(|card| said(&card.base_model)),
            base_sha256: self.card.as_ref().and_then(|card| said(&card.base_sha256)),
            weights_sha256: self.sha256.clone(),
        }
    }
}

/// What lies at `path`: an adapter, a prefix, a concept, an embedding, or an IP-Adapter.
///
/// # Errors
/// What [`Adapter::open`] says where it is none of them.
pub fn summarise(path: &Path) -> Result<Summary, AdapterError> {
    if Concept::lies_in(path) {
        let (card, config) = Concept::describe(path)?;
        return Ok(Summary {
            name: if card.name.is_empty() { stem(path) } else { card.name },
            kind: CONCEPT.into(),
            form: None,
            ranks: None,
            layers: [("tokens", config.tokens), ("width", config.width)].into(),
            image_prompts: None,
            base_model: Some(card.base_model),
            base_sha256: Some(card.base_sha256),
            weights_sha256: weights_sha256(path)?,
        });
    }
    if Prefix::lies_in(path) {
        let prefix = Prefix::open(path)?;
        let card = prefix.card();
        return Ok(Summary {
            name: card.name.clone(),
            kind: Prefix::METHOD.into(),
            form: None,
            ranks: None,
            layers: [("text_encoder", prefix.width())].into(),
            image_prompts: None,
            base_model: Some(card.base_model.clone()),
            base_sha256: Some(card.base_sha256.clone()),
            weights_sha256: prefix.sha256().to_owned(),
        });
    }
    let error = match Adapter::open(path) {
        Ok(adapter) => return Ok(adapter.summary()),
        Err(error) => error,
    };
    if let Ok(Some((kind, image_prompts))) = describe(path) {
        return Ok(Summary {
            name: stem(path),
            kind: kind.into(),
            form: None,
            ranks: None,
            layers: [("unet", image_prompts.cross_attentions)].into(),
            image_prompts: Some(image_prompts),
            base_model: None,
            base_sha256: None,
            weights_sha256: sha256_file(path)?,
        });
    }
    // A file that is neither is more likely a damaged adapter than a damaged embedding.
    match Embedding::open(path, None) {
        Ok(embedding) => Ok(Summary {
            name: embedding.token().to_owned(),
            kind: "textual_inversion".into(),
            form: None,
            ranks: None,
            layers: embedding.widths(),
            image_prompts: None,
            base_model: None,
            base_sha256: None,
            weights_sha256: sha256_file(&if path.is_dir() {
                path.join(FILE)
            } else {
                path.to_owned()
            })?,
        }),
        Err(_) => Err(error),
    }
}
