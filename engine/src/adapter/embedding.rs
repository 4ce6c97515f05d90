//! Words with embeddings of their own: textual inversion (Gal et al., arXiv 2208.01618).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};

use super::card::AdapterCard;
use super::error::AdapterError;
use super::names::Component;
use super::read::{CARD, factor, only_safetensors, stem};
use crate::model::{ModelError, TextEncoder, save_weights, sha256_file, write_json};

/// Vectors of one word, at most: it must fit between start and end of CLIP's window.
const MOST_VECTORS: usize = 75;
/// diffusers' name of the file in a folder.
pub(super) const FILE: &str = "learned_embeds.safetensors";

/// A word, and the vectors that it stands for in each text encoder.
#[derive(Debug, Clone)]
pub struct Embedding {
    token: String,
    /// `[vectors, width]`
    vectors_by_encoder: BTreeMap<Component, Tensor>,
    sha256: String,
    /// Its file, and the card beside it, which foreign embeddings lack.
    card: Option<(PathBuf, AdapterCard)>,
}

impl Embedding {
    /// Its name on cards.
    pub const METHOD: &str = "textual_inversion";

    /// Reads a `.safetensors` file of diffusers (one tensor, under the word), of AUTOMATIC1111
    /// (`emb_params`; the word is the file's name), or one for SDXL (`clip_l` and `clip_g`), or a folder
    /// with `learned_embeds.safetensors`. `token` is the word in place of the file's.
    ///
    /// # Errors
    /// Where the file is none of these, is cut off, or holds no vectors or no numbers.
    pub fn open(path: &Path, token: Option<&str>) -> Result<Self, AdapterError> {
        let file_path = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        only_safetensors(&file_path)?;
        let fault = |cause: &dyn std::fmt::Display| ModelError::file(&file_path, cause);
        let file = crate::kernel::map_weights(&file_path).map_err(|cause| fault(&cause))?;
        let mut names: Vec<String> = file.tensors().into_iter().map(|(name, _)| name).collect();
        names.sort();
        let mut named = None;
        let places: Vec<(&str, Component)> =
            match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["clip_g", "clip_l"] => {
                    vec![("clip_l", Component::TextEncoder), ("clip_g", Component::TextEncoder2)]
                }
                ["emb_params"] => vec![("emb_params", Component::TextEncoder)],
                [word] => {
                    named = Some(word.to_owned());
                    vec![(word, Component::TextEncoder)]
                }
                _ => {
                    let cause = "is no embedding: neither one tensor nor clip_l and clip_g";
                    return Err(fault(&cause).into());
                }
            };
        let mut vectors_by_encoder = BTreeMap::new();
        for (name, component) in places {
            let value = factor(&file, name).map_err(|cause| fault(&format!("{name}: {cause}")))?;
            let value = match *value.dims() {
                [_] => value.unsqueeze(0)?,
                [vectors, _] if vectors <= MOST_VECTORS => value,
                ref dims => {
                    let cause = format!("{name}: {dims:?} are not 1 to {MOST_VECTORS} vectors");
                    return Err(fault(&cause).into());
                }
            };
            vectors_by_encoder.insert(component, value.to_dtype(DType::F32)?);
        }
        let mut counts = vectors_by_encoder.values().map(|value| value.dims()[0]);
        if let (Some(one), Some(other)) = (counts.next(), counts.next())
            && one != other
        {
            let cause = format!("clip_l has {one} vectors, and clip_g {other}");
            return Err(fault(&cause).into());
        }
        let token = token.map(str::to_owned).or(named).unwrap_or_else(|| stem(&file_path));
        if token.is_empty()
            || token.chars().any(|letter| letter.is_whitespace() || letter.is_control())
        {
            return Err(fault(&"its word must not be empty, nor hold a space").into());
        }
        let card = AdapterCard::of(path)?.map(|card| (file_path.clone(), card));
        Ok(Self { token, vectors_by_encoder, sha256: sha256_file(&file_path)?, card })
    }

    /// Writes a word's `vectors` `[vectors, width]` and its card into the folder `folder`, as diffusers writes
    /// them and AUTOMATIC1111's web interface reads them.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn save(
        folder: &Path,
        token: &str,
        vectors: &Tensor,
        card: &AdapterCard,
    ) -> Result<(), AdapterError> {
        let tensors = [(token.to_owned(), vectors.detach())].into();
        save_weights(&folder.join(FILE), &tensors, DType::F32)?;
        // The card comes last: a folder that was left half-written has none.
        Ok(write_json(&folder.join(CARD), card)?)
    }

    /// The card, which foreign words lack.
    pub fn card(&self) -> Option<&AdapterCard> {
        self.card.as_ref().map(|(_, card)| card)
    }

    /// Whether the word was learned by the model whose weights have the hash `base_sha256`; one without a card
    /// may be any model's.
    ///
    /// # Errors
    /// [`AdapterError::WrongBase`] where it was another's.
    pub fn check(&self, base_sha256: &str) -> Result<(), AdapterError> {
        self.card.as_ref().map_or(Ok(()), |(path, card)| card.check_base(path, base_sha256))
    }

    /// The word.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// SHA-256 of its file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Whether it has vectors for a text encoder.
    pub fn speaks_to(&self, component: Component) -> bool {
        self.vectors_by_encoder.contains_key(&component)
    }

    /// How many vectors it stands for: as many tokens of a prompt.
    pub fn vectors(&self) -> usize {
        self.vectors_by_encoder.values().next().map_or(0, |value| value.dims()[0])
    }

    /// The width of its vectors in each encoder.
    pub fn widths(&self) -> BTreeMap<&'static str, usize> {
        let widths = self.vectors_by_encoder.iter();
        widths.map(|(component, value)| (component.folder(), value.dims()[1])).collect()
    }

    /// The vectors of several words for one encoder, in their order, `[vectors, width]`: what
    /// [`TextEncoder::learn`] takes.
    ///
    /// # Errors
    /// [`AdapterError::Config`] where a word has no vectors for the encoder, or of another width.
    pub fn rows(
        embeddings: &[&Self],
        component: Component,
        encoder: &TextEncoder,
    ) -> Result<Tensor, AdapterError> {
        let wanted = encoder.config().hidden_size;
        let mut rows = Vec::new();
        for embedding in embeddings {
            let fault = |cause: String| AdapterError::Config { field: "embeddings", cause };
            let value = embedding.vectors_by_encoder.get(&component).ok_or_else(|| {
                let which = match component {
                    Component::TextEncoder2 => "the second text encoder",
                    Component::TextEncoder | Component::Unet => "this network",
                };
                fault(format!("{:?} has no vectors for {which}", embedding.token))
            })?;
            let width = value.dim(1)?;
            if width != wanted {
                let token = &embedding.token;
                return Err(fault(format!(
                    "{token:?} has vectors of {width} numbers, and the text encoder's have {wanted}"
                )));
            }
            rows.push(value);
        }
        Ok(Tensor::cat(&rows, 0)?)
    }
}
