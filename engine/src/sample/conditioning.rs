//! From prompts to what the denoising network is shown: chunks of the text encoder's window, each
//! encoded on its own, weighted token by token, and joined.
//!
//! A text of more tokens than the window holds is cut into chunks, as AUTOMATIC1111's web interface
//! does: where a chunk is full and one of its last [`TextOptions::comma_backtrack`] tokens is a comma,
//! what follows the comma moves to the next chunk. Every chunk has a start, an end and padding of its
//! own. Prompts that are encoded together have equally many chunks, the shorter ones empty ones at
//! their end. A prompt of one chunk without weights is what the encoder gives, bit by bit.

use candle_core::{Device, Result, Tensor};

use crate::kernel::Fault;
use crate::model::{ModelError, Tokenizer, Unit};
use crate::prompt::PromptError;
use crate::prompt::weights::{Piece, literal, parse};

/// What a weight does to its token's hidden state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Emphasis {
    /// Nothing, and brackets are characters: what diffusers' pipelines do.
    Literal,
    /// Multiplies it; the chunk is then scaled so that its mean is what it was. AUTOMATIC1111's rule.
    #[default]
    RestoredMean,
    /// Moves it away from the hidden state of an empty prompt at its place, or towards it:
    /// empty + weight × (state − empty). Compel's rule for weights above 1, here for all.
    Interpolated,
}

/// How prompts are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextOptions {
    /// What weights do.
    pub emphasis: Emphasis,
    /// Chunks of a prompt, at most; what does not fit is left out. With 1 nothing is cut into
    /// chunks and `BREAK` does nothing.
    pub most_chunks: usize,
    /// How many tokens back a comma is looked for where a chunk is full; 0 for not at all.
    pub comma_backtrack: usize,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { emphasis: Emphasis::default(), most_chunks: 16, comma_backtrack: 20 }
    }
}

impl TextOptions {
    /// As diffusers' pipelines read a prompt: no emphasis, one window, the rest left out.
    pub fn plain() -> Self {
        Self { emphasis: Emphasis::Literal, most_chunks: 1, comma_backtrack: 0 }
    }
}

/// What keeps a prompt from being encoded.
#[derive(Debug, thiserror::Error)]
pub enum ConditionError {
    /// Its emphasis cannot be read.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The tokenizer failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The encoder failed.
    #[error(transparent)]
    Tensor(#[from] Fault),
}

impl From<candle_core::Error> for ConditionError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}

/// Tokens of one window, with a weight each.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// Start, text, end and padding, as many as the window has places.
    pub tokens: Vec<u32>,
    /// A weight for each; 1 for start, end and padding.
    pub weights: Vec<f64>,
}

/// What of a prompt the model will not see, or not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextNotes {
    /// Words that are not in the tokenizer's vocabulary, as written, each once.
    pub unknown: Vec<String>,
    /// Tokens beyond the last chunk.
    pub left_out: usize,
    /// The text of these tokens, without brackets and weights.
    pub beyond: String,
}

/// A prompt in chunks.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunked {
    /// One at least.
    pub chunks: Vec<Chunk>,
    /// What was left out, and what is not known.
    pub notes: TextNotes,
}

/// Chunks in the making.
struct Cutter<'a> {
    tokenizer: &'a Tokenizer,
    window: usize,
    room: usize,
    options: &'a TextOptions,
    done: Vec<Chunk>,
    tokens: Vec<u32>,
    weights: Vec<f64>,
    last_comma: Option<usize>,
}

impl Cutter<'_> {
    /// Closes the chunk. Its first `keep` tokens stay in it, the others begin the next one.
    fn close(&mut self, keep: usize) {
        let tokens = self.tokens.split_off(keep.min(self.tokens.len()));
        let weights = self.weights.split_off(keep.min(self.weights.len()));
        let body = std::mem::replace(&mut self.tokens, tokens);
        let body_weights = std::mem::replace(&mut self.weights, weights);
        let mut all = vec![1.0; self.window];
        for (place, weight) in all.iter_mut().skip(1).zip(body_weights) {
            *place = weight;
        }
        self.done.push(Chunk { tokens: self.tokenizer.window(&body, self.window), weights: all });
        self.last_comma = None;
    }

    fn last(&self) -> bool {
        self.done.len() + 1 >= self.options.most_chunks
    }

    /// Takes a unit; false where no chunk has room for it any more.
    fn take(&mut self, unit: &Unit, weight: f64) -> bool {
        let count = unit.count as usize;
        let comma = self.tokenizer.comma_token() == Some(unit.first);
        if comma {
            self.last_comma = Some(self.tokens.len());
        } else if self.tokens.len() == self.room
            && !self.last()
            && let Some(place) = self.last_comma
            && self.room - place <= self.options.comma_backtrack
        {
            self.close(place + 1);
        }
        if self.tokens.len() + count > self.room && !self.tokens.is_empty() {
            if self.last() {
                return false;
            }
            self.close(self.tokens.len());
        }
        if count > self.room {
            return false;
        }
        self.tokens.extend(unit.tokens());
        self.weights.resize(self.tokens.len(), weight);
        true
    }
}

