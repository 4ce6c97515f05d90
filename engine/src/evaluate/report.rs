//! What a model folder can be measured by, measured.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Device;
use serde::Serialize;

use super::{EvaluateError, Figures, autoencoder, classifier, segmenter};
use crate::data::{Dataset, Images, Split};
use crate::model::{Bundle, Classifier, Part, Segmenter, read_json};

/// The figures of a model on the held-out patients of a data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The model's name.
    pub model: String,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// The data set's name.
    pub dataset: String,
    /// Radiographs that are held out.
    pub held_out: u64,
    /// The engine that measured.
    pub engine_version: String,
    /// What was measured, by name.
    pub figures: Figures,
    /// With what it was measured, and how.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// What figures mean, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Report {
    /// The report as a page of Markdown.
    pub fn table(&self) -> String {
        let lines = self.figures.iter().map(|(name, value)| format!("| {name} | {value:.4} |\n"));
        let mut page = format!(
            "# {} on {}\n\n{} held-out radiographs; weights {}; engine {}.\n\n| figure | value |\n|---|---|\n{}",
            self.model,
            self.dataset,
            self.held_out,
            self.weights_sha256,
            self.engine_version,
            lines.collect::<String>()
        );
        let settings = self.settings.iter().map(|(name, value)| format!("{name}: {value}"));
        let lists = [("Notes", self.notes.clone()), ("Measured with", settings.collect())];
        for (title, lines) in lists.iter().filter(|(_, lines)| !lines.is_empty()) {
            page.extend(["\n## ", title, "\n\n"]);
            page.extend(lines.iter().flat_map(|line| ["- ", line, "\n"]));
        }
        page
    }
}

/// Measures what the folder `model` holds: a judge, a segmenter, or a bundle's autoencoder.
///
/// # Errors
/// Where it is none of these, or model or data set do not load.
pub fn evaluate(model: &Path, dataset: &Path, device: &Device) -> Result<Report, EvaluateError> {
    let dataset = Dataset::open(dataset)?;
    let config = model.join("config.json");
    let class = if config.is_file() {
        let config: serde_json::Value = read_json(&config)?;
        config["_class_name"].as_str().unwrap_or_default().to_owned()
    } else {
        String::new()
    };
    let (card, figures) = match class.as_str() {
        "SkiagraphClassifier" => {
            let (network, card) = Classifier::open(model, device)?;
            (card, classifier(&network, &dataset, device)?)
        }
        "SkiagraphLungSegmenter" => {
            let (network, card) = Segmenter::open(model, device)?;
            (card, segmenter(&network, &dataset, device)?)
        }
        _ => {
            let bundle = Bundle::open(model)?;
            if !bundle.has(Part::Vae) {
                return Err(EvaluateError::Nothing(
                    "is neither a judge nor a bundle with an autoencoder",
                ));
            }
            let vae = bundle.vae(device)?;
            if vae.config().in_channels != 1 || vae.config().out_channels != 1 {
                return Err(EvaluateError::Nothing(
                    "its autoencoder is one of colours, and radiographs are grey",
                ));
            }
            let size = vae.config().sample_size;
            let images = Images::load(&dataset, Split::Validation, size, usize::MAX)?;
            (bundle.card().clone(), autoencoder(&vae, &images, device)?)
        }
    };
    Ok(Report {
        model: card.name,
        weights_sha256: card.weights_sha256,
        dataset: dataset.card().name.clone(),
        held_out: dataset.card().samples.validation,
        engine_version: crate::VERSION.to_owned(),
        figures,
        settings: BTreeMap::new(),
        notes: Vec::new(),
    })
}
