//! What the network is told in words: prompts through a model's text encoders.

use candle_core::{Device, Result, Tensor};

use super::conditioning::{
    ConditionError, Emphasis, States, TextNotes, TextOptions, Tower, chunks, condition,
};
use super::error::SampleError;
use super::request::Request;
use crate::adapter::{AdapterError, Component, Embedding};
use crate::model::{Bundle, ModelError, Part, TextEncoder, Tokenizer};
use crate::nn::Weights;
use crate::prompt::weights;

/// A text encoder with its tokenizer.
pub(super) struct Words {
    pub(super) encoder: TextEncoder,
    pub(super) tokenizer: Tokenizer,
    /// The tokenizer with the words that were learned beside its vocabulary, where there are any.
    learned: Option<Tokenizer>,
    pub(super) weights: Weights,
}

impl Words {
    fn load(bundle: &Bundle, part: Part, device: &Device) -> std::result::Result<Self, ModelError> {
        let (encoder, weights) = bundle.text_encoder(part, false, device)?;
        Ok(Self { encoder, tokenizer: bundle.tokenizer(part)?, learned: None, weights })
    }

    fn window(&self) -> usize {
        self.encoder.config().max_position_embeddings
    }

    fn tower<'a>(&'a self, encode: &'a dyn Fn(&Tensor) -> Result<States>) -> Tower<'a> {
        let tokenizer = self.learned.as_ref().unwrap_or(&self.tokenizer);
        Tower { tokenizer, window: self.window(), encode }
    }

    fn learn(&mut self, learned: Option<(Tokenizer, Tensor)>) -> Result<()> {
        let first = learned.as_ref().and_then(|(tokenizer, _)| tokenizer.first_added());
        let (tokenizer, rows) = learned.unzip();
        self.encoder.learn(first.unwrap_or_default(), rows)?;
        self.learned = tokenizer;
        Ok(())
    }
}

/// The text encoders of a model.
pub(super) struct Texts {
    pub(super) first: Words,
    /// The second encoder of Stable Diffusion XL.
    pub(super) second: Option<Words>,
    zeros_for_no_words: bool,
}

/// What the network is told in words: of one sample, or of two, the negative first.
pub(super) struct Said {
    /// `[1 or 2, tokens, width]`
    pub(super) context: Tensor,
    /// The pooled text `[1 or 2, width]`, for Stable Diffusion XL.
    pub(super) pooled: Option<Tensor>,
}

impl Texts {
    /// Embeds an empty negative prompt from now on, whatever the bundle says; false where it does already.
    pub(super) fn embed_no_words(&mut self) -> bool {
        self.second.is_some() && std::mem::take(&mut self.zeros_for_no_words)
    }

    pub(super) fn load(bundle: &Bundle, device: &Device) -> std::result::Result<Self, ModelError> {
        let second = bundle
            .has(Part::TextEncoder2)
            .then(|| Words::load(bundle, Part::TextEncoder2, device))
            .transpose()?;
        Ok(Self {
            first: Words::load(bundle, Part::TextEncoder, device)?,
            second,
            zeros_for_no_words: bundle.zeros_for_no_words()?,
        })
    }

    /// Each encoder, with the name of its part.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&'static str, &Words)> {
        std::iter::once(("text_encoder", &self.first))
            .chain(self.second.as_ref().map(|words| ("text_encoder_2", words)))
    }

    /// Gives the encoders the words of `embeddings`, in place of those learned before.
    pub(super) fn learn(
        &mut self,
        embeddings: &[&Embedding],
    ) -> std::result::Result<(), AdapterError> {
        let one = learned(&self.first, Component::TextEncoder, embeddings)?;
        let two = match &self.second {
            Some(words) => learned(words, Component::TextEncoder2, embeddings)?,
            None => None,
        };
        let unheard = |one: &&&Embedding| one.speaks_to(Component::TextEncoder2);
        if self.second.is_none()
            && let Some(embedding) = embeddings.iter().find(unheard)
        {
            let cause = "has vectors for a second text encoder, and the model has none";
            return Err(refused(embedding, cause));
        }
        self.first.learn(one)?;
        if let Some(words) = &mut self.second {
            words.learn(two)?;
        }
        Ok(())
    }

    /// What `request` says, and what it leads away from where `twice`.
    pub(super) fn said(
        &self,
        request: &Request,
        twice: bool,
        device: &Device,
    ) -> std::result::Result<Said, SampleError> {
        let mut texts = vec![request.prompt.as_str()];
        if twice {
            texts.insert(0, &request.negative);
        }
        let skip = request.options.clip_skip;
        for (_, words) in self.parts() {
            let layers = words.encoder.config().num_hidden_layers;
            if skip >= layers {
                let cause = format!("must leave a layer: the text encoder has {layers}");
                return Err(SampleError::invalid("clip_skip", cause));
            }
        }
        let Some(second) = &self.second else {
            let encode = |tokens: &Tensor| {
                let hidden = self.first.encoder.forward(tokens)?;
                let earlier = || Ok(self.first.encoder.earlier(tokens, skip)?.0);
                Ok(States { hidden: last_of(hidden, skip, earlier)?, pooled: None })
            };
            let said = condition(&[self.first.tower(&encode)], &texts, &request.text, device)?;
            return Ok(Said { context: said.context, pooled: None });
        };
        // Stable Diffusion XL attends to what both encoders say before their last layers.
        let first = |tokens: &Tensor| {
            let hidden = self.first.encoder.encode(tokens)?.penultimate;
            let earlier = || Ok(self.first.encoder.earlier(tokens, skip)?.1);
            Ok(States { hidden: last_of(hidden, skip, earlier)?, pooled: None })
        };
        let last = |tokens: &Tensor| {
            let output = second.encoder.encode(tokens)?;
            let earlier = || Ok(second.encoder.earlier(tokens, skip)?.1);
            let hidden = last_of(output.penultimate, skip, earlier)?;
            Ok(States { hidden, pooled: Some(output.pooled) })
        };
        let towers = [self.first.tower(&first), second.tower(&last)];
        let said = condition(&towers, &texts, &request.text, device)?;
        let (mut context, mut pooled) = (said.context, said.pooled);
        if twice && request.negative.is_empty() && self.zeros_for_no_words {
            // XL was taught that no words are zeros, not the embedding of an empty text.
            let keep = Tensor::new(&[0f32, 1.0], device)?.to_dtype(context.dtype())?;
            context = context.broadcast_mul(&keep.reshape((2, 1, 1))?)?;
            pooled = match pooled {
                Some(pooled) => Some(pooled.broadcast_mul(&keep.reshape((2, 1))?)?),
                None => None,
            };
        }
        Ok(Said { context, pooled })
    }

    /// Reads prompts as these encoders do, without them.
    pub(super) fn reader(&self) -> TextReader {
        TextReader {
            tokenizer: self.first.tokenizer.clone(),
            window: self.first.window(),
            options: TextOptions::default(),
        }
    }
}

