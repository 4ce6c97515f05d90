//! From logits to tokens, by the rules that Whisper was published with (Radford et al., arXiv
//! 2212.04356, section 4.5): the likeliest token each time, and warmer draws where that gave
//! something that repeats itself or that the model itself doubts.

use std::collections::BTreeSet;
use std::io::Write;

use candle_core::Tensor;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::error::SpeechError;
use super::network::{DecoderState, TextDecoder};
use super::tokens::Vocabulary;
use crate::device::CancelToken;

/// A text that zlib makes smaller than this share repeats itself.
const MOST_COMPRESSION: f64 = 2.4;
/// The mean logarithm of a token's probability under which the model doubts its text.
const LEAST_LOG_PROBABILITY: f64 = -1.0;
/// The probability over which a doubted text was no speech.
const NO_SPEECH: f64 = 0.6;

/// What a window of sound became.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decoded {
    pub(super) tokens: Vec<u32>,
    pub(super) text: String,
    pub(super) temperature: f64,
    pub(super) average_log_probability: f64,
    pub(super) compression_ratio: f64,
    pub(super) no_speech_probability: f64,
}

impl Decoded {
    /// Whether a warmer attempt may do better.
    fn is_doubtful(&self) -> bool {
        self.compression_ratio > MOST_COMPRESSION
            || self.average_log_probability < LEAST_LOG_PROBABILITY
    }

    /// Whether nobody spoke.
    pub(super) fn is_silence(&self) -> bool {
        self.no_speech_probability > NO_SPEECH
            && self.average_log_probability < LEAST_LOG_PROBABILITY
    }
}

/// The rules for one model.
pub(super) struct Rules {
    /// Never said: what is no text, and what the model's authors list.
    pub(super) never: BTreeSet<u32>,
    /// Not said first.
    pub(super) never_first: BTreeSet<u32>,
    /// Tokens of a window, at most.
    pub(super) most: usize,
}

/// What stands before the first word of a window.
pub(super) struct Beginning<'a> {
    /// What was said before, with the token that begins it; empty where nothing was.
    pub(super) before: &'a [u32],
    /// From the vocabulary's start on.
    pub(super) prompt: &'a [u32],
    /// What was heard, and no token yet.
    pub(super) state: &'a DecoderState,
}

/// Decodes one window.
pub(super) fn decode(
    decoder: &TextDecoder,
    vocabulary: &Vocabulary,
    rules: &Rules,
    Beginning { before, prompt, state }: &Beginning,
    temperatures: &[f64],
    cancel: &CancelToken,
) -> Result<Decoded, SpeechError> {
    let mut state = (*state).clone();
    if !before.is_empty() {
        decoder.advance(before, &mut state)?;
    }
    let logits = decoder.forward(prompt, &mut state)?;
    let no_speech_probability = match vocabulary.no_speech {
        Some(token) => probability(&row(&logits, 0)?, token),
        None => 0.0,
    };
    let first = row(&logits, prompt.len() - 1)?;
    let mut last = None;
    for (attempt, temperature) in temperatures.iter().enumerate() {
        let seed = attempt as u64;
        let mut state = state.clone();
        let (tokens, average_log_probability) = one(
            decoder,
            vocabulary.end,
            rules,
            first.clone(),
            &mut state,
            (*temperature, seed),
            cancel,
        )?;
        let text = vocabulary.text(&tokens)?;
        let decoded = Decoded {
            compression_ratio: compression_ratio(&text),
            tokens,
            text,
            temperature: *temperature,
            average_log_probability,
            no_speech_probability,
        };
        if !decoded.is_doubtful() || decoded.is_silence() {
            return Ok(decoded);
        }
        last = Some(decoded);
    }
    last.ok_or_else(|| SpeechError::audio("no temperature was given"))
}

