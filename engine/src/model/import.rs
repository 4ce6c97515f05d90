//! A model from elsewhere becomes a bundle: copied or converted, looked at weight by weight, given a card,
//! and put in its place in one step.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::View;
use serde_json::{Value, json};

use super::bundle::Bundle;
use super::card::ModelCard;
use super::disk::{read_json, write_json};
use super::error::ModelError;
use super::part::{Part, is_pickle};
use super::single::{SingleFile, Wishes};
use super::tokenizer::Tokenizer;
use crate::files::{self, PendingFolder};
use crate::nn::Stored;

#[cfg(test)]
mod tests;

/// What an import may be told.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// A folder with configurations and tokenizers in diffusers' layout, in place of what a checkpoint of
    /// one file implies.
    pub config: Option<PathBuf>,
    /// What a checkpoint of one file does not tell.
    pub wishes: Wishes,
    /// The model's name on its card.
    pub name: Option<String>,
    /// The licence on its card.
    pub licence: Option<String>,
    /// Where it comes from, on its card.
    pub source: Option<String>,
}

/// What an import made.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The card of the new bundle.
    pub card: ModelCard,
    /// Folders of the networks that were found and looked at.
    pub parts: Vec<String>,
    /// Tensors of a checkpoint that belong to no network.
    pub left_out: Vec<String>,
    /// What somebody should know before using it.
    pub notes: Vec<String>,
}

/// Makes the bundle `to` of the model at `from`: a folder in diffusers' layout, or a checkpoint in one
/// safetensors file. Number types stay as they are. Nothing is at `to` before all of it is sound.
///
/// # Errors
/// Where `from` is a pickle or no model, a weight is missing, unexpected, of another shape or no number,
/// or `to` exists and is not empty.
pub fn import(from: &Path, to: &Path, options: &ImportOptions) -> Result<Imported, ModelError> {
    let fault = |cause| ModelError::file(to, cause);
    if !from.exists() {
        return Err(ModelError::file(from, "there is no such file or folder"));
    }
    if is_pickle(from) {
        return Err(ModelError::file(from, super::part::PICKLE));
    }
    let pending = PendingFolder::beside(to).map_err(fault)?;
    let left_out = if from.is_dir() {
        copy(from, pending.path())?;
        Vec::new()
    } else {
        convert(from, pending.path(), options)?
    };
    let mut imported = finish(pending.path(), from, options)?;
    imported.left_out = left_out;
    pending.publish().map_err(fault)?;
    Ok(imported)
}

/// Makes the bundle `to` of a folder in diffusers' layout that is nobody else's: looked at as by
/// [`import`], and renamed.
///
/// # Errors
/// As [`import`]. `folder` is left as it is then, but for a card.
pub fn adopt(folder: &Path, to: &Path, options: &ImportOptions) -> Result<Imported, ModelError> {
    let imported = finish(folder, folder, options)?;
    files::publish_folder(folder, to).map_err(|cause| ModelError::file(to, cause))?;
    Ok(imported)
}

/// Which of a repository's files a bundle is made of: configurations, vocabularies, licences, and of
/// weights in several precisions the one that would be read.
///
/// # Errors
/// Where a network's weights are pickles alone.
pub fn choose(names: &[&str]) -> Result<Vec<String>, ModelError> {
    let mut chosen = Vec::new();
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in names {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        folders.entry(folder).or_default().push(file);
    }
    // A repository of one part has it at its root, where others have checkpoints of one file.
    let alone = !names.contains(&"model_index.json") && names.contains(&"config.json");
    for (folder, files) in &folders {
        if !folder.is_empty() && !belongs(folder) {
            continue;
        }
        let beside = files.iter().filter(|file| is_wanted(file) && !is_weights(file));
        chosen.extend(beside.map(|file| joined(folder, file)));
        let part = part_of_folder(folder).or((folder.is_empty() && alone).then_some(Part::Unet));
        if let Some(part) = part {
            let weights = part.chosen(files);
            if weights.is_empty()
                && let Some(pickle) = files.iter().find(|file| is_pickle(Path::new(file)))
            {
                return Err(ModelError::file(joined(folder, pickle), super::part::PICKLE));
            }
            chosen.extend(weights.into_iter().map(|file| joined(folder, file)));
        }
    }
    Ok(chosen)
}

fn joined(folder: &str, file: &str) -> String {
    if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") }
}

fn is_weights(name: &str) -> bool {
    name.ends_with(".safetensors") || name.contains(".safetensors.index.")
}

/// The part whose folder has this name.
fn part_of_folder(name: &str) -> Option<Part> {
    Part::all().find(|part| part.folder() == name)
}