/// `hidden` `[1 or 2, tokens, width]`, of which the last is `earlier`'s where layers are skipped: the prompt
/// stands last, and diffusers skips none for what is led away from.
fn last_of(
    hidden: Tensor,
    skip: usize,
    earlier: impl FnOnce() -> Result<Tensor>,
) -> Result<Tensor> {
    let last = hidden.dim(0)? - 1;
    match (skip, last) {
        (0, _) => Ok(hidden),
        (_, 0) => earlier(),
        _ => Tensor::cat(&[hidden.narrow(0, 0, last)?, earlier()?.narrow(0, last, 1)?], 0),
    }
}

fn refused(embedding: &Embedding, cause: &str) -> AdapterError {
    AdapterError::Config { field: "embeddings", cause: format!("{:?} {cause}", embedding.token()) }
}

/// The tokenizer of `words` with the words of `embeddings`, and their vectors `[tokens, width]`; none
/// where there are none.
fn learned(
    words: &Words,
    component: Component,
    embeddings: &[&Embedding],
) -> std::result::Result<Option<(Tokenizer, Tensor)>, AdapterError> {
    if embeddings.is_empty() {
        return Ok(None);
    }
    let rows = Embedding::rows(embeddings, component, &words.encoder)?;
    let tokenizer = with(&words.tokenizer, words.window(), embeddings)?;
    Ok(Some((tokenizer, rows.to_device(words.encoder.device())?)))
}

/// `tokenizer` with the words of `embeddings`.
fn with(
    tokenizer: &Tokenizer,
    window: usize,
    embeddings: &[&Embedding],
) -> std::result::Result<Tokenizer, AdapterError> {
    let room = window.saturating_sub(2);
    let mut with = tokenizer.clone();
    for embedding in embeddings {
        if embedding.vectors() > room {
            let cause = format!(
                "stands for {} tokens, and a text has room for {room}",
                embedding.vectors()
            );
            return Err(refused(embedding, &cause));
        }
        let word = (embedding.token().to_owned(), embedding.vectors());
        with = with.with_added(&[word]).map_err(|_| {
            let cause = "must be a word of 100 characters at most that the model's vocabulary and \
                         other embeddings have not: give it another name";
            refused(embedding, cause)
        })?;
    }
    Ok(with)
}

/// Reads prompts as a pipeline does.
#[derive(Clone)]
pub struct TextReader {
    tokenizer: Tokenizer,
    window: usize,
    options: TextOptions,
}

impl TextReader {
    /// The same reader, who knows the words of `embeddings` as well.
    ///
    /// # Errors
    /// Where a word cannot be added.
    pub fn with(&self, embeddings: &[&Embedding]) -> std::result::Result<Self, AdapterError> {
        Ok(Self { tokenizer: with(&self.tokenizer, self.window, embeddings)?, ..self.clone() })
    }

    /// What of `text` the model will not see, or not know.
    ///
    /// # Errors
    /// Where its emphasis cannot be read.
    pub fn notes(&self, text: &str) -> std::result::Result<TextNotes, ConditionError> {
        Ok(chunks(&self.tokenizer, text, self.window, &self.options)?.notes)
    }

    /// Brackets of `text` that look like emphasis and are read as plain text, each in a sentence.
    pub fn plain_brackets(&self, text: &str) -> Vec<String> {
        match self.options.emphasis {
            Emphasis::Literal => Vec::new(),
            Emphasis::RestoredMean | Emphasis::Interpolated => weights::plain_brackets(text),
        }
    }
}

impl std::fmt::Debug for TextReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.debug_struct("TextReader").field("window", &self.window).finish_non_exhaustive()
    }
}
