//! CLIP's tokenizer: byte-level pairs with an end-of-word mark, from `vocab.json` and `merges.txt` or
//! from `tokenizer.json`, with the words that are added to its vocabulary.

mod files;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    AddedToken, Model, PostProcessorWrapper, SplitDelimiterBehavior, TokenizerBuilder,
    TokenizerImpl,
};
use tokenizers::{DecoderWrapper, NormalizerWrapper, PreTokenizerWrapper};

use self::files::{Files, Special};
use super::error::ModelError;

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
/// Marks a token at a word's end.
const SUFFIX: &str = "</w>";
/// Vectors of one added word, at most: it must fit between start and end of CLIP's window.
const MOST_VECTORS: usize = 75;
/// Words that are added at run time, at most.
const MOST_WORDS: usize = 1_000;
/// Characters of an added word.
const LONGEST_WORD: usize = 100;
const WORDS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

type Inner = TokenizerImpl<
    BPE,
    NormalizerWrapper,
    PreTokenizerWrapper,
    PostProcessorWrapper,
    DecoderWrapper,
>;

/// A text as the text encoder takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Start, text, end, then padding: exactly as many as the encoder has positions.
    pub tokens: Vec<u32>,
    /// Tokens of the text that did not fit.
    pub left_out: usize,
    /// The text of these tokens; empty where all fit.
    pub beyond: String,
    /// Words that are not in the vocabulary, as they were written, each once.
    pub unknown: Vec<String>,
}

/// A token of a text, or all tokens of an added word, which belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// The first token.
    pub first: u32,
    /// How many follow each other from it: 1, or the vectors of an added word.
    pub count: u32,
    /// Where it begins in the text, in bytes.
    pub begin: usize,
}

impl Unit {
    /// Its tokens.
    pub fn tokens(&self) -> std::ops::Range<u32> {
        self.first..self.first.saturating_add(self.count)
    }
}

/// A text's tokens, without start, end and padding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Units {
    /// The tokens, in the order of the text.
    pub units: Vec<Unit>,
    /// Words that are not in the vocabulary, as they were written, each once.
    pub unknown: Vec<String>,
}

/// CLIP's tokenizer.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Inner,
    start: u32,
    end: u32,
    unknown: u32,
    padding: u32,
    /// How many tokens an added word has, by its first.
    vectors: HashMap<u32, u32>,
    added: HashSet<u32>,
}

impl Tokenizer {
    fn build(files: Files, path: &Path) -> Result<Self, ModelError> {
        let fault = |cause: tokenizers::Error| ModelError::file(path, cause);
        let spaces = Replace::new(
            tokenizers::normalizers::replace::ReplacePattern::Regex(r"\s+".into()),
            " ",
        )
        .map_err(fault)?;
        let words =
            Split::new(SplitPattern::Regex(WORDS.into()), SplitDelimiterBehavior::Removed, true)
                .map_err(fault)?;
        let mut inner: Inner = TokenizerBuilder::new()
            .with_model(files.model)
            .with_normalizer(Some(
                Normalizers::new(vec![NFC.into(), spaces.into(), Lowercase.into()]).into(),
            ))
            .with_pre_tokenizer(Some(
                PreTokenizers::new(vec![words.into(), ByteLevel::new(false, true, true).into()])
                    .into(),
            ))
            .with_post_processor(None)
            .with_decoder(Some(DecoderWrapper::from(ByteLevel::default())))
            .build()
            .map_err(fault)?;
        // As transformers does: the added tokens by their numbers, then those with a role.
        let Special { start, end, unknown, padding } = files.special;
        let tokens: Vec<AddedToken> = files.added.values().cloned().collect();
        inner.add_tokens(&tokens);
        for (number, token) in &files.added {
            if inner.token_to_id(&token.content) != Some(*number) {
                let cause =
                    format!("the number of added token {number} does not follow the vocabulary");
                return Err(ModelError::file(path, cause));
            }
        }
        let listed =
            |role: &AddedToken| files.added.values().any(|token| token.content == role.content);
        let mut roles: Vec<AddedToken> = Vec::new();
        for role in [&start, &end, &unknown, &padding] {
            if inner.token_to_id(&role.content).is_none() {
                let cause = format!("the vocabulary lacks {}", role.content);
                return Err(ModelError::file(path, cause));
            }
            if !listed(role) && !roles.iter().any(|other| other.content == role.content) {
                roles.push(role.clone());
            }
        }
        inner.add_special_tokens(&roles);
        let id = |token: &AddedToken| {
            inner.token_to_id(&token.content).ok_or_else(|| {
                ModelError::file(path, format!("the vocabulary lacks {}", token.content))
            })
        };
        let (start, end) = (id(&start)?, id(&end)?);
        let (unknown, padding) = (id(&unknown)?, id(&padding)?);
        let added = inner.get_added_tokens_decoder().keys().copied().collect();
        Ok(Self { inner, start, end, unknown, padding, vectors: HashMap::new(), added })
    }

