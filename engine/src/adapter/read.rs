//! Adapters from disk: which files, which keys, which numbers. What does not belong is listed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::safetensors::MmapedSafetensors;
use candle_core::{DType, Device, Tensor};
use sha2::{Digest, Sha256};

use super::card::AdapterCard;
use super::change::{Change, Factors, Parts};
use super::concept::Concept;
use super::config::PeftConfig;
use super::embedding::FILE as EMBEDDING;
use super::error::AdapterError;
use super::header::metadata;
use super::ip::is_part;
use super::names::{Component, Form, Parameter, Place, bare, parse};
use super::prefix::{Prefix, hash_in};
use crate::kernel::{Fault, map_weights};
use crate::model::{ModelError, read_json, sha256_file};

/// An adapter's scale beyond which nothing but artefacts comes; below 0 it would undo what it was taught.
pub const STRONGEST_SCALE: f32 = 4.0;

pub(super) const PEFT_WEIGHTS: &str = "adapter_model.safetensors";
pub(super) const PEFT_CONFIG: &str = "adapter_config.json";
pub(super) const DIFFUSERS_WEIGHTS: &str = "pytorch_lora_weights.safetensors";
pub(super) const CARD: &str = "card.json";
/// diffusers' key for PEFT's configurations in a file's metadata.
pub(super) const METADATA: &str = "lora_adapter_metadata";

/// Low-rank and related changes of a model's layers, as they stand in a file of whatever form.
#[derive(Debug, Clone)]
pub struct Adapter {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) form: Form,
    pub(super) sha256: String,
    pub(super) card: Option<AdapterCard>,
    /// PEFT's configuration of each component, where there is one.
    pub(super) configs: BTreeMap<Component, PeftConfig>,
    pub(super) layers: BTreeMap<Place, Change>,
}

/// A file of weights, and what its folder says of it.
struct Source {
    weights: PathBuf,
    component: Option<Component>,
    config: Option<PeftConfig>,
}

impl Adapter {
    /// Reads a folder (ours, PEFT's, or diffusers') or a `.safetensors` file of any form. Every number
    /// is looked at; whether it fits a model is asked when it is attached.
    ///
    /// # Errors
    /// Where nothing is there that is known, a file is cut off, a layer's factors do not fit each other,
    /// a number is none, or keys are left over, which are listed.
    pub fn open(path: &Path) -> Result<Self, AdapterError> {
        let sources = sources(path)?;
        let card = AdapterCard::of(path)?;
        let mut reader = Reader::default();
        for source in &sources {
            reader.read(source)?;
        }
        let name = card.as_ref().map(|card| card.name.clone()).filter(|name| !name.is_empty());
        let (form, configs, layers) = reader.finish(path)?;
        Ok(Self {
            path: path.to_owned(),
            name: name.unwrap_or_else(|| stem(path)),
            form,
            sha256: hash(&sources)?,
            card,
            configs,
            layers,
        })
    }

    /// The adapter's name: its card's, or its file's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the weights in hexadecimal; of the hashes of all files where there are several.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The card, which foreign adapters lack.
    pub fn card(&self) -> Option<&AdapterCard> {
        self.card.as_ref()
    }

    /// The form in which it was read.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Layers that are adapted.
    pub fn layer_count(&self) -> usize {
        self.layers.len()
    }
}

/// SHA-256 of the weights of the adapter, prefix or concept at `path`, as [`Adapter::sha256`] and
/// [`Prefix::sha256`] give it, without reading it.
///
/// # Errors
/// Where no adapter lies there.
pub fn weights_sha256(path: &Path) -> Result<String, AdapterError> {
    if Concept::lies_in(path) {
        return Ok(sha256_file(&Concept::weights_file(path))?);
    }
    if Prefix::lies_in(path) {
        return hash_in(path);
    }
    hash(&sources(path)?)
}

fn hash(sources: &[Source]) -> Result<String, AdapterError> {
    if let [one] = sources {
        return Ok(sha256_file(&one.weights)?);
    }
    let mut hash = Sha256::new();
    for source in sources {
        hash.update(sha256_file(&source.weights)?.as_bytes());
    }
    Ok(hex::encode(hash.finalize()))
}

pub(super) fn stem(path: &Path) -> String {
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// Where the card of an adapter lies: in its folder, or beside its file under the file's name.
pub(super) fn card_path(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.join(CARD));
    }
    let name = path.file_name()?.to_str()?;
    Some(match name {
        PEFT_WEIGHTS | DIFFUSERS_WEIGHTS | EMBEDDING => path.with_file_name(CARD),
        _ => path.with_extension(CARD),
    })
}

