//! Prefixes: trained vectors that stand before the text's embeddings, where the UNet's cross-attentions look
//! for what they are told (after Li and Liang, arXiv 2101.00190).

use std::path::{Path, PathBuf};

use candle_core::{DType, Result, Tensor};

use super::card::AdapterCard;
use super::error::AdapterError;
use super::read::{CARD, factor};
use crate::kernel::map_weights;
use crate::model::{ModelError, read_json, save_weights, sha256_file, write_json};

const FILE: &str = "prefix.safetensors";
const NAME: &str = "prefix";
/// Vectors that are believed, at most.
const MOST_VECTORS: usize = 4096;

/// Trained vectors, and the model that they are for.
#[derive(Debug, Clone)]
pub struct Prefix {
    path: PathBuf,
    card: AdapterCard,
    /// `[n, width]`
    vectors: Tensor,
    sha256: String,
}

impl Prefix {
    /// Its name on cards.
    pub const METHOD: &str = "prefix";

    /// Whether a prefix, sound or not, lies in the folder `path`.
    pub fn lies_in(path: &Path) -> bool {
        path.join(FILE).is_file()
    }

    /// Reads the folder of a prefix.
    ///
    /// # Errors
    /// Where it has no card, or its file is damaged or holds something else.
    pub fn open(path: &Path) -> std::result::Result<Self, AdapterError> {
        let card = read_json(&path.join(CARD))?;
        let file_path = path.join(FILE);
        let fault = |cause: &dyn std::fmt::Display| ModelError::file(&file_path, cause);
        let file = map_weights(&file_path).map_err(|cause| fault(&cause))?;
        let names: Vec<String> = file.tensors().into_iter().map(|(name, _)| name).collect();
        if names != [NAME] {
            return Err(fault(&"holds something else than a prefix").into());
        }
        let vectors = factor(&file, NAME).map_err(|cause| fault(&cause))?;
        match *vectors.dims() {
            [count, _] if count <= MOST_VECTORS => {}
            ref dims => {
                return Err(fault(&format!("{dims:?} are not 1 to {MOST_VECTORS} vectors")).into());
            }
        }
        let vectors = vectors.to_dtype(DType::F32)?;
        Ok(Self { path: path.to_owned(), card, vectors, sha256: sha256_file(&file_path)? })
    }

    /// Writes `vectors` `[n, width]` and the card into the folder `folder`.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn save(
        folder: &Path,
        vectors: &Tensor,
        card: &AdapterCard,
    ) -> std::result::Result<(), AdapterError> {
        let tensors = [(NAME.to_owned(), vectors.detach())].into();
        save_weights(&folder.join(FILE), &tensors, DType::F32)?;
        // The card comes last: a folder that was left half-written has none.
        Ok(write_json(&folder.join(CARD), card)?)
    }

    /// Whether the prefix is one of the model whose weights have the hash `base_sha256`.
    ///
    /// # Errors
    /// [`AdapterError::WrongBase`] where it is another's.
    pub fn check(&self, base_sha256: &str) -> std::result::Result<(), AdapterError> {
        self.card.check_base(&self.path, base_sha256)
    }

    /// Whether its vectors are as wide as what the model's text encoder says.
    ///
    /// # Errors
    /// [`AdapterError::WrongBase`] with both widths.
    pub fn check_width(&self, width: usize) -> std::result::Result<(), AdapterError> {
        let own = self.width();
        if own == width {
            return Ok(());
        }
        let cause = format!("has vectors of {own} numbers, and the model's text has {width}");
        Err(AdapterError::WrongBase { path: self.path.clone(), cause })
    }

    /// The card.
    pub fn card(&self) -> &AdapterCard {
        &self.card
    }

    /// SHA-256 of its file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The vectors, `[n, width]`.
    pub fn vectors(&self) -> &Tensor {
        &self.vectors
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.vectors.dims()[0]
    }

    /// The width of each.
    pub fn width(&self) -> usize {
        self.vectors.dims()[1]
    }
}

/// SHA-256 of the weights of the prefix in the folder `path`, as [`Prefix::sha256`] gives it.
pub(super) fn hash_in(path: &Path) -> std::result::Result<String, AdapterError> {
    Ok(sha256_file(&path.join(FILE))?)
}

/// `context` `[batch, tokens, width]` behind `vectors` `[n, width]`, `[batch, n + tokens, width]`.
///
/// # Errors
/// Where the widths differ.
pub fn before_text(vectors: &Tensor, context: &Tensor) -> Result<Tensor> {
    let (batch, _, width) = context.dims3()?;
    let count = vectors.dim(0)?;
    let each = vectors.to_dtype(context.dtype())?.broadcast_as((batch, count, width))?;
    Tensor::cat(&[&each.contiguous()?, context], 1)
}
