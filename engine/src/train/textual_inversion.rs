//! Textual inversion (Gal et al., arXiv 2208.01618): a word is learned that the model lacks; its embedding
//! alone moves.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use super::error::TrainError;
use super::event::TrainSummary;
use super::samples::Ready;
use super::whole::{Denoiser, Denoises, Losses, Moving, Whole, finished};
use crate::adapter::{AdapterCard, Embedding};
use crate::data::Split;
use crate::device::CancelToken;
use crate::model::{Tokenizer, Unit};

/// The weight's name in checkpoints.
const NAME: &str = "embedding";
const TOKEN: &str = "{token}";
const CAPTION: &str = "{caption}";

/// The word that is learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextualInversionConfig {
    /// The word in prompts; the vocabulary must not have it.
    pub token: String,
    /// Vectors that it stands for: as many tokens of a prompt.
    #[serde(default = "one")]
    pub vectors: usize,
    /// Words of the vocabulary whose embeddings the vectors start from, in turn.
    pub initial: String,
    /// What the model is told of an image: `{token}` is the word, `{caption}` the image's caption.
    #[serde(default = "usual_template")]
    pub template: String,
}

fn one() -> usize {
    1
}

fn usual_template() -> String {
    format!("{TOKEN}, {CAPTION}")
}

impl TextualInversionConfig {
    /// # Errors
    /// Names the value and its limits.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let check = |holds: bool, field: &'static str, cause: &str| {
            if holds { Ok(()) } else { Err(TrainError::Config { field, cause: cause.to_owned() }) }
        };
        check(!self.token.is_empty(), "textual_inversion.token", "is missing")?;
        check(
            (1..=75).contains(&self.vectors),
            "textual_inversion.vectors",
            "must lie between 1 and 75",
        )?;
        check(
            !self.initial.trim().is_empty(),
            "textual_inversion.initial",
            "a word to start from is missing",
        )?;
        check(
            self.template.contains(TOKEN),
            "textual_inversion.template",
            "must hold {token}, or the word would never be seen",
        )
    }

    fn text(&self, caption: &str) -> String {
        self.template.replace(CAPTION, caption).replace(TOKEN, &self.token)
    }
}

/// The word's embedding alone moves.
pub(super) struct TextualInversionTask {
    pub(super) whole: Whole,
    token: String,
    variables: BTreeMap<String, Var>,
    losses: Losses,
    card: AdapterCard,
}

impl TextualInversionTask {
    pub(super) fn new(
        config: &TrainConfig,
        device: &Device,
        cancel: &CancelToken,
    ) -> Result<Self, TrainError> {
        let fault = |field, cause: String| TrainError::Config { field, cause };
        let Some(own) = config.textual_inversion.clone() else {
            return Err(fault("textual_inversion", "the word to learn is missing".into()));
        };
        let mut whole = Whole::open(config, Moving::default(), device)?;
        let start = start(&own, &whole.tokenizer)?;
        let tokenizer = whole.tokenizer.with_added(&[(own.token.clone(), own.vectors)]);
        whole.tokenizer = tokenizer.map_err(|_| {
            let cause = "must be a word of 100 characters at most, without a space, that the \
                         model's vocabulary has not";
            fault("textual_inversion.token", cause.into())
        })?;
        whole.dataset = whole.dataset.worded(|caption| own.text(caption));
        let first = whole.tokenizer.first_added().unwrap_or_default();
        check_seen(&own, &whole, first)?;
        let embedding = Var::from_tensor(&whole.text.vectors(&start)?)?;
        whole.text.learn(first, Some(embedding.as_tensor().clone()))?;
        // The class of a prior is told with the word as well, or nothing of it would reach the word.
        let told = |prompt: &str| own.text(prompt);
        let losses = whole.losses(config, &told, cancel)?;
        let card = whole.adapter_card(config, Embedding::METHOD);
        let variables = [(NAME.to_owned(), embedding)].into();
        Ok(Self { whole, token: own.token, variables, losses, card })
    }
}

/// The tokens from whose vectors the word's start.
fn start(own: &TextualInversionConfig, tokenizer: &Tokenizer) -> Result<Vec<u32>, TrainError> {
    let units = tokenizer.units(&own.initial)?;
    let tokens: Vec<u32> = units.units.iter().flat_map(Unit::tokens).collect();
    if tokens.is_empty() || !units.unknown.is_empty() {
        let cause = format!("{:?} is not in the model's vocabulary", own.initial);
        return Err(TrainError::Config { field: "textual_inversion.initial", cause });
    }
    Ok((0..own.vectors).map(|index| tokens[index % tokens.len()]).collect())
}

/// # Errors
/// Where a text has no room for the whole word.
fn check_seen(own: &TextualInversionConfig, whole: &Whole, first: u32) -> Result<(), TrainError> {
    let length = whole.text.config().max_position_embeddings;
    let last = first + own.vectors as u32 - 1;
    let mut captions: Vec<&str> = [Split::Train, Split::Validation]
        .into_iter()
        .flat_map(|split| whole.dataset.samples(split))
        .map(|sample| sample.caption.as_str())
        .collect();
    captions.sort_unstable();
    captions.dedup();
    for caption in captions {
        if !whole.tokenizer.encode(caption, length)?.tokens.contains(&last) {
            let cause = "leaves the word, or a part of it, beyond the text encoder's window";
            return Err(TrainError::Config {
                field: "textual_inversion.template",
                cause: cause.into(),
            });
        }
    }
    Ok(())
}

impl Denoises for TextualInversionTask {
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
        let card = finished(&self.card, summary);
        Ok(Embedding::save(out, &self.token, &weights[NAME], &card)?)
    }

    fn sampler(&self, result: &Path) -> Result<Option<Ready>, TrainError> {
        self.whole.ready()?.word(result).map(Some)
    }
}
