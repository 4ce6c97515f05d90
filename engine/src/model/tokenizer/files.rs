//! The files of a tokenizer's folder, as versions 4 and 5 of transformers write them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, Merges, Vocab};

use super::super::disk::read_json;
use super::super::error::ModelError;
use super::{END, START, SUFFIX};

/// Bytes of the largest file that is read; CLIP's `tokenizer.json` has 3 million.
const LARGEST: u64 = 64 << 20;
/// Words that a folder may add to its vocabulary.
const MOST_ADDED: usize = 100_000;

/// What a folder says.
pub(super) struct Files {
    pub(super) model: BPE,
    /// Added tokens by their number, in the order in which they are added.
    pub(super) added: BTreeMap<u32, AddedToken>,
    pub(super) special: Special,
}

/// The tokens with a role.
pub(super) struct Special {
    pub(super) start: AddedToken,
    pub(super) end: AddedToken,
    pub(super) unknown: AddedToken,
    pub(super) padding: AddedToken,
}

impl Default for Special {
    fn default() -> Self {
        let end = || AddedToken::from(END, true);
        Self { start: AddedToken::from(START, true), end: end(), unknown: end(), padding: end() }
    }
}

/// A token by its word alone, or with how it is matched.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Word(String),
    Token(Token),
}

#[expect(clippy::struct_excessive_bools, reason = "the switches of the file")]
#[derive(Deserialize)]
struct Token {
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    normalized: Option<bool>,
    #[serde(default)]
    special: bool,
}

impl Token {
    fn added(self, special: bool) -> AddedToken {
        AddedToken::from(self.content, special)
            .single_word(self.single_word)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
            .normalized(self.normalized.unwrap_or(!special))
    }
}

impl Named {
    fn special(self) -> AddedToken {
        match self {
            Self::Word(word) => AddedToken::from(word, true),
            Self::Token(token) => token.added(true),
        }
    }
}

/// `tokenizer_config.json` and `special_tokens_map.json`, of which the same keys are of use.
#[derive(Default, Deserialize)]
struct Roles {
    bos_token: Option<Named>,
    eos_token: Option<Named>,
    unk_token: Option<Named>,
    pad_token: Option<Named>,
    added_tokens_decoder: Option<HashMap<String, Token>>,
}

impl Roles {
    fn give(self, special: &mut Special) {
        for (named, role) in [
            (self.bos_token, &mut special.start),
            (self.eos_token, &mut special.end),
            (self.unk_token, &mut special.unknown),
            (self.pad_token, &mut special.padding),
        ] {
            if let Some(named) = named {
                *role = named.special();
            }
        }
    }
}

/// `tokenizer.json`, as far as it is of use: normaliser and splitting are CLIP's own, whatever it
/// says, as in transformers' `CLIPTokenizer`.
#[derive(Deserialize)]
struct Whole {
    model: WholeModel,
    #[serde(default)]
    added_tokens: Vec<Numbered>,
}

#[derive(Deserialize)]
struct Numbered {
    id: u32,
    #[serde(flatten)]
    token: Token,
}

#[derive(Deserialize)]
struct WholeModel {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    end_of_word_suffix: Option<String>,
    vocab: HashMap<String, u32>,
    merges: Vec<Merge>,
}

/// Version 4 writes `"a b"`, version 5 `["a", "b"]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Line(String),
    Pair(String, String),
}

impl Files {
    /// Whether the vocabulary lies in files of its own.
    fn separate(folder: &Path) -> bool {
        folder.join("vocab.json").is_file() && folder.join("merges.txt").is_file()
    }

    /// Whether there is a vocabulary in `folder`, in one of the forms that [`Self::read`] takes.
    pub(super) fn are_in(folder: &Path) -> bool {
        Self::separate(folder) || folder.join("tokenizer.json").is_file()
    }

