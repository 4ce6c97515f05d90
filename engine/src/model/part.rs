//! The networks of a bundle, and the files that hold their weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::disk::read_json;
use super::error::ModelError;

/// A network of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The autoencoder.
    Vae,
    /// The denoising network.
    Unet,
    /// The text encoder.
    TextEncoder,
    /// The second text encoder, of Stable Diffusion XL.
    TextEncoder2,
    /// A ControlNet, counted from 0.
    ControlNet(u8),
    /// A T2I-Adapter.
    T2iAdapter,
}

impl Part {
    /// What a bundle is made of, ControlNets apart: the hash of its weights is over these, in this
    /// order.
    pub const BASE: [Self; 4] = [Self::Vae, Self::Unet, Self::TextEncoder, Self::TextEncoder2];

    /// Every part that a bundle may have.
    pub fn all() -> impl Iterator<Item = Self> {
        let controls = (0..=99).map(Self::ControlNet).chain([Self::T2iAdapter]);
        Self::BASE.into_iter().chain(controls)
    }

    /// Folder of the part, as diffusers calls it.
    pub fn folder(self) -> String {
        match self {
            Self::Vae => "vae".into(),
            Self::Unet => "unet".into(),
            Self::TextEncoder => "text_encoder".into(),
            Self::TextEncoder2 => "text_encoder_2".into(),
            Self::ControlNet(0) => "controlnet".into(),
            Self::ControlNet(index) => format!("controlnet_{index}"),
            Self::T2iAdapter => "adapter".into(),
        }
    }

    /// diffusers' and transformers' name of the class, in `config.json`.
    fn is_class(self, name: &str) -> bool {
        match self {
            Self::Vae => name == "AutoencoderKL",
            Self::Unet => name == "UNet2DConditionModel",
            // The projection is left out where nobody asks for it.
            Self::TextEncoder => {
                matches!(name, "CLIPTextModel" | "CLIPTextModelWithProjection")
            }
            Self::TextEncoder2 => name == "CLIPTextModelWithProjection",
            Self::ControlNet(index) => index == 0 && name == "ControlNetModel",
            Self::T2iAdapter => name == "T2IAdapter",
        }
    }

    /// Whether `folder` is this part, and no bundle: its own `config.json` names the part's class.
    pub(super) fn stands_alone_in(self, folder: &Path) -> bool {
        let path = folder.join("config.json");
        let Ok(config) = read_json::<serde_json::Value>(&path) else { return false };
        let class = config.get("_class_name").or_else(|| config.get("architectures")?.get(0));
        class.and_then(|name| name.as_str()).is_some_and(|name| self.is_class(name))
    }

    /// File name of the weights, as diffusers and transformers call it.
    pub fn weights_file(self) -> &'static str {
        match self {
            Self::Vae | Self::Unet | Self::ControlNet(_) | Self::T2iAdapter => {
                "diffusion_pytorch_model.safetensors"
            }
            Self::TextEncoder | Self::TextEncoder2 => "model.safetensors",
        }
    }

    /// The files in `folder` that hold the part's weights: one, the pieces that an index names, or a
    /// variant in half precision where there is no other.
    ///
    /// # Errors
    /// Where there is none, there is a pickle alone, or an index names what is no file of the folder.
    pub fn weight_files(self, folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
        weight_files(folder, self.weights_file())
    }
}

/// As [`Part::weight_files`], of whatever part has its weights under `name`.
pub(super) fn weight_files(folder: &Path, name: &str) -> Result<Vec<PathBuf>, ModelError> {
    let stem = name.trim_end_matches(".safetensors");
    for variant in ["", ".fp16", ".bf16"] {
        let whole = folder.join(format!("{stem}{variant}.safetensors"));
        if whole.exists() {
            return Ok(vec![whole]);
        }
        // The variant's word stood behind `index` before diffusers 0.30.
        for index in [
            format!("{stem}{variant}.safetensors.index.json"),
            format!("{stem}.safetensors.index{variant}.json"),
        ] {
            let index = folder.join(index);
            if index.exists() {
                return shards(folder, &index);
            }
        }
    }
    if let Some(pickle) = pickle_in(folder) {
        return Err(ModelError::file(folder.join(pickle), PICKLE));
    }
    Err(ModelError::file(folder.join(name), "there is no such file"))
}

