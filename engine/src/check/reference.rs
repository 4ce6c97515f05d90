//! The reference file: inputs, expected outputs and what goes with them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candle_core::safetensors::MmapedSafetensors;
use candle_core::{DType, Device, Tensor};

use super::error::CheckError;
use crate::kernel::map_weights;
use crate::model::safetensors_metadata;
use crate::nn::all_finite;

/// Tensors that are numbered behind one name, at most.
const MOST_NUMBERED: usize = 100_000;
/// Axes of a tensor, at most.
const MOST_AXES: usize = 6;

/// A reference file that was opened.
pub struct Reference {
    path: PathBuf,
    file: MmapedSafetensors,
    metadata: BTreeMap<String, String>,
    asked: RefCell<BTreeSet<String>>,
}

impl Reference {
    /// Opens a reference file.
    ///
    /// # Errors
    /// Where it cannot be read, or its header is damaged.
    pub fn open(path: &Path) -> Result<Self, CheckError> {
        let fault = |cause: String| CheckError::File { path: path.to_owned(), cause };
        let file = map_weights(path).map_err(|cause| fault(cause.to_string()))?;
        let metadata = safetensors_metadata(path)?;
        Ok(Self { path: path.to_owned(), file, metadata, asked: RefCell::default() })
    }

    /// The folder of the file, where what its metadata names is looked for first.
    pub(super) fn folder(&self) -> PathBuf {
        self.path.parent().map(Path::to_owned).unwrap_or_default()
    }

    /// The parts that the file covers, in the order in which they are run.
    pub(super) fn parts(&self) -> Vec<String> {
        let names: BTreeSet<String> = self
            .file
            .tensors()
            .iter()
            .filter_map(|(name, _)| {
                let (part, rest) = name.split_once('/')?;
                // Draws alone are a stochastic scheduler's within the pipeline.
                let draw = part == "scheduler" && rest.starts_with("in/noise_");
                (!draw && (rest.starts_with("in/") || rest.starts_with("out/")))
                    .then(|| part.to_owned())
            })
            .filter(|part| rank(part).is_some())
            .collect();
        let mut parts: Vec<String> = names.into_iter().collect();
        parts.sort_by_key(|part| (rank(part), part.clone()));
        parts
    }

    /// Whether there is a tensor of this name.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.file.get(name).is_ok()
    }

    /// How many tensors `prefix0`, `prefix1` … there are without a gap.
    pub(super) fn count(&self, prefix: &str) -> usize {
        (0..MOST_NUMBERED).take_while(|index| self.holds(&format!("{prefix}{index}"))).count()
    }

    /// A tensor of floats, in single precision.
    ///
    /// # Errors
    /// Where it is missing, holds values that are no numbers, or has no values.
    pub(super) fn floats(&self, name: &str, device: &Device) -> Result<Tensor, CheckError> {
        let tensor = self.tensor(name, device)?;
        Ok(tensor.to_dtype(DType::F32)?)
    }

    /// A tensor of floats with these axes, where `None` is any length.
    ///
    /// # Errors
    /// As [`Self::floats`], and where it has another shape: the error names both.
    pub(super) fn shaped(
        &self,
        name: &str,
        shape: &[Option<usize>],
        device: &Device,
    ) -> Result<Tensor, CheckError> {
        let tensor = self.floats(name, device)?;
        let fits = tensor.rank() == shape.len()
            && tensor.dims().iter().zip(shape).all(|(a, b)| b.is_none_or(|b| *a == b));
        if fits {
            return Ok(tensor);
        }
        let wanted: Vec<String> =
            shape.iter().map(|side| side.map_or("any".into(), |side| side.to_string())).collect();
        Err(CheckError::reference(
            name,
            format!("is {:?}, and the model takes [{}]", tensor.dims(), wanted.join(", ")),
        ))
    }

    /// The shape of a tensor.
    ///
    /// # Errors
    /// Where it is missing.
    pub(super) fn dims(&self, name: &str) -> Result<Vec<usize>, CheckError> {
        match self.file.get(name) {
            Ok(view) => Ok(view.shape().to_vec()),
            Err(_) => Err(CheckError::reference(name, "is missing")),
        }
    }

    /// The values of a tensor of numbers, whole or not, of any shape.
    ///
    /// # Errors
    /// As [`Self::floats`].
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<f64>, CheckError> {
        let tensor = self.tensor(name, &Device::Cpu)?;
        Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
    }

    fn tensor(&self, name: &str, device: &Device) -> Result<Tensor, CheckError> {
        let fault = |cause: &str| Err(CheckError::reference(name, cause));
        let Ok(view) = self.file.get(name) else { return fault("is missing") };
        self.asked.borrow_mut().insert(name.to_owned());
        if view.shape().len() > MOST_AXES {
            return fault("has more axes than any tensor of a model");
        }
        if view.data().is_empty() {
            return fault("is empty");
        }
        if !all_finite(view.dtype(), view.data()) {
            return fault("holds NaN or infinity");
        }
        Ok(self.file.load(name, device)?)
    }

    /// An entry of the metadata; an empty one counts as absent.
    pub(super) fn entry(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// Whether the metadata has an entry, empty or not.
    pub(super) fn says(&self, name: &str) -> bool {
        self.metadata.contains_key(name)
    }

    /// A number of the metadata.
    ///
    /// # Errors
    /// Where there is an entry, and it is no number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, CheckError> {
        self.entry(name)
            .map(|value| {
                value.trim().parse().map_err(|_| {
                    CheckError::reference(name, "the metadata's entry is not such a number")
                })
            })
            .transpose()
    }

    /// The names of all tensors, in order.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.file.tensors().into_iter().map(|(name, _)| name).collect();
        names.sort();
        names
    }

    /// The tensors that nobody asked for, by name, where they belong to no part.
    ///
    /// # Errors
    /// Where one belongs to a part: whoever wrote it thinks that it means something.
    pub(super) fn unread(&self) -> Result<Vec<String>, CheckError> {
        let (asked, parts) = (self.asked.borrow(), self.parts());
        let (astray, unread): (Vec<String>, Vec<String>) =
            self.names().into_iter().filter(|name| !asked.contains(name)).partition(|name| {
                let part = name.split_once('/').map(|(part, _)| part);
                part.is_some_and(|part| parts.iter().any(|known| known == part))
            });
        match astray.into_iter().next() {
            Some(name) => {
                Err(CheckError::reference(name, "is no input or output of this model's part"))
            }
            None => Ok(unread),
        }
    }
}

/// The place of a part in the order of a check; nothing for what is no part.
fn rank(part: &str) -> Option<u8> {
    match part {
        "text" => Some(0),
        "text_2" => Some(1),
        "vae" => Some(2),
        "unet" => Some(3),
        "scheduler" => Some(5),
        "pipeline" => Some(6),
        _ => controlnet(part).map(|_| 4),
    }
}

/// The number of a ControlNet by its name.
pub(super) fn controlnet(part: &str) -> Option<u8> {
    match part.strip_prefix("controlnet")? {
        "" => Some(0),
        rest => rest.strip_prefix('_')?.parse().ok().filter(|index| (1..100).contains(index)),
    }
}
