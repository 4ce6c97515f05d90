//! The vocabulary, and the tokens in it that are no words.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokenizers::Tokenizer;

use super::error::SpeechError;

/// Whisper's `tokenizer.json` has 4 MB; one beyond this is something else.
const LONGEST_FILE: u64 = 64 << 20;

/// The vocabulary of a model.
pub(super) struct Vocabulary {
    tokenizer: Tokenizer,
    /// Begins every transcript.
    pub(super) start: u32,
    /// Ends every transcript.
    pub(super) end: u32,
    /// Asks for words in the language that is spoken, where the model can also translate.
    pub(super) transcribe: Option<u32>,
    /// Asks for words without times.
    pub(super) without_times: u32,
    /// Begins what was said before, where the model can be told.
    pub(super) previous: Option<u32>,
    /// Says that nobody speaks.
    pub(super) no_speech: Option<u32>,
    /// Every language that can be named, by its code.
    pub(super) languages: BTreeMap<String, u32>,
    /// Every token that is no part of a text, but for the one that ends it.
    pub(super) special: BTreeSet<u32>,
}

impl Vocabulary {
    /// Reads `tokenizer.json` at `path`; every token must be below `size`.
    pub(super) fn open(path: &Path, size: usize) -> Result<Self, SpeechError> {
        let length = std::fs::metadata(path).map_err(|cause| SpeechError::file(path, cause))?.len();
        if length > LONGEST_FILE {
            return Err(SpeechError::file(path, "is longer than a tokenizer can be"));
        }
        let tokenizer =
            Tokenizer::from_file(path).map_err(|cause| SpeechError::file(path, cause))?;
        let named = |name: &str| tokenizer.token_to_id(name);
        let required = |name: &str| {
            named(name)
                .ok_or_else(|| SpeechError::file(path, format!("the vocabulary lacks {name}")))
        };
        let all = tokenizer.get_vocab(true);
        if all.values().any(|token| *token as usize >= size) {
            return Err(SpeechError::file(path, "has more tokens than config.json's vocab_size"));
        }
        let end = required("<|endoftext|>")?;
        let inside = |name: &str| -> Option<String> {
            let inside = name.strip_prefix("<|")?.strip_suffix("|>")?;
            Some(inside.to_owned())
        };
        let mut languages = BTreeMap::new();
        let mut special = BTreeSet::new();
        for (name, token) in &all {
            let Some(inside) = inside(name) else { continue };
            // ISO 639's codes; Cantonese and Hawaiian have three letters.
            if matches!(inside.len(), 2 | 3) && inside.bytes().all(|byte| byte.is_ascii_lowercase())
            {
                languages.insert(inside, *token);
            }
            if *token != end {
                special.insert(*token);
            }
        }
        let without_times = required("<|notimestamps|>")?;
        // Times follow it to the end; older files of the vocabulary do not list them.
        special.extend(without_times + 1..size as u32);
        Ok(Self {
            start: required("<|startoftranscript|>")?,
            end,
            transcribe: named("<|transcribe|>"),
            without_times,
            previous: named("<|startofprev|>"),
            no_speech: named("<|nospeech|>").or_else(|| named("<|nocaptions|>")),
            languages,
            special,
            tokenizer,
        })
    }

    /// The tokens of words that were said before.
    pub(super) fn words(&self, text: &str) -> Result<Vec<u32>, SpeechError> {
        // A word begins with its space, and so does the first.
        let encoding = self
            .tokenizer
            .encode(format!(" {}", text.trim()), false)
            .map_err(|cause| SpeechError::file("tokenizer.json", cause))?;
        let is_word = |token: &u32| *token != self.end && !self.special.contains(token);
        Ok(encoding.get_ids().iter().copied().filter(is_word).collect())
    }

    /// The text of `tokens`.
    pub(super) fn text(&self, tokens: &[u32]) -> Result<String, SpeechError> {
        let text = self
            .tokenizer
            .decode(tokens, true)
            .map_err(|cause| SpeechError::file("tokenizer.json", cause))?;
        Ok(text.trim().to_owned())
    }
}
