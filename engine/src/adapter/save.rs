//! Adapters to disk, in the three forms that other programs read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::change::{Change, Factors};
use super::config::{Patterns, PeftConfig};
use super::error::AdapterError;
use super::fresh::PREFIX;
use super::names::{Component, Form, Place, bare};
use super::read::{
    Adapter, CARD, DIFFUSERS_WEIGHTS, METADATA, PEFT_CONFIG, PEFT_WEIGHTS, card_path,
};
use super::tensors::Tensors;
use crate::files::{self, PendingFolder};
use crate::model::{ModelError, write_json};

impl Adapter {
    /// The same adapter with every layer under diffusers' name. `layers_per_block` counts the residual
    /// blocks of a level in the UNet that it is for, where the file has the original code's names; 2
    /// in all of Stable Diffusion.
    ///
    /// # Errors
    /// The layers that no such network has, or that are there under both names.
    pub fn with_diffusers_names(mut self, layers_per_block: usize) -> Result<Self, AdapterError> {
        let mut layers = BTreeMap::new();
        for (place, change) in self.layers {
            let name = format!("{} {}", place.component.folder(), place.path);
            let path = match place.component {
                Component::Unet => place.resolved(layers_per_block),
                Component::TextEncoder | Component::TextEncoder2 => Some(place.path),
            };
            let place = path.map(|path| Place { component: place.component, path });
            let there = place.filter(|place| !layers.contains_key(place)).ok_or_else(|| {
                ModelError::file(
                    &self.path,
                    format!("{name} is no layer of such a network, or twice"),
                )
            })?;
            layers.insert(there, change);
        }
        self.layers = layers;
        Ok(self)
    }

    /// Writes the adapter in `form`, with its card where it has one: as a folder that is not there yet,
    /// or, where `out` ends in `.safetensors` (kohya's form always does), as a file.
    ///
    /// # Errors
    /// Where the form has no place for what a layer is, or nothing can be written there.
    pub fn save(&self, form: Form, out: &Path) -> Result<(), AdapterError> {
        let is_file = out.extension().is_some_and(|ending| ending == "safetensors");
        match (form, is_file) {
            (Form::Peft, true) => {
                Err(refused("peft is a folder, and the path ends in .safetensors"))
            }
            (Form::Kohya, false) => {
                Err(refused("kohya is a file, and its path ends in .safetensors"))
            }
            (Form::Kohya, true) => self.save_file(out, &self.kohya()?, None),
            (Form::Diffusers, true) => {
                let (tensors, metadata) = self.diffusers()?;
                self.save_file(out, &tensors, Some(&metadata))
            }
            (Form::Diffusers, false) => {
                let (tensors, metadata) = self.diffusers()?;
                Self::save_folder(out, |folder| {
                    write_tensors(&folder.join(DIFFUSERS_WEIGHTS), &tensors, Some(&metadata))?;
                    self.write_card(folder)
                })
            }
            (Form::Peft, false) => Self::save_folder(out, |folder| self.write_peft(folder)),
        }
    }

    fn save_file(
        &self,
        out: &Path,
        tensors: &Tensors,
        metadata: Option<&str>,
    ) -> Result<(), AdapterError> {
        write_tensors(out, tensors, metadata)?;
        match (&self.card, card_path(out)) {
            (Some(card), Some(path)) => Ok(write_json(&path, card)?),
            _ => Ok(()),
        }
    }

    fn save_folder(
        out: &Path,
        write: impl FnOnce(&Path) -> Result<(), AdapterError>,
    ) -> Result<(), AdapterError> {
        let pending = PendingFolder::beside(out).map_err(|cause| ModelError::file(out, cause))?;
        write(pending.path())?;
        Ok(pending.publish().map_err(|cause| ModelError::file(out, cause))?)
    }

    fn write_card(&self, folder: &Path) -> Result<(), AdapterError> {
        match &self.card {
            Some(card) => Ok(write_json(&folder.join(CARD), card)?),
            None => Ok(()),
        }
    }