    /// Reads `vocab.json` and `merges.txt`, or `tokenizer.json` where one of them is missing, and
    /// the tokens with a role and the added ones.
    pub(super) fn read(folder: &Path) -> Result<Self, ModelError> {
        let (vocabulary, merges) = (folder.join("vocab.json"), folder.join("merges.txt"));
        let whole = folder.join("tokenizer.json");
        let config: Roles = json(&folder.join("tokenizer_config.json"))?.unwrap_or_default();
        let map: Roles = json(&folder.join("special_tokens_map.json"))?.unwrap_or_default();
        let separate = Self::separate(folder);
        let whole: Option<Whole> = if separate { None } else { json(&whole)? };
        let mut special = Special::default();
        let mut added = BTreeMap::new();
        let mut config = config;
        let decoder = config.added_tokens_decoder.take();
        config.give(&mut special);
        let (model, inside) = match whole {
            Some(Whole { model, added_tokens }) => {
                (whole_model(&folder.join("tokenizer.json"), model, &special)?, added_tokens)
            }
            None => (separate_model(&vocabulary, &merges, &special)?, Vec::new()),
        };
        let path = folder.join("tokenizer_config.json");
        if let Some(decoder) = decoder {
            // Where this key stands, transformers reads none of the older files.
            for (number, token) in decoder {
                let number = number.parse().map_err(|_| {
                    ModelError::file(&path, "added_tokens_decoder: a key is no token's number")
                })?;
                let is_special = token.special;
                added.insert(number, token.added(is_special));
            }
        } else {
            map.give(&mut special);
            let older: HashMap<String, u32> =
                json(&folder.join("added_tokens.json"))?.unwrap_or_default();
            let roles = [&special.start, &special.end, &special.unknown, &special.padding];
            for (word, number) in older {
                let is_special = roles.iter().any(|role| role.content == word);
                added.insert(number, AddedToken::from(word, is_special));
            }
            for Numbered { id, token } in inside {
                let is_special = token.special;
                added.insert(id, token.added(is_special));
            }
        }
        if added.len() > MOST_ADDED {
            return Err(ModelError::file(folder, format!("adds more than {MOST_ADDED} words")));
        }
        Ok(Self { model, added, special })
    }
}

fn builder(special: &Special) -> tokenizers::models::bpe::BpeBuilder {
    BPE::builder()
        .unk_token(special.unknown.content.clone())
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix(SUFFIX.into())
}

fn separate_model(
    vocabulary: &PathBuf,
    merges: &PathBuf,
    special: &Special,
) -> Result<BPE, ModelError> {
    for path in [vocabulary, merges] {
        if !path.is_file() {
            return Err(ModelError::file(path, "is missing, and so is tokenizer.json"));
        }
        bounded(path)?;
    }
    builder(special)
        .files(vocabulary.to_string_lossy().into_owned(), merges.to_string_lossy().into_owned())
        .build()
        .map_err(|cause| ModelError::file(vocabulary, cause))
}

fn whole_model(path: &Path, model: WholeModel, special: &Special) -> Result<BPE, ModelError> {
    if model.kind.is_some_and(|kind| kind != "BPE") {
        return Err(ModelError::file(path, "model.type: only BPE is CLIP's"));
    }
    if model.end_of_word_suffix.as_deref() != Some(SUFFIX) {
        let cause = format!("model.end_of_word_suffix: must be {SUFFIX}, as CLIP's is");
        return Err(ModelError::file(path, cause));
    }
    let merges = model.merges.into_iter().enumerate().map(|(index, merge)| match merge {
        Merge::Pair(left, right) => Ok((left, right)),
        Merge::Line(line) => {
            let pair = line.split_once(' ').map(|(left, right)| (left.into(), right.into()));
            pair.ok_or_else(|| {
                ModelError::file(path, format!("model.merges: entry {} is no pair", index + 1))
            })
        }
    });
    let merges: Merges = merges.collect::<Result<_, _>>()?;
    builder(special)
        .vocab_and_merges(model.vocab.into_iter().collect::<Vocab>(), merges)
        .build()
        .map_err(|cause| ModelError::file(path, cause))
}

fn bounded(path: &Path) -> Result<(), ModelError> {
    let size = std::fs::metadata(path).map_err(|cause| ModelError::file(path, cause))?.len();
    if size > LARGEST {
        return Err(ModelError::file(
            path,
            format!("has {size} bytes, and at most {LARGEST} are read"),
        ));
    }
    Ok(())
}

/// A JSON file, or nothing where there is none.
fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    if !path.is_file() {
        return Ok(None);
    }
    bounded(path)?;
    read_json(path).map(Some)
}
