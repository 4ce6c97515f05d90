//! Training a prefix: vectors that stand before the text's embeddings, where a frozen UNet looks for what
//! it is told (after Li and Liang, arXiv 2101.00190).

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use super::error::TrainError;
use super::event::TrainSummary;
use super::samples::Ready;
use super::whole::{Denoiser, Denoises, Losses, Moving, Whole, finished};
use crate::adapter::{AdapterCard, Prefix};
use crate::device::CancelToken;
use crate::nn::{Init, Weights};

/// The weight's name in checkpoints.
const NAME: &str = "prefix";
/// Vectors of a prefix, at most.
const MOST_VECTORS: usize = 1024;

/// The size of a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrefixConfig {
    /// Its vectors, each as wide as the text encoder's.
    pub vectors: usize,
}

impl Default for PrefixConfig {
    fn default() -> Self {
        Self { vectors: 16 }
    }
}

impl PrefixConfig {
    /// # Errors
    /// Names the value and its limits.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        if (1..=MOST_VECTORS).contains(&self.vectors) {
            return Ok(());
        }
        let cause = format!("must lie between 1 and {MOST_VECTORS}");
        Err(TrainError::Config { field: "prefix.vectors", cause })
    }
}

/// The vectors alone move.
pub(super) struct PrefixTask {
    pub(super) whole: Whole,
    variables: BTreeMap<String, Var>,
    losses: Losses,
    card: AdapterCard,
}

impl PrefixTask {
    pub(super) fn new(
        config: &TrainConfig,
        device: &Device,
        cancel: &CancelToken,
    ) -> Result<Self, TrainError> {
        let whole = Whole::open(config, Moving::default(), device)?;
        let vectors = config.prefix.clone().unwrap_or_default().vectors;
        let width = whole.text.config().hidden_size;
        // They start as loud as what the text encoder says of no words, or attention would see nothing else,
        // or nothing of them.
        let length = whole.text.config().max_position_embeddings;
        let empty = whole.tokenizer.encode("", length)?.tokens;
        let said = whole.text.forward(&Tensor::from_vec(empty, (1, length), device)?)?;
        let loud = said.to_dtype(DType::F32)?.sqr()?.mean_all()?.to_scalar::<f32>()?.sqrt();
        let weights = Weights::from_seed(config.seed, DType::F32, device);
        let value = weights.get(NAME, (vectors, width), Init::Normal(f64::from(loud)))?;
        let mut losses = whole.losses(config, &str::to_owned, cancel)?;
        losses.freeze_texts(&whole.text)?;
        losses.put_before(&value);
        let card = whole.adapter_card(config, Prefix::METHOD);
        Ok(Self { whole, variables: weights.variables(), losses, card })
    }
}

impl Denoises for PrefixTask {
    fn denoiser(&self) -> Denoiser<'_> {
        let Self { whole, variables, losses, .. } = self;
        Denoiser { variables, losses, unet: &whole.unet, text: &whole.text }
    }

    fn write(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        Ok(Prefix::save(out, &weights[NAME], &finished(&self.card, summary))?)
    }

    fn sampler(&self, result: &Path) -> Result<Option<Ready>, TrainError> {
        self.whole.ready()?.prefix(result).map(Some)
    }
}