fn sources(path: &Path) -> Result<Vec<Source>, AdapterError> {
    if path.is_dir() {
        return folder_sources(path);
    }
    only_safetensors(path)?;
    if path.file_name().is_some_and(|name| name == PEFT_WEIGHTS) {
        let config = path.with_file_name(PEFT_CONFIG);
        if config.is_file() {
            return Ok(vec![peft(path.parent().unwrap_or(Path::new("")), None)?]);
        }
    }
    Ok(vec![Source { weights: path.to_owned(), component: None, config: None }])
}

/// # Errors
/// Where no file is there, or its name says that it is a pickle.
pub(super) fn only_safetensors(path: &Path) -> Result<(), AdapterError> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if ["pt", "pth", "bin", "ckpt", "pkl"].contains(&ending.as_str()) {
        let cause = "is a pickle, which can run programs; only safetensors are read";
        return Err(ModelError::file(path, cause).into());
    }
    if path.is_file() { Ok(()) } else { Err(ModelError::file(path, "is missing").into()) }
}

fn peft(folder: &Path, component: Option<Component>) -> Result<Source, AdapterError> {
    let config: PeftConfig = read_json(&folder.join(PEFT_CONFIG))?;
    config.validate()?;
    Ok(Source { weights: folder.join(PEFT_WEIGHTS), component, config: Some(config) })
}

fn folder_sources(folder: &Path) -> Result<Vec<Source>, AdapterError> {
    if folder.join(PEFT_CONFIG).is_file() {
        return Ok(vec![peft(folder, None)?]);
    }
    let parts: Vec<Source> = Component::ALL
        .into_iter()
        .map(|component| (component, folder.join(component.folder())))
        .filter(|(_, part)| part.join(PEFT_CONFIG).is_file())
        .map(|(component, part)| peft(&part, Some(component)))
        .collect::<Result<_, _>>()?;
    if !parts.is_empty() {
        return Ok(parts);
    }
    let file = folder.join(DIFFUSERS_WEIGHTS);
    if file.is_file() {
        return Ok(vec![Source { weights: file, component: None, config: None }]);
    }
    let cause = format!("holds neither {PEFT_CONFIG} nor {DIFFUSERS_WEIGHTS}");
    Err(ModelError::file(folder, cause).into())
}

#[derive(Default)]
struct Reader {
    forms: Vec<Form>,
    configs: BTreeMap<Component, PeftConfig>,
    layers: BTreeMap<Place, (Parts, Option<f64>)>,
    faults: Vec<String>,
}

impl Reader {
    fn read(&mut self, source: &Source) -> Result<(), AdapterError> {
        let path = &source.weights;
        let fault = |cause: &dyn std::fmt::Display| ModelError::file(path, cause);
        let metadata = metadata(path).map_err(|cause| fault(&cause))?;
        let file = map_weights(path).map_err(|cause| fault(&cause))?;
        if let Some(text) = metadata.get(METADATA) {
            self.configs.extend(configs(text).map_err(|cause| fault(&cause))?);
        }
        let mut names: Vec<String> = file.tensors().into_iter().map(|(name, _)| name).collect();
        names.sort();
        if names.iter().any(|name| is_part(name)) {
            let cause = "is an IP-Adapter, which reads images and changes no layer: give it as --ip-adapter";
            return Err(fault(&cause).into());
        }
        for name in names {
            let Some(key) = parse(&name, source.component) else {
                self.faults.push(format!("unexpected: {name}"));
                continue;
            };
            if let Some(config) = &source.config {
                self.configs.entry(key.place.component).or_insert_with(|| config.clone());
                if config.targets(&key.place.path) == Some(false) {
                    self.faults.push(format!("unexpected: {name}"));
                    continue;
                }
            }
            self.forms.push(key.form);
            let (parts, alpha) = self.layers.entry(key.place).or_default();
            let taken = if key.parameter == Parameter::Alpha {
                match number(&file, &name) {
                    Ok(value) => alpha.replace(value).is_some(),
                    Err(cause) => {
                        self.faults.push(format!("{name}: {cause}"));
                        false
                    }
                }
            } else {
                match factor(&file, &name) {
                    Ok(value) => parts.insert(key.parameter, value).is_some(),
                    Err(cause) => {
                        self.faults.push(format!("{name}: {cause}"));
                        false
                    }
                }
            };
            if taken {
                self.faults.push(format!("{name}: the layer has this part twice"));
            }
        }
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "the three things that were read")]
    fn finish(
        mut self,
        path: &Path,
    ) -> Result<(Form, BTreeMap<Component, PeftConfig>, BTreeMap<Place, Change>), AdapterError>
    {
        let mut layers = BTreeMap::new();
        // One unreadable number would be told again as a missing part.
        if self.faults.is_empty() {
            for (place, (parts, alpha)) in std::mem::take(&mut self.layers) {
                let layer = format!("{} {}", place.component.folder(), place.path);
                match change(parts, alpha, self.configs.get(&place.component), &place) {
                    Ok(change) => {
                        layers.insert(place, change);
                    }
                    Err(cause) => self.faults.push(format!("{layer}: {cause}")),
                }
            }
        }
        if !self.faults.is_empty() {
            return Err(ModelError::file(path, list(&self.faults)).into());
        }
        let form = [Form::Kohya, Form::Peft, Form::Diffusers]
            .into_iter()
            .find(|form| self.forms.contains(form))
            .ok_or_else(|| ModelError::file(path, "holds no weights of an adapter"))?;
        Ok((form, self.configs, layers))
    }
}