/// Looks at every network in `folder` and writes the card.
fn finish(folder: &Path, from: &Path, options: &ImportOptions) -> Result<Imported, ModelError> {
    let parts = Bundle::of_parts(folder)?;
    let mut found = Vec::new();
    for part in Part::all().filter(|part| parts.has(*part)) {
        parts.verify(part).map_err(|error| at(from, folder, error))?;
        found.push(part);
    }
    if found.is_empty() {
        return Err(ModelError::file(from, "holds no network in diffusers' layout"));
    }
    let card = card(folder, from, options)?;
    write_json(&folder.join("card.json"), &card)?;
    let mut notes = Vec::new();
    let tokenizers = [(Part::TextEncoder, "tokenizer"), (Part::TextEncoder2, "tokenizer_2")];
    for (part, tokenizer) in tokenizers {
        if found.contains(&part) && !Tokenizer::lies_in(&folder.join(tokenizer)) {
            notes.push(format!(
                "{tokenizer} is missing, without which no prompt can be read: give a folder that has \
                 it as --config, or copy tokenizer.json, or vocab.json and merges.txt, to {tokenizer}/"
            ));
        }
    }
    if card.licence == "unknown" {
        notes.push("the licence is unknown: write it into card.json before using the model".into());
    }
    Ok(Imported {
        card,
        parts: found.into_iter().map(Part::folder).collect(),
        left_out: Vec::new(),
        notes,
    })
}

/// An error about the folder that is being made, told of the model that it is made from.
fn at(from: &Path, folder: &Path, error: ModelError) -> ModelError {
    match error {
        ModelError::File { path, cause } => match path.strip_prefix(folder) {
            Ok(inside) => ModelError::file(from, format!("{}: {cause}", inside.display())),
            Err(_) => ModelError::File { path, cause },
        },
        error @ (ModelError::Config { .. } | ModelError::Tensor(_)) => error,
    }
}

/// The card of the new bundle: its own, or one that is made up, with what the options say.
fn card(folder: &Path, from: &Path, options: &ImportOptions) -> Result<ModelCard, ModelError> {
    let bundle = match Bundle::open(folder) {
        Ok(bundle) => bundle,
        // A ControlNet or an autoencoder alone.
        Err(_) if !folder.join("unet").exists() => Bundle::of_parts(folder)?,
        Err(error) => return Err(at(from, folder, error)),
    };
    let mut card = bundle.card().clone();
    if !folder.join("card.json").exists() {
        let name = from.file_stem().map(|name| name.to_string_lossy().into_owned());
        let index: Value = read_json(&folder.join("model_index.json")).unwrap_or_default();
        if index["_name_or_path"].as_str().is_none_or(str::is_empty) {
            card.name = name.unwrap_or_default();
        }
        card.source = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
    }
    if let Some(name) = &options.name {
        card.name.clone_from(name);
    }
    if let Some(licence) = &options.licence {
        card.licence.clone_from(licence);
    }
    if let Some(source) = &options.source {
        card.source.clone_from(source);
    }
    if card.licence.is_empty() {
        card.licence = "unknown".into();
    }
    Ok(card)
}

/// Folders of a bundle that hold no network.
const BESIDE: [&str; 5] =
    ["tokenizer", "tokenizer_2", "scheduler", "feature_extractor", "image_encoder"];

/// Whether a folder of diffusers' layout belongs to a bundle.
fn belongs(name: &str) -> bool {
    BESIDE.contains(&name) || part_of_folder(name).is_some()
}

/// Whether a file is one that a bundle is made of: configurations, vocabularies, weights, licences.
pub(super) fn is_wanted(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    matches!(ending, Some("json" | "txt" | "safetensors"))
        || name.to_ascii_uppercase().starts_with("LICEN")
}

/// Copies what belongs to a bundle from a folder in diffusers' layout.
fn copy(from: &Path, to: &Path) -> Result<(), ModelError> {
    copy_files(from, to, &|name| !name.ends_with(".safetensors"))?;
    let entries = std::fs::read_dir(from).map_err(|cause| ModelError::file(from, cause))?;
    for entry in entries {
        let entry = entry.map_err(|cause| ModelError::file(from, cause))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let folder = entry.path();
        if !folder.is_dir() || !belongs(&name) {
            continue;
        }
        // Of weights in several precisions, those that would be read.
        let weights = part_of_folder(&name).map(|part| part.weight_files(&folder)).transpose()?;
        copy_files(&folder, &to.join(&name), &|file| {
            !file.ends_with(".safetensors")
                || weights.as_ref().is_none_or(|weights| weights.contains(&folder.join(file)))
        })?;
    }
    Ok(())
}