impl Part {
    /// Of the names of a folder's files those that hold the part's weights, and the index of pieces.
    pub(super) fn chosen<'a>(self, names: &[&'a str]) -> Vec<&'a str> {
        let stems: &[&str] = match self {
            // A repository of one part alone may be any part.
            Self::Unet => &["diffusion_pytorch_model", "model"],
            Self::Vae | Self::ControlNet(_) | Self::T2iAdapter => &["diffusion_pytorch_model"],
            Self::TextEncoder | Self::TextEncoder2 => &["model"],
        };
        for stem in stems {
            for variant in ["", ".fp16", ".bf16"] {
                let whole = format!("{stem}{variant}.safetensors");
                if let Some(whole) = names.iter().find(|name| **name == whole) {
                    return vec![whole];
                }
                let indices = [
                    format!("{stem}{variant}.safetensors.index.json"),
                    format!("{stem}.safetensors.index{variant}.json"),
                ];
                if let Some(index) = names.iter().find(|name| indices.iter().any(|i| i == *name)) {
                    let piece = format!("{stem}{variant}-");
                    let later = format!("{variant}.safetensors");
                    let pieces = names.iter().filter(|name| {
                        name.starts_with(stem)
                            && name.contains("-of-")
                            && (name.starts_with(&piece) || name.ends_with(&later))
                            && (!variant.is_empty() || name.matches('.').count() == 1)
                    });
                    return pieces.copied().chain([*index]).collect();
                }
            }
        }
        Vec::new()
    }
}

/// Why a pickle is not read, and what to do instead.
pub(super) const PICKLE: &str = "is a pickle, which can run any program when it is read, and is not \
    opened. Take the model's safetensors files, or write them where the model is trusted, with \
    diffusers: pipeline.save_pretrained(folder, safe_serialization=True)";

/// Whether a file's name is one that PyTorch's pickles have.
pub(super) fn is_pickle(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ["bin", "ckpt", "pt", "pth", "pkl", "pickle"]
        .iter()
        .any(|pickle| ending.eq_ignore_ascii_case(pickle))
}

/// The first pickle of a folder, by name.
fn pickle_in(folder: &Path) -> Option<String> {
    let names = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    names
        .filter(|path| is_pickle(path))
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .min()
}

/// Pieces that an index may name.
const MOST_SHARDS: usize = 1000;

/// `*.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The pieces that `index` names: files of its own folder, each once.
fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let fault = |cause: String| Err(ModelError::file(index, cause));
    let map = read_json::<Index>(index)?.weight_map;
    let names: BTreeSet<&String> = map.values().collect();
    if names.is_empty() || names.len() > MOST_SHARDS {
        return fault(format!("names {} files, and 1 to {MOST_SHARDS} are read", names.len()));
    }
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        let plain = Path::new(name).file_name().is_some_and(|file| file == name.as_str());
        if !plain || name.contains(['/', '\\']) {
            return fault("names a file outside its folder".into());
        }
        let path = folder.join(name);
        if is_pickle(&path) {
            return Err(ModelError::file(path, PICKLE));
        }
        if path.extension().is_none_or(|ending| ending != "safetensors") {
            return fault("names a file that is not .safetensors".into());
        }
        if !path.exists() {
            return Err(ModelError::file(path, "the index names it, and there is no such file"));
        }
        files.push(path);
    }
    Ok(files)
}

/// Fails where the pieces do not hold what the index says: every name in its file, and none twice.
pub(super) fn check_shards(files: &[PathBuf]) -> Result<(), ModelError> {
    let mut seen: BTreeMap<String, &PathBuf> = BTreeMap::new();
    for file in files {
        let mapped =
            crate::kernel::map_weights(file).map_err(|cause| ModelError::file(file, cause))?;
        for (name, _) in mapped.tensors() {
            if seen.insert(name.clone(), file).is_some() {
                return Err(ModelError::file(file, format!("{name} is in another piece as well")));
            }
        }
    }
    Ok(())
}