    /// Writes PEFT's files, and the card, into the folder `folder`.
    pub(super) fn write_peft(&self, folder: &Path) -> Result<(), AdapterError> {
        for (component, (tensors, config)) in &self.peft()? {
            let inner = match component {
                Some(component) => folder.join(component.folder()),
                None => folder.to_owned(),
            };
            std::fs::create_dir_all(&inner).map_err(|cause| ModelError::file(&inner, cause))?;
            write_tensors(&inner.join(PEFT_WEIGHTS), tensors, None)?;
            write_json(&inner.join(PEFT_CONFIG), config)?;
        }
        // The card comes last: a folder that was left half-written has none.
        self.write_card(folder)
    }

    fn components(&self) -> BTreeSet<Component> {
        self.layers.keys().map(|place| place.component).collect()
    }

    /// Tensors and configuration by component; by none where there is one folder for all.
    fn peft(&self) -> Result<BTreeMap<Option<Component>, (Tensors, PeftConfig)>, AdapterError> {
        let components = self.components();
        let alone = components.len() == 1 && !components.contains(&Component::TextEncoder2);
        let mut parts = BTreeMap::new();
        for component in components {
            let mut tensors = Tensors::new();
            for (place, change) in
                self.layers.iter().filter(|(place, _)| place.component == component)
            {
                let layer = format!("{PREFIX}{}", place.path);
                change.peft_tensors(&layer, &mut tensors).map_err(|cause| named(place, &cause))?;
            }
            let config = self.config(component)?;
            parts.insert((!alone).then_some(component), (tensors, config));
        }
        Ok(parts)
    }

    /// Tensors and metadata.
    fn diffusers(&self) -> Result<(Tensors, String), AdapterError> {
        let mut tensors = Tensors::new();
        // By name: it is a part of the file that the adapter is known by.
        let mut metadata = BTreeMap::new();
        for (place, change) in &self.layers {
            if !matches!(change.factors, Factors::Lora { .. }) {
                return Err(named(place, "diffusers' form holds LoRA and DoRA"));
            }
            let layer = match place.component {
                Component::Unet => format!("unet.{}", place.path),
                text => format!("{}.{}", text.folder(), with_prefix(&place.path)),
            };
            let mut parts = Tensors::new();
            change.peft_tensors(&layer, &mut parts).map_err(|cause| named(place, &cause))?;
            // diffusers knows the factors of a text encoder by these names only.
            let renamed = parts.into_iter().map(|(name, tensor)| {
                if place.component == Component::Unet {
                    return (name, tensor);
                }
                let name = name.replace(".lora_A.", ".lora_linear_layer.down.");
                (name.replace(".lora_B.", ".lora_linear_layer.up."), tensor)
            });
            tensors.extend(renamed);
        }
        for component in self.components() {
            let config = serde_json::to_value(self.config(component)?)
                .map_err(|cause| ModelError::file(&self.path, cause))?;
            for (key, value) in config.as_object().into_iter().flatten() {
                metadata.insert(format!("{}.{key}", component.folder()), value.clone());
            }
        }
        let metadata = serde_json::to_string(&metadata)
            .map_err(|cause| ModelError::file(&self.path, cause))?;
        Ok((tensors, metadata))
    }

    fn kohya(&self) -> Result<Tensors, AdapterError> {
        // sd-scripts counts the text encoders of SDXL alone, whose UNet has deeper transformers.
        let xl = self.layers.keys().any(|place| {
            place.component == Component::TextEncoder2
                || place.path.starts_with("add_embedding.")
                || place.path.contains(".transformer_blocks.1.")
        });
        let mut tensors = Tensors::new();
        for (place, change) in &self.layers {
            let prefix = match place.component {
                Component::Unet => "lora_unet",
                Component::TextEncoder if xl => "lora_te1",
                Component::TextEncoder => "lora_te",
                Component::TextEncoder2 => "lora_te2",
            };
            let path = match place.component {
                Component::Unet => place.path.clone(),
                Component::TextEncoder | Component::TextEncoder2 => with_prefix(&place.path),
            };
            let layer = format!("{prefix}_{}", path.replace('.', "_"));
            change.kohya_tensors(&layer, &mut tensors).map_err(|cause| named(place, &cause))?;
        }
        Ok(tensors)
    }

