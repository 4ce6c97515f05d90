//! Models, adapters and the vocabulary on the wire.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// What a clinician may generate with.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelsView {
    /// The model.
    pub base: ModelView,
    /// Promoted adapters, the newest first.
    pub adapters: Vec<AdapterView>,
}

/// The model's card.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Sides of the square image, in pixels.
    pub image_size: usize,
    /// Findings that it was trained on.
    pub findings: Vec<String>,
    /// Denoising steps where a request does not say.
    pub default_steps: u32,
    /// Strength of guidance where a request does not say.
    pub default_guidance_scale: f32,
    /// Licence of the weights.
    pub licence: String,
    /// Whom to credit.
    pub attribution: String,
    /// What it makes.
    pub description: String,
    /// What it cannot do, and what it must not be used for.
    pub limits: String,
    /// SHA-256 over its weights, hexadecimal.
    pub weights_sha256: String,
}

/// A promoted adapter.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdapterView {
    /// Identifier: that of the run that trained it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The data set that it learned from.
    pub dataset_id: String,
    /// Licences of its data set and of the model that it was trained beside.
    pub licence: String,
    /// Whom to credit for them; empty where its card is gone.
    pub attribution: Vec<String>,
    /// When it was promoted.
    pub promoted_at: DateTime<Utc>,
    /// Loss on held-out patients of the untouched model.
    pub validation_loss_before: Option<f32>,
    /// The same with the adapter.
    pub validation_loss_after: Option<f32>,
}

/// A finding that a prompt may name.
#[derive(Debug, Serialize, ToSchema)]
pub struct FindingView {
    /// The word in requests: `bacterial_pneumonia`.
    pub slug: &'static str,
    /// The words in captions: `bacterial pneumonia`.
    pub name: &'static str,
    /// SNOMED CT code, where one fits exactly.
    pub snomed: Option<&'static str>,
}
