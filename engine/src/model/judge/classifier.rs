//! The classifier: findings, age group, sex and view of a radiograph.

use std::path::Path;

use candle_core::{D, Device, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::disk;
use super::encoder::{EPSILON, Encoder};
use super::label::Label;
use super::sizes::Sizes;
use crate::model::{ModelCard, ModelError};
use crate::nn::{GroupNorm, Linear, Weights};
use crate::terms::{finding, view_position};

/// `config.json` of a classifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Tells a classifier's folder from others.
    #[serde(rename = "_class_name", default = "class_name")]
    pub class_name: String,
    /// Sides of the square image, in pixels.
    pub sample_size: usize,
    /// Sides of the pixel squares that are folded into channels before the first convolution.
    pub patch_size: usize,
    /// Channels of each level, finest first.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of a level.
    pub layers_per_block: usize,
    /// Groups of the group norms.
    pub norm_num_groups: usize,
    /// Slugs of the findings that it is asked for.
    pub findings: Vec<String>,
    /// Codes of the view positions that it is asked for.
    pub views: Vec<String>,
}

const CLASS: &str = "SkiagraphClassifier";

fn class_name() -> String {
    CLASS.into()
}

impl ClassifierConfig {
    fn sizes(&self) -> Sizes<'_> {
        Sizes {
            part: "judge",
            sample_size: self.sample_size,
            patch_size: self.patch_size,
            block_out_channels: &self.block_out_channels,
            layers_per_block: self.layers_per_block,
            norm_num_groups: self.norm_num_groups,
        }
    }

    /// # Errors
    /// Where no network can be built from the values; the field is named.
    pub fn validate(&self) -> std::result::Result<(), ModelError> {
        let fault = |field, cause: &str| {
            Err(ModelError::Config { part: "judge", field, cause: cause.to_owned() })
        };
        if self.class_name != CLASS {
            return fault("_class_name", "is not that of a classifier, SkiagraphClassifier");
        }
        let known =
            |slug: &String| finding(slug).is_some_and(|finding| finding.slug == slug.as_str());
        if self.findings.is_empty() || !distinct(&self.findings) || !self.findings.iter().all(known)
        {
            return fault("findings", "must be slugs of the vocabulary, one or more, each once");
        }
        let known = |code: &String| view_position(code).is_some_and(|view| view.code == code);
        if !distinct(&self.views) || !self.views.iter().all(known) {
            return fault("views", "must be codes of view positions, each once");
        }
        self.sizes().validate()
    }

    /// What the logits answer, in their order.
    pub fn labels(&self) -> Vec<Label> {
        let findings = self.findings.iter().cloned().map(Label::Finding);
        let views = self.views.iter().cloned().map(Label::View);
        findings.chain([Label::Adult, Label::Female]).chain(views).collect()
    }
}

fn distinct(words: &[String]) -> bool {
    words.iter().enumerate().all(|(index, word)| !words[..index].contains(word))
}

/// A small residual network with a head for each kind of question.
pub struct Classifier {
    encoder: Encoder,
    norm_out: GroupNorm,
    heads: Vec<Linear>,
    config: ClassifierConfig,
}

impl Classifier {
    /// Builds the network from its weights.
    ///
    /// # Errors
    /// Where a weight cannot be read.
    pub fn new(config: ClassifierConfig, weights: &Weights) -> Result<Self> {
        let sizes = config.sizes();
        let width = config.block_out_channels[config.block_out_channels.len() - 1];
        let mut heads = Vec::new();
        for (name, answers) in [
            ("findings", config.findings.len()),
            ("age_group", 1),
            ("sex", 1),
            ("view", config.views.len()),
        ] {
            if answers > 0 {
                heads.push(Linear::new(width, answers, &weights.pp("heads").pp(name))?);
            }
        }
        Ok(Self {
            encoder: Encoder::new(&sizes, &weights.pp("encoder"))?,
            norm_out: GroupNorm::new(
                config.norm_num_groups,
                width,
                EPSILON,
                &weights.pp("norm_out"),
            )?,
            heads,
            config,
        })
    }

    /// Loads a classifier's folder, frozen, with its card.
    ///
    /// # Errors
    /// Where a file is missing or damaged, or the weights do not fit the configuration.
    pub fn open(
        folder: &Path,
        device: &Device,
    ) -> std::result::Result<(Self, ModelCard), ModelError> {
        disk::open(folder, device, ClassifierConfig::validate, Self::new)
    }

    /// The configuration.
    pub fn config(&self) -> &ClassifierConfig {
        &self.config
    }

    /// Logits `[b, labels]` in the order of [`ClassifierConfig::labels`], of images `[b, 1, h, w]` between −1 and 1.
    ///
    /// # Errors
    /// Where a side is no multiple of what the levels halve it by.
    pub fn forward(&self, image: &Tensor) -> Result<Tensor> {
        self.answer(&self.embed(image)?)
    }

    /// What the heads read, `[b, width]`, of images `[b, 1, h, w]` between −1 and 1: in it, images are near each
    /// other that look alike to the judge.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn embed(&self, image: &Tensor) -> Result<Tensor> {
        let maps = self.encoder.forward(image)?;
        self.norm_out.forward_silu(&maps[maps.len() - 1])?.mean((1, 2))
    }

    /// The logits of [`Self::forward`], of what [`Self::embed`] gave.
    ///
    /// # Errors
    /// Where it is of another width.
    pub fn answer(&self, embedded: &Tensor) -> Result<Tensor> {
        let answers = self.heads.iter().map(|head| head.forward(embedded));
        Tensor::cat(&answers.collect::<Result<Vec<_>>>()?, D::Minus1)
    }

    /// The maps `[b, h', w', channels]` of all levels, finest first: what a perceptual loss (Zhang et al., arXiv
    /// 1801.03924) or an alignment of representations (Yu et al., arXiv 2410.06940) compares.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn features(&self, image: &Tensor) -> Result<Vec<Tensor>> {
        self.encoder.forward(image)
    }
}