/// Cuts a prompt into chunks of `window` tokens.
///
/// # Errors
/// Where its emphasis cannot be read (the error's field is `text`), or the window has no room
/// between start and end.
pub fn chunks(
    tokenizer: &Tokenizer,
    prompt: &str,
    window: usize,
    options: &TextOptions,
) -> std::result::Result<Chunked, ConditionError> {
    if window < 3 {
        let cause = format!("a window of {window} tokens has no room between start and end");
        return Err(ModelError::file("tokenizer", cause).into());
    }
    let pieces = match options.emphasis {
        Emphasis::Literal => literal(prompt),
        Emphasis::RestoredMean | Emphasis::Interpolated => parse(prompt, "text")?,
    };
    let mut notes = TextNotes::default();
    let mut cutter = Cutter {
        tokenizer,
        window,
        room: window - 2,
        options,
        done: Vec::new(),
        tokens: Vec::new(),
        weights: Vec::new(),
        last_comma: None,
    };
    for piece in &pieces {
        let (text, weight) = match piece {
            Piece::Text { text, weight } => (text, *weight),
            Piece::Break => {
                if !cutter.last() {
                    cutter.close(cutter.tokens.len());
                }
                continue;
            }
        };
        let read = tokenizer.units(text)?;
        for word in read.unknown {
            if !notes.unknown.contains(&word) {
                notes.unknown.push(word);
            }
        }
        let mut beyond = None;
        for unit in &read.units {
            // What follows the first that does not fit is left out too, however short.
            if notes.left_out > 0 || !cutter.take(unit, weight) {
                notes.left_out += unit.count as usize;
                beyond.get_or_insert(unit.begin);
            }
        }
        if let Some(rest) = beyond.and_then(|begin| text.get(begin..)) {
            notes.beyond.push_str(rest);
        }
    }
    if !cutter.tokens.is_empty() || cutter.done.is_empty() {
        cutter.close(cutter.tokens.len());
    }
    Ok(Chunked { chunks: cutter.done, notes })
}

/// What a text encoder makes of tokens.
pub struct States {
    /// `[batch, tokens, width]`: the layer that the denoising network is shown.
    pub hidden: Tensor,
    /// `[batch, projection]`: the whole text in one vector, where the model uses it (SDXL).
    pub pooled: Option<Tensor>,
}

/// A text encoder with its tokenizer.
pub struct Tower<'a> {
    /// The tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Tokens that the encoder has places for.
    pub window: usize,
    /// Encodes tokens `[batch, window]`.
    pub encode: &'a dyn Fn(&Tensor) -> Result<States>,
}

/// What the denoising network is shown of prompts.
pub struct Conditioning {
    /// `[prompts, chunks × window, width]`; the widths of several encoders stand beside each other.
    pub context: Tensor,
    /// `[prompts, projection]` of the first chunk, from the last encoder that gives one.
    pub pooled: Option<Tensor>,
    /// What of each prompt is left out or not known, by the first encoder's tokenizer.
    pub notes: Vec<TextNotes>,
}