fn change(
    mut parts: Parts,
    alpha: Option<f64>,
    config: Option<&PeftConfig>,
    place: &Place,
) -> Result<Change, String> {
    let lycoris = parts.remove(&Parameter::DoraScale);
    let lycoris_magnitude = lycoris.is_some();
    let magnitude = match (lycoris, parts.remove(&Parameter::Magnitude)) {
        (Some(_), Some(_)) => return Err("has two magnitudes".into()),
        (one, other) => one.or(other),
    };
    let factors = Factors::new(parts)?;
    let path = bare(&place.path);
    let change = Change {
        alpha: alpha.or_else(|| config.map(|config| config.alpha(path))),
        rank: config.map(|config| config.rank(path)),
        rank_stabilised: config.is_some_and(|config| config.use_rslora),
        magnitude,
        lycoris_magnitude,
        factors,
    };
    // LoKr's configured rank is no side of a factor where both are whole.
    if let (Some(configured), Factors::Lora { down, .. }) = (change.rank, &change.factors)
        && down.dims().first() != Some(&configured)
    {
        let mut wanted = down.dims().to_vec();
        if let Some(first) = wanted.first_mut() {
            *first = configured;
        }
        return Err(format!("shape of lora_A: {:?}, not {wanted:?}", down.dims()));
    }
    change.check_numbers()?;
    Ok(change)
}

/// PEFT's configurations in diffusers' metadata: one object whose keys begin with the component.
fn configs(text: &str) -> Result<BTreeMap<Component, PeftConfig>, String> {
    let fault = |cause: &dyn std::fmt::Display| format!("{METADATA}: {cause}");
    let all: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|cause| fault(&cause))?;
    let mut found: BTreeMap<Component, serde_json::Map<_, _>> = BTreeMap::new();
    for (key, value) in all {
        let Some((prefix, field)) = key.split_once('.') else { continue };
        let component = Component::ALL.into_iter().find(|one| one.folder() == prefix);
        if let Some(component) = component {
            found.entry(component).or_default().insert(field.to_owned(), value);
        }
    }
    let mut configs = BTreeMap::new();
    for (component, fields) in found {
        let config: PeftConfig = serde_json::from_value(serde_json::Value::Object(fields))
            .map_err(|cause| fault(&cause))?;
        config.validate().map_err(|cause| fault(&cause))?;
        configs.insert(component, config);
    }
    Ok(configs)
}

/// A scalar of whatever type.
fn number(file: &MmapedSafetensors, name: &str) -> Result<f64, String> {
    let shape = file.get(name).map_err(Fault::words)?.shape().to_vec();
    if shape.iter().any(|side| *side != 1) {
        return Err("must be one number".into());
    }
    let value = || -> candle_core::Result<f64> {
        let value = file.load(name, &Device::Cpu)?.to_dtype(DType::F64)?;
        value.flatten_all()?.get(0)?.to_scalar()
    };
    value().map_err(Fault::words)
}

/// A factor in the type in which it stands, all of whose values are numbers.
pub(super) fn factor(file: &MmapedSafetensors, name: &str) -> Result<Tensor, String> {
    let load = || -> candle_core::Result<_> {
        let value = file.load(name, &Device::Cpu)?;
        let sum = match value.dtype() {
            DType::F16 | DType::BF16 | DType::F32 | DType::F64 if value.elem_count() > 0 => {
                // Zero times anything but a number is none.
                Some((value.to_dtype(DType::F32)? * 0.0)?.sum_all()?.to_scalar::<f32>()?)
            }
            _ => None,
        };
        Ok((value, sum))
    };
    match load().map_err(Fault::words)? {
        (value, Some(sum)) if sum.is_finite() => Ok(value),
        (_, Some(_)) => Err("holds a value that is no finite number".into()),
        (value, None) if value.elem_count() == 0 => Err(format!("is empty, {:?}", value.dims())),
        (value, None) => Err(format!("is of {:?}, and must be floating point", value.dtype())),
    }
}

/// Faults in one line, the first twenty of them.
pub(super) fn list(faults: &[String]) -> String {
    let shown = faults.len().min(20);
    let more = if shown < faults.len() { "; …" } else { "" };
    let plural = if faults.len() == 1 { "" } else { "s" };
    format!("{} fault{plural}: {}{more}", faults.len(), faults[..shown].join("; "))
}