/// One attempt: its tokens, and the mean logarithm of their probability, the end's included.
fn one(
    decoder: &TextDecoder,
    end: u32,
    rules: &Rules,
    mut logits: Vec<f32>,
    state: &mut DecoderState,
    (temperature, seed): (f64, u64),
    cancel: &CancelToken,
) -> Result<(Vec<u32>, f64), SpeechError> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut tokens = Vec::new();
    let mut sum = 0.0;
    while tokens.len() < rules.most {
        if cancel.is_cancelled() {
            return Err(SpeechError::Cancelled);
        }
        let forbidden = rules.never.iter();
        for token in forbidden.chain(rules.never_first.iter().filter(|_| tokens.is_empty())) {
            if let Some(value) = logits.get_mut(*token as usize) {
                *value = f32::NEG_INFINITY;
            }
        }
        let token = if temperature == 0.0 {
            likeliest(&logits)
        } else {
            draw(&logits, temperature, random.random())
        };
        sum += probability(&logits, token).ln();
        if token == end {
            break;
        }
        tokens.push(token);
        if tokens.len() < rules.most {
            logits = row(&decoder.forward(&[token], state)?, 0)?;
        }
    }
    let average = sum / (tokens.len() + 1) as f64;
    Ok((tokens, average))
}

/// The language of `heard`, among those of the vocabulary, and how sure the model is.
pub(super) fn language<'v>(
    decoder: &TextDecoder,
    vocabulary: &'v Vocabulary,
    state: &DecoderState,
) -> Result<Option<&'v str>, SpeechError> {
    let logits = row(&decoder.forward(&[vocabulary.start], &mut state.clone())?, 0)?;
    let of = |token: u32| logits.get(token as usize).copied().unwrap_or(f32::NEG_INFINITY);
    Ok(vocabulary
        .languages
        .iter()
        .max_by(|a, b| of(*a.1).total_cmp(&of(*b.1)))
        .map(|(code, _)| code.as_str()))
}

fn row(logits: &Tensor, index: usize) -> Result<Vec<f32>, SpeechError> {
    let row: Vec<f32> = logits.get(index)?.to_vec1()?;
    if row.iter().any(|value| value.is_nan()) {
        return Err(SpeechError::file("model.safetensors", "holds weights that are not numbers"));
    }
    Ok(row)
}

/// The first of the largest.
fn likeliest(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (index, value) in logits.iter().enumerate() {
        if *value > logits[best] {
            best = index;
        }
    }
    best as u32
}

/// The softmax at `token`.
fn probability(logits: &[f32], token: u32) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|value| f64::from(value - largest).exp()).sum();
    let own = logits.get(token as usize).copied().unwrap_or(f32::NEG_INFINITY);
    f64::from(own - largest).exp() / sum
}

/// A draw from the softmax at `temperature`, where `uniform` in [0, 1) says which.
fn draw(logits: &[f32], temperature: f64, uniform: f64) -> u32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |value: f32| (f64::from(value - largest) / temperature).exp();
    let mut left = uniform * logits.iter().map(|value| weight(*value)).sum::<f64>();
    for (index, value) in logits.iter().enumerate() {
        left -= weight(*value);
        if left < 0.0 {
            return index as u32;
        }
    }
    likeliest(logits)
}

/// How many times smaller zlib makes the text.
fn compression_ratio(text: &str) -> f64 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail; a text that cannot be measured counts as one that does not repeat.
    let compressed = encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish())
        .map_or(0, |bytes| bytes.len());
    if compressed == 0 { 1.0 } else { text.len() as f64 / compressed as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_softmax_and_its_temperature() {
        let logits = [0.0f32, 2f32.ln(), f32::NEG_INFINITY];
        assert!((probability(&logits, 1) - 2.0 / 3.0).abs() < 1e-6);
        for (uniform, token) in [(0.0, 0), (0.33, 0), (0.34, 1), (0.999, 1)] {
            assert_eq!(draw(&logits, 1.0, uniform), token);
        }
        // At half the temperature the odds are squared: 1 to 4.
        assert_eq!((draw(&logits, 0.5, 0.19), draw(&logits, 0.5, 0.21)), (0, 1));
        assert_eq!(likeliest(&logits), 1);
    }

    #[test]
    fn what_repeats_itself_is_doubtful() {
        assert!(compression_ratio(&"the lung the lung ".repeat(20)) > MOST_COMPRESSION);
        let said = "chest radiograph of a child with bacterial pneumonia, frontal view";
        assert!(compression_ratio(said) < MOST_COMPRESSION);
        assert!((compression_ratio("") - 0.0).abs() < 1e-9);
    }
}