    /// Reads `vocab.json` and `merges.txt` of `folder`, or its `tokenizer.json` where these are
    /// missing (transformers writes it alone since version 5), and, where they are there,
    /// `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`. Padding is the
    /// `pad_token` that these name, and the end without one.
    ///
    /// # Errors
    /// Where a file is missing, larger than 64 MiB or damaged; where a token with a role is not in
    /// the vocabulary, or an added one has a number that does not follow it.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        Self::build(Files::read(folder)?, folder)
    }

    /// Whether there is a vocabulary in `folder`, sound or not.
    pub(super) fn lies_in(folder: &Path) -> bool {
        Files::are_in(folder)
    }

    /// The same tokenizer with words of its own, each of so many vectors: textual inversion (Gal et
    /// al., arXiv 2208.01618). A word gets the next free tokens, one after the other, in the order
    /// given; it is found in a text before anything else is, whatever its case. As in diffusers, its
    /// further tokens also have words, `word_1`, `word_2` …
    ///
    /// # Errors
    /// By its place in the list: a word that is empty, has more than 100 characters, a space or a
    /// control character, or is in the vocabulary; vectors not between 1 and 75; more than 1,000 words.
    pub fn with_added(&self, words: &[(String, usize)]) -> Result<Self, ModelError> {
        if words.len() > MOST_WORDS {
            return Err(ModelError::file(
                "tokenizer",
                format!("more than {MOST_WORDS} added words"),
            ));
        }
        let mut with = self.clone();
        for (index, (word, vectors)) in words.iter().enumerate() {
            let fault = |cause: &str| {
                Err(ModelError::file("tokenizer", format!("added word {}: {cause}", index + 1)))
            };
            if word.is_empty()
                || word.chars().nth(LONGEST_WORD).is_some()
                || word.chars().any(|c| c.is_whitespace() || c.is_control())
            {
                return fault("must have 1 to 100 characters and no space");
            }
            if !(1..=MOST_VECTORS).contains(vectors) {
                return fault("must have 1 to 75 vectors");
            }
            let names: Vec<String> = (0..*vectors)
                .map(|at| if at == 0 { word.clone() } else { format!("{word}_{at}") })
                .collect();
            // Matched in lower case, two that differ in case are one.
            let taken = with.inner.get_added_tokens_decoder();
            let same = |name: &String| {
                taken.values().any(|token| token.content.to_lowercase() == name.to_lowercase())
            };
            if names.iter().any(|name| with.inner.token_to_id(name).is_some() || same(name)) {
                return fault("is in the vocabulary already");
            }
            let tokens: Vec<AddedToken> =
                names.iter().map(|name| AddedToken::from(name.as_str(), false)).collect();
            with.inner.add_tokens(&tokens);
            let ids: Option<Vec<u32>> =
                names.iter().map(|name| with.inner.token_to_id(name)).collect();
            let Some((first, ids)) = ids.as_ref().and_then(|ids| Some((*ids.first()?, ids))) else {
                return fault("found no free tokens");
            };
            if ids.iter().zip(first..).any(|(id, expected)| *id != expected) {
                return fault("found no free tokens");
            }
            with.vectors.insert(first, *vectors as u32);
            with.added.extend(ids);
        }
        Ok(with)
    }

    /// Learns a vocabulary of at most `size` entries from `texts`.
    pub fn train(texts: &[String], size: usize) -> Result<Self, ModelError> {
        let here = Path::new("tokenizer");
        let fault = |cause: tokenizers::Error| ModelError::file(here, cause);
        let special = || vec![AddedToken::from(START, true), AddedToken::from(END, true)];
        // An untrained model needs the special words before `build` looks for them.
        let seed = [(START.to_owned(), 0), (END.to_owned(), 1)];
        let model = BPE::builder().vocab_and_merges(seed, Vec::new()).build().map_err(fault)?;
        let special_tokens = Special::default();
        let files =
            Files { model, added: std::collections::BTreeMap::new(), special: special_tokens };
        let mut tokenizer = Self::build(files, here)?;
        // Every byte stands alone and at a word's end, as in CLIP's own vocabulary; in one order, or
        // the same texts would give other numbers in every process.
        let mut bytes: Vec<char> = ByteLevel::alphabet().into_iter().collect();
        bytes.sort_unstable();
        let ends = bytes.iter().map(|byte| AddedToken::from(format!("{byte}{SUFFIX}"), false));
        let mut trainer = BpeTrainer::builder()
            .vocab_size(size)
            .min_frequency(2)
            .show_progress(false)
            .initial_alphabet(bytes.iter().copied().collect())
            .special_tokens(special().into_iter().chain(ends).collect())
            .end_of_word_suffix(SUFFIX.into())
            .build();
        tokenizer.inner.train(&mut trainer, texts.iter().map(String::as_str)).map_err(fault)?;
        let folder = tempfile::tempdir().map_err(|cause| ModelError::file(here, cause))?;
        tokenizer.save(folder.path(), 0)?;
        Self::open(folder.path())
    }

    /// Writes the files that transformers' `CLIPTokenizer` reads, without the words added to the
    /// vocabulary: these belong to their embeddings.
    pub fn save(&self, folder: &Path, length: usize) -> Result<(), ModelError> {
        let fault = |cause: &dyn std::fmt::Display| ModelError::file(folder, cause);
        std::fs::create_dir_all(folder).map_err(|cause| fault(&cause))?;
        self.inner.get_model().save(folder, None).map_err(|cause| fault(&cause))?;
        let word = |id| self.inner.id_to_token(id).unwrap_or_else(|| END.to_owned());
        let (start, end) = (word(self.start), word(self.end));
        let (unknown, padding) = (word(self.unknown), word(self.padding));
        let config = serde_json::json!({
            "tokenizer_class": "CLIPTokenizer",
            "bos_token": start, "eos_token": end, "unk_token": unknown, "pad_token": padding,
            "model_max_length": length, "do_lower_case": true, "add_prefix_space": false,
        });
        let special = serde_json::json!({
            "bos_token": start, "eos_token": end, "unk_token": unknown, "pad_token": padding,
        });
        for (name, value) in
            [("tokenizer_config.json", config), ("special_tokens_map.json", special)]
        {
            let text = format!("{value:#}\n");
            crate::files::replace(&folder.join(name), text.as_bytes())
                .map_err(|cause| fault(&cause))?;
        }
        Ok(())
    }

    /// Entries of the vocabulary.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The largest number that a token has: below the text encoder's `vocab_size`, or it has no
    /// embedding.
    pub fn largest_token(&self) -> u32 {
        self.inner.get_vocab(true).into_values().max().unwrap_or(self.end)
    }

    /// The first token of the words of [`Self::with_added`], where there are any.
    pub fn first_added(&self) -> Option<u32> {
        self.vectors.keys().min().copied()
    }

    /// The token that begins a text.
    pub fn start_token(&self) -> u32 {
        self.start
    }

    /// The token that ends a text.
    pub fn end_token(&self) -> u32 {
        self.end
    }

    /// The token that fills up the window behind the end.
    pub fn padding_token(&self) -> u32 {
        self.padding
    }

    /// The token of a comma that stands for itself.
    pub fn comma_token(&self) -> Option<u32> {
        self.inner.token_to_id(",</w>")
    }

    /// The tokens of `text`, as many as there are.
    ///
    /// # Errors
    /// Where the tokenizer's expressions fail on the text.
    pub fn units(&self, text: &str) -> Result<Units, ModelError> {
        let encoding =
            self.inner.encode(text, false).map_err(|cause| ModelError::file("tokenizer", cause))?;
        let unknown = words::unknown(text, &encoding, self.unknown, &|id| self.added.contains(&id));
        let places = encoding.get_ids().iter().zip(encoding.get_offsets());
        let units = places
            .map(|(id, (begin, _))| Unit {
                first: *id,
                count: self.vectors.get(id).copied().unwrap_or(1),
                begin: *begin,
            })
            .collect();
        Ok(Units { units, unknown })
    }

    /// `body` between start and end, filled up with padding to `length` tokens; what does not fit is
    /// cut off.
    pub fn window(&self, body: &[u32], length: usize) -> Vec<u32> {
        let mut tokens = Vec::with_capacity(length);
        tokens.push(self.start);
        tokens.extend(body.iter().take(length.saturating_sub(2)));
        tokens.push(self.end);
        tokens.resize(length, self.padding);
        tokens
    }

    /// `text` as exactly `length` tokens; what does not fit is left out, and said.
    ///
    /// # Errors
    /// Where the tokenizer's expressions fail on the text.
    pub fn encode(&self, text: &str, length: usize) -> Result<Encoded, ModelError> {
        let Units { units, unknown } = self.units(text)?;
        let room = length.saturating_sub(2);
        let (mut body, mut beyond, mut left_out) = (Vec::with_capacity(room), None, 0);
        for unit in &units {
            for token in unit.tokens() {
                if body.len() < room {
                    body.push(token);
                } else {
                    left_out += 1;
                    beyond.get_or_insert(unit.begin);
                }
            }
        }
        let beyond = beyond.and_then(|begin| text.get(begin..)).unwrap_or_default().to_owned();
        Ok(Encoded { tokens: self.window(&body, length), left_out, beyond, unknown })
    }
}
