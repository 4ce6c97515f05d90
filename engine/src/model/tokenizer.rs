//! CLIP's tokenizer: byte-level pairs with an end-of-word mark, from `vocab.json` and `merges.txt`.

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

use super::error::ModelError;

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

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
}

/// CLIP's tokenizer.
pub struct Tokenizer {
    inner: Inner,
    start: u32,
    end: u32,
}

impl Tokenizer {
    fn build(model: BPE, path: &Path) -> Result<Self, ModelError> {
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
            .with_model(model)
            .with_normalizer(Some(
                Normalizers::new(vec![NFC.into(), spaces.into(), Lowercase.into()]).into(),
            ))
            .with_pre_tokenizer(Some(
                PreTokenizers::new(vec![words.into(), ByteLevel::new(false, true, false).into()])
                    .into(),
            ))
            .with_post_processor(None)
            .with_decoder(Some(DecoderWrapper::from(ByteLevel::default())))
            .build()
            .map_err(fault)?;
        inner.add_special_tokens(&[AddedToken::from(START, true), AddedToken::from(END, true)]);
        let id = |token: &str| {
            inner
                .token_to_id(token)
                .ok_or_else(|| ModelError::file(path, format!("the vocabulary lacks {token}")))
        };
        let (start, end) = (id(START)?, id(END)?);
        Ok(Self { inner, start, end })
    }

    /// Reads `vocab.json` and `merges.txt` of `folder`.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let (vocabulary, merges) = (folder.join("vocab.json"), folder.join("merges.txt"));
        for path in [&vocabulary, &merges] {
            if !path.is_file() {
                return Err(ModelError::file(path, "is missing"));
            }
        }
        let model = BPE::from_file(&vocabulary.to_string_lossy(), &merges.to_string_lossy())
            .unk_token(END.into())
            .continuing_subword_prefix(String::new())
            .end_of_word_suffix("</w>".into())
            .build()
            .map_err(|cause| ModelError::file(&vocabulary, cause))?;
        Self::build(model, folder)
    }

    /// Learns a vocabulary of at most `size` entries from `texts`.
    pub fn train(texts: &[String], size: usize) -> Result<Self, ModelError> {
        let here = Path::new("tokenizer");
        let fault = |cause: tokenizers::Error| ModelError::file(here, cause);
        let special = || vec![AddedToken::from(START, true), AddedToken::from(END, true)];
        // An untrained model needs the special words before `build` looks for them.
        let seed = [(START.to_owned(), 0), (END.to_owned(), 1)];
        let model = BPE::builder().vocab_and_merges(seed, Vec::new()).build().map_err(fault)?;
        let mut tokenizer = Self::build(model, here)?;
        // Every byte stands alone and at a word's end, as in CLIP's own vocabulary; in one order, or
        // the same texts would give other numbers in every process.
        let mut bytes: Vec<char> = ByteLevel::alphabet().into_iter().collect();
        bytes.sort_unstable();
        let ends = bytes.iter().map(|byte| AddedToken::from(format!("{byte}</w>"), false));
        let mut trainer = BpeTrainer::builder()
            .vocab_size(size)
            .min_frequency(2)
            .show_progress(false)
            .initial_alphabet(bytes.iter().copied().collect())
            .special_tokens(special().into_iter().chain(ends).collect())
            .end_of_word_suffix("</w>".into())
            .build();
        tokenizer.inner.train(&mut trainer, texts.iter().map(String::as_str)).map_err(fault)?;
        let folder = tempfile::tempdir().map_err(|cause| ModelError::file(here, cause))?;
        tokenizer.save(folder.path(), 0)?;
        Self::open(folder.path())
    }

    /// Writes the files that transformers' `CLIPTokenizer` reads.
    pub fn save(&self, folder: &Path, length: usize) -> Result<(), ModelError> {
        let fault = |cause: &dyn std::fmt::Display| ModelError::file(folder, cause);
        std::fs::create_dir_all(folder).map_err(|cause| fault(&cause))?;
        self.inner.get_model().save(folder, None).map_err(|cause| fault(&cause))?;
        let config = serde_json::json!({
            "tokenizer_class": "CLIPTokenizer",
            "bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END,
            "model_max_length": length, "do_lower_case": true, "add_prefix_space": false,
        });
        let special = serde_json::json!({
            "bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END,
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

    /// The token that ends and pads a text.
    pub fn end_token(&self) -> u32 {
        self.end
    }

    /// `text` as exactly `length` tokens.
    ///
    /// # Errors
    /// Where the tokenizer's expressions fail on the text.
    pub fn encode(&self, text: &str, length: usize) -> Result<Encoded, ModelError> {
        let encoding =
            self.inner.encode(text, false).map_err(|cause| ModelError::file("tokenizer", cause))?;
        let room = length.saturating_sub(2);
        let ids = encoding.get_ids();
        let mut tokens = Vec::with_capacity(length);
        tokens.push(self.start);
        tokens.extend(ids.iter().take(room));
        tokens.resize(length, self.end);
        Ok(Encoded { tokens, left_out: ids.len().saturating_sub(room) })
    }
}
