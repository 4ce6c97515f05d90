//! Training an adapter of a frozen model: LoRA, DoRA, LoHa or LoKr, on UNet and text encoder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use super::error::TrainError;
use super::event::TrainSummary;
use super::samples::Ready;
use super::whole::{Denoiser, Denoises, Losses, Moving, Whole, finished};
use crate::adapter::{
    Adapter, AdapterCard, AdapterConfig, Component, Method, Patterns, attach_trainable,
};
use crate::device::CancelToken;
use crate::model::Owed;

/// What an adapter is made of, beside its `rank`, `alpha` and `targets`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraConfig {
    /// How changes are put together.
    pub method: Method,
    /// Ends of the paths of the adapted layers by network, in place of `targets`, which are the UNet's.
    pub targets: Option<Targets>,
    /// Ranks of layers that differ from `rank`, by patterns of their paths, as in PEFT.
    pub rank_pattern: Patterns<usize>,
    /// α of layers that differ from `alpha`.
    pub alpha_pattern: Patterns<f64>,
    /// The change is scaled by α / √rank (arXiv 2312.03732), for LoRA and DoRA.
    pub use_rslora: bool,
    /// For LoKr, the longest side of the small matrix; without it, as square as a layer allows.
    pub decompose_factor: Option<usize>,
    /// For LoKr, whether the small matrix is a product of two as well.
    pub decompose_both: bool,
    /// A trained adapter of the same layers and ranks, from which this one goes on.
    pub start: Option<PathBuf>,
}

/// Ends of the paths of adapted layers, linear ones and convolutions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Targets {
    /// Of the UNet.
    pub unet: Vec<String>,
    /// Of the text encoder.
    pub text_encoder: Vec<String>,
}

impl LoraConfig {
    /// # Errors
    /// Names the value and its limits.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let check = |holds: bool, field: &'static str, cause: &str| {
            if holds { Ok(()) } else { Err(TrainError::Config { field, cause: cause.to_owned() }) }
        };
        let some = |targets: &Targets| !targets.unet.is_empty() || !targets.text_encoder.is_empty();
        check(self.targets.as_ref().is_none_or(some), "lora.targets", "no layer is named")?;
        let of_low_rank = matches!(self.method, Method::Lora | Method::Dora);
        check(!self.use_rslora || of_low_rank, "lora.use_rslora", "is of lora and dora alone")?;
        let cut = self.decompose_both || self.decompose_factor.is_some();
        check(!cut || self.method == Method::Lokr, "lora.decompose_factor", "is of lokr alone")?;
        check(self.decompose_factor != Some(0), "lora.decompose_factor", "must lie above 0")?;
        let ranks = self.rank_pattern.0.iter().all(|(_, rank)| (1..=1024).contains(rank));
        check(ranks, "lora.rank_pattern", "ranks must lie between 1 and 1,024")?;
        let alphas = self.alpha_pattern.0.iter().all(|(_, alpha)| *alpha > 0.0 && *alpha <= 1024.0);
        check(alphas, "lora.alpha_pattern", "α must lie above 0 and at most at 1,024")
    }
}

/// The adapter that `config` asks for.
pub(super) fn adapter_config(config: &TrainConfig) -> AdapterConfig {
    let own = config.lora.clone().unwrap_or_default();
    let targets = match own.targets {
        Some(Targets { unet, text_encoder }) => {
            let all = [(Component::Unet, unet), (Component::TextEncoder, text_encoder)];
            all.into_iter().filter(|(_, targets)| !targets.is_empty()).collect()
        }
        None => [(Component::Unet, config.targets.clone())].into(),
    };
    AdapterConfig {
        method: own.method,
        rank: config.rank,
        alpha: config.alpha,
        rank_pattern: own.rank_pattern,
        alpha_pattern: own.alpha_pattern,
        rank_stabilised: own.use_rslora,
        targets,
        decompose_factor: own.decompose_factor,
        decompose_both: own.decompose_both,
    }
}

/// The adapter alone moves; UNet, text encoder and autoencoder stay.
pub(super) struct LoraTask {
    pub(super) whole: Whole,
    pub(super) adapter: Adapter,
    variables: BTreeMap<String, Var>,
    losses: Losses,
    card: AdapterCard,
}

impl LoraTask {
    pub(super) fn new(
        config: &TrainConfig,
        device: &Device,
        cancel: &CancelToken,
    ) -> Result<Self, TrainError> {
        let whole = Whole::open(config, Moving::default(), device)?;
        let wanted = adapter_config(config);
        let (adapter, mut variables) = wanted.fresh(&whole.networks(), config.seed, device)?;
        let mut card = whole.adapter_card(config, wanted.method.name());
        if let Some(path) = config.lora.as_ref().and_then(|own| own.start.as_ref()) {
            let before = Adapter::open(path)?;
            before.check(&whole.networks(), &whole.bundle.card().weights_sha256)?;
            adapter.go_on_from(&before)?;
            if let Some(before) = before.card() {
                let owed = Owed::default().and(&before.licence, &before.attribution);
                let owed = owed.and(&card.licence, &card.attribution);
                (card.licence, card.attribution) = (owed.licence(), owed.attribution());
            }
        }
        attach_trainable(&whole.networks(), &adapter)?;
        let mut losses = whole.losses(config, &str::to_owned, cancel)?;
        if !wanted.targets.contains_key(&Component::TextEncoder) {
            losses.freeze_texts(&whole.text)?;
        }
        variables.extend(losses.align(config, &whole, cancel)?);
        Ok(Self { whole, adapter, variables, losses, card })
    }
}

impl Denoises for LoraTask {
    fn denoiser(&self) -> Denoiser<'_> {
        let Self { whole, variables, losses, .. } = self;
        Denoiser { variables, losses, unet: &whole.unet, text: &whole.text }
    }

    fn write(
        &self,
        _weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        // The averaged weights are in place, and the adapter's factors are these.
        Ok(self.adapter.save_trained(out, &finished(&self.card, summary))?)
    }

    fn sampler(&self, result: &Path) -> Result<Option<Ready>, TrainError> {
        self.whole.ready()?.adapter(result).map(Some)
    }
}