    /// PEFT's configuration of a component: as it was read, or from what its layers have in common.
    fn config(&self, component: Component) -> Result<PeftConfig, AdapterError> {
        if let Some(config) = self.configs.get(&component) {
            return Ok(config.clone());
        }
        let layers: Vec<(&str, &Change)> = self
            .layers
            .iter()
            .filter(|(place, _)| place.component == component)
            .map(|(place, change)| (bare(&place.path), change))
            .collect();
        let methods: BTreeSet<&str> = layers.iter().map(|(_, change)| change.method()).collect();
        let method = match methods.first() {
            Some(method) if methods.len() == 1 => *method,
            _ => {
                return Err(refused(
                    "a PEFT configuration is of one method, and there are several",
                ));
            }
        };
        if method == "LOKR" {
            let cause =
                "LoKr's factors are PEFT's only with the configuration that PEFT cut them by";
            return Err(refused(cause));
        }
        let stabilised = layers.iter().all(|(_, change)| change.rank_stabilised);
        let ranks: Vec<usize> =
            layers.iter().map(|(_, change)| change.factors.rank().unwrap_or(1)).collect();
        let alphas: Vec<f64> = layers
            .iter()
            .zip(&ranks)
            .map(|((_, change), rank)| match change.alpha {
                Some(alpha)
                    if change.rank.is_none_or(|known| known == *rank)
                        && change.rank_stabilised == stabilised =>
                {
                    alpha
                }
                _ => change.scale() * if stabilised { (*rank as f64).sqrt() } else { *rank as f64 },
            })
            .collect();
        let (rank, alpha) = (most_common(&ranks), most_common(&alphas));
        let paths = || layers.iter().map(|(path, _)| (*path).to_owned());
        let is_lora = method == "LORA";
        Ok(PeftConfig {
            peft_type: method.to_owned(),
            r: rank,
            lora_alpha: is_lora.then_some(alpha),
            alpha: (!is_lora).then_some(alpha),
            target_modules: serde_json::Value::from(paths().collect::<Vec<_>>()),
            rank_pattern: Patterns(paths().zip(ranks).filter(|(_, one)| *one != rank).collect()),
            alpha_pattern: Patterns(
                paths().zip(alphas).filter(|(_, one)| one.to_bits() != alpha.to_bits()).collect(),
            ),
            use_rslora: stabilised,
            use_dora: layers.iter().any(|(_, change)| change.magnitude.is_some()),
            lora_bias: layers
                .iter()
                .any(|(_, change)| matches!(change.factors, Factors::Lora { bias: Some(_), .. })),
            other: if layers.iter().any(|(_, change)| change.has_core()) {
                [("use_effective_conv2d".to_owned(), true.into())].into_iter().collect()
            } else {
                serde_json::Map::new()
            },
        })
    }
}

fn most_common<T: Copy + Default + PartialEq>(values: &[T]) -> T {
    let count = |value: &T| values.iter().filter(|other| *other == value).count();
    values.iter().copied().max_by_key(|value| count(value)).unwrap_or_default()
}

fn with_prefix(path: &str) -> String {
    match path {
        "text_projection" => path.to_owned(),
        _ => format!("text_model.{}", bare(path)),
    }
}

fn refused(cause: &str) -> AdapterError {
    AdapterError::Config { field: "form", cause: cause.to_owned() }
}

fn named(place: &Place, cause: &str) -> AdapterError {
    refused(&format!("{} {}: {cause}", place.component.folder(), place.path))
}

fn write_tensors(
    path: &Path,
    tensors: &Tensors,
    metadata: Option<&str>,
) -> Result<(), AdapterError> {
    // One entry at most: several would be written in any order, and a file is to have one form.
    let metadata = metadata.map(|text| [(METADATA.to_owned(), text.to_owned())].into());
    let tensors = tensors
        .iter()
        .map(|(name, tensor)| Ok((name.clone(), tensor.contiguous()?)))
        .collect::<candle_core::Result<Vec<_>>>()?;
    let bytes =
        safetensors::serialize(tensors, metadata).map_err(|cause| ModelError::file(path, cause))?;
    Ok(files::replace(path, &bytes).map_err(|cause| ModelError::file(path, cause))?)
}