fn copy_files(from: &Path, to: &Path, keep: &dyn Fn(&str) -> bool) -> Result<(), ModelError> {
    std::fs::create_dir_all(to).map_err(|cause| ModelError::file(to, cause))?;
    let entries = std::fs::read_dir(from).map_err(|cause| ModelError::file(from, cause))?;
    for entry in entries {
        let entry = entry.map_err(|cause| ModelError::file(from, cause))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_file() && is_wanted(&name) && keep(&name) {
            std::fs::copy(entry.path(), to.join(&name))
                .map_err(|cause| ModelError::file(entry.path(), cause))?;
        }
    }
    Ok(())
}

/// Writes the parts of a checkpoint of one file as diffusers does; returns what belongs to none.
fn convert(from: &Path, to: &Path, options: &ImportOptions) -> Result<Vec<String>, ModelError> {
    let file = SingleFile::open(from)?;
    let given = |path: &str| {
        let path = options.config.as_ref()?.join(path);
        path.exists().then(|| read_json::<Value>(&path))
    };
    let parts: Vec<Part> = file.parts().collect();
    for part in &parts {
        let config = match given(&format!("{}/config.json", part.folder())) {
            Some(config) => config?,
            None => match file.config(*part, &options.wishes) {
                Some(config) => config.map_err(|cause| {
                    ModelError::file(from, format!("{}: {cause}", part.folder()))
                })?,
                None => continue,
            },
        };
        let folder = to.join(part.folder());
        std::fs::create_dir_all(&folder).map_err(|cause| ModelError::file(&folder, cause))?;
        write_json(&folder.join("config.json"), &config)?;
        write_stored(&folder.join(part.weights_file()), &file.stored(from, *part)?)?;
    }
    if parts.contains(&Part::Unet) {
        let scheduler = match given("scheduler/scheduler_config.json") {
            Some(config) => config?,
            None => file.scheduler(&options.wishes),
        };
        let folder = to.join("scheduler");
        std::fs::create_dir_all(&folder).map_err(|cause| ModelError::file(&folder, cause))?;
        write_json(&folder.join("scheduler_config.json"), &scheduler)?;
        write_json(&to.join("model_index.json"), &index(&parts, &scheduler))?;
    }
    if let Some(config) = &options.config {
        for tokenizer in ["tokenizer", "tokenizer_2"] {
            if config.join(tokenizer).is_dir() {
                copy_files(&config.join(tokenizer), &to.join(tokenizer), &|name| {
                    !name.ends_with(".safetensors")
                })?;
            }
        }
    }
    Ok(file.left_out().into_iter().map(str::to_owned).collect())
}

/// `model_index.json` of a bundle with these parts.
fn index(parts: &[Part], scheduler: &Value) -> Value {
    let large = parts.contains(&Part::TextEncoder2);
    let class = if large { "StableDiffusionXLPipeline" } else { "StableDiffusionPipeline" };
    let mut index = json!({
        "_class_name": class,
        "vae": ["diffusers", "AutoencoderKL"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", scheduler["_class_name"]],
    });
    if large {
        index["text_encoder_2"] = json!(["transformers", "CLIPTextModelWithProjection"]);
        index["tokenizer_2"] = json!(["transformers", "CLIPTokenizer"]);
        index["force_zeros_for_empty_prompt"] = true.into();
    } else {
        index["safety_checker"] = json!([null, null]);
        index["feature_extractor"] = json!([null, null]);
    }
    index
}

/// A weight that is read from the mapped file while it is written.
struct Streamed<'a> {
    stored: &'a Stored,
    name: &'a str,
    dtype: Dtype,
    shape: Vec<usize>,
}

impl View for Streamed<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        // A weight with a shape has bytes. Were there none, the file's header would not fit what follows
        // it, and the look at the finished file would refuse it.
        self.stored.bytes(self.name).unwrap_or_default()
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// Writes mapped weights under their new names, one at a time.
fn write_stored(path: &Path, stored: &Stored) -> Result<(), ModelError> {
    let mut weights = Vec::new();
    for name in stored.names() {
        let (Some(dtype), Some(shape)) = (stored.dtype(name), stored.shape(name)) else {
            return Err(ModelError::file(
                path,
                format!("{name} has not the shape of such a weight"),
            ));
        };
        weights.push((name, Streamed { stored, name, dtype, shape }));
    }
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize_to_file(weights, Some(metadata), path)
        .map_err(|cause| ModelError::file(path, cause))
}