/// Encodes prompts that belong together, such as a negative and a positive one.
///
/// # Errors
/// Where there is no prompt or no encoder, a prompt's emphasis cannot be read, windows of several
/// encoders differ, or an encoder fails.
pub fn condition(
    towers: &[Tower],
    prompts: &[&str],
    options: &TextOptions,
    device: &Device,
) -> std::result::Result<Conditioning, ConditionError> {
    if prompts.is_empty() || towers.is_empty() {
        let cause = "conditioning takes a prompt and an encoder at least";
        return Err(candle_core::Error::msg(cause).into());
    }
    if towers.iter().any(|tower| tower.window != towers[0].window) {
        return Err(candle_core::Error::msg("the text encoders' windows differ").into());
    }
    let mut read: Vec<Vec<Chunked>> = Vec::with_capacity(towers.len());
    for tower in towers {
        let one = |prompt: &&str| chunks(tower.tokenizer, prompt, tower.window, options);
        read.push(prompts.iter().map(one).collect::<std::result::Result<_, _>>()?);
    }
    let most = read.iter().flatten().map(|prompt| prompt.chunks.len()).max().unwrap_or(1);
    let notes = read[0].iter().map(|prompt| prompt.notes.clone()).collect();
    let mut contexts = Vec::with_capacity(towers.len());
    let mut pooled = None;
    for (tower, prompts) in towers.iter().zip(&read) {
        let (context, of_first) = encode(tower, prompts, most, options.emphasis, device)?;
        contexts.push(context);
        pooled = of_first.or(pooled);
    }
    let context = join(contexts, 2)?;
    Ok(Conditioning { context, pooled, notes })
}

/// Joins tensors, and leaves one alone as it is.
fn join(mut parts: Vec<Tensor>, dimension: usize) -> Result<Tensor> {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => Ok(only),
        (last, _) => {
            parts.extend(last);
            Tensor::cat(&parts, dimension)
        }
    }
}

/// One encoder's context, and its pooled vectors of the first chunk.
fn encode(
    tower: &Tower,
    prompts: &[Chunked],
    most: usize,
    emphasis: Emphasis,
    device: &Device,
) -> Result<(Tensor, Option<Tensor>)> {
    let empty = Chunk {
        tokens: tower.tokenizer.window(&[], tower.window),
        weights: vec![1.0; tower.window],
    };
    let states = |tokens: Vec<u32>, count: usize| {
        (tower.encode)(&Tensor::from_vec(tokens, (count, tower.window), device)?)
    };
    let mut of_empty: Option<Tensor> = None;
    let mut parts = Vec::with_capacity(most);
    let mut pooled = None;
    for index in 0..most {
        let chunks: Vec<&Chunk> =
            prompts.iter().map(|prompt| prompt.chunks.get(index).unwrap_or(&empty)).collect();
        let tokens = chunks.iter().flat_map(|chunk| chunk.tokens.iter().copied()).collect();
        let States { mut hidden, pooled: of_chunk } = states(tokens, chunks.len())?;
        if index == 0 {
            pooled = of_chunk;
        }
        if chunks.iter().any(|chunk| weighted(chunk)) {
            if emphasis == Emphasis::Interpolated && of_empty.is_none() {
                of_empty = Some(states(empty.tokens.clone(), 1)?.hidden);
            }
            let mut rows = Vec::with_capacity(chunks.len());
            for (row, chunk) in chunks.iter().enumerate() {
                let state = hidden.narrow(0, row, 1)?;
                rows.push(if weighted(chunk) {
                    emphasised(&state, &chunk.weights, of_empty.as_ref())?
                } else {
                    state
                });
            }
            hidden = join(rows, 0)?;
        }
        parts.push(hidden);
    }
    Ok((join(parts, 1)?, pooled))
}

/// Whether a weight is another than 1.
fn weighted(chunk: &Chunk) -> bool {
    chunk.weights.iter().any(|weight| (weight - 1.0).abs() > f64::EPSILON)
}

/// `state` `[1, tokens, width]` after its weights, by interpolation where the empty prompt's is given.
fn emphasised(state: &Tensor, weights: &[f64], empty: Option<&Tensor>) -> Result<Tensor> {
    let weights = Tensor::from_slice(weights, (1, weights.len(), 1), &Device::Cpu)?
        .to_dtype(state.dtype())?
        .to_device(state.device())?;
    if let Some(empty) = empty {
        return empty + (state - empty)?.broadcast_mul(&weights)?;
    }
    let scaled = state.broadcast_mul(&weights)?;
    let factor = mean(state)? / mean(&scaled)?;
    // Where the mean has gone there is nothing to restore it from.
    if factor.is_finite() { scaled * factor } else { Ok(scaled) }
}

/// The mean, in double precision: it may be small beside the values, and is divided by.
fn mean(state: &Tensor) -> Result<f64> {
    let values = state.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
    Ok(sum / values.len() as f64)
}

#[cfg(test)]
mod tests;
