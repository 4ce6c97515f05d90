//! Checkpoints in one file, as latent diffusion's own programs write them: which parts they hold, under
//! which names diffusers has the weights, and the configurations that their shapes imply.

mod configs;
mod names;
mod shapes;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::error::ModelError;
use super::part::Part;
use crate::kernel::map_weights;
use crate::nn::{Cut, Stored};
use shapes::Shapes;

pub use configs::Wishes;

/// What forms a part has in a checkpoint of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Latent diffusion's names.
    Ldm,
    /// diffusers' or transformers' names.
    Today,
    /// `OpenCLIP`'s names, all layers.
    OpenClip,
    /// `OpenCLIP`'s names without the last layer, which Stable Diffusion 2 does not use, and without the
    /// projection.
    OpenClipShort,
}

/// A part of a checkpoint: its names begin with `prefix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    part: Part,
    prefix: &'static str,
    form: Form,
}

/// Where parts are looked for: the part, the beginning of its names, a name that tells that it is there,
/// and its form.
const PLACES: [(Part, &str, &str, Form); 15] = [
    (Part::Unet, "model.diffusion_model.", "input_blocks.0.0.weight", Form::Ldm),
    (Part::Vae, "first_stage_model.", "encoder.conv_in.weight", Form::Ldm),
    (Part::Vae, "vae.", "encoder.conv_in.weight", Form::Ldm),
    (
        Part::TextEncoder,
        "cond_stage_model.transformer.",
        "text_model.embeddings.position_embedding.weight",
        Form::Today,
    ),
    (
        Part::TextEncoder,
        "cond_stage_model.transformer.",
        "embeddings.position_embedding.weight",
        Form::Today,
    ),
    (Part::TextEncoder, "cond_stage_model.model.", "positional_embedding", Form::OpenClipShort),
    (
        Part::TextEncoder,
        "conditioner.embedders.0.transformer.",
        "text_model.embeddings.position_embedding.weight",
        Form::Today,
    ),
    (Part::TextEncoder2, "conditioner.embedders.1.model.", "positional_embedding", Form::OpenClip),
    (Part::ControlNet(0), "control_model.", "input_hint_block.0.weight", Form::Ldm),
    // One part alone.
    (Part::ControlNet(0), "", "input_hint_block.0.weight", Form::Ldm),
    (Part::ControlNet(0), "", "controlnet_cond_embedding.conv_in.weight", Form::Today),
    (Part::Unet, "", "input_blocks.0.0.weight", Form::Ldm),
    (Part::Unet, "", "down_blocks.0.resnets.0.norm1.weight", Form::Today),
    (Part::Vae, "", "encoder.down.0.block.0.norm1.weight", Form::Ldm),
    (Part::Vae, "", "encoder.down_blocks.0.resnets.0.norm1.weight", Form::Today),
];

/// A checkpoint of one file that was recognised.
pub struct SingleFile {
    shapes: Shapes,
    found: Vec<Found>,
    metadata: BTreeMap<String, String>,
}

impl SingleFile {
    /// Looks at the names and shapes of the file at `path`.
    ///
    /// # Errors
    /// Where it cannot be read, is a pickle, or holds no part that is known.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        if super::part::is_pickle(path) {
            return Err(ModelError::file(path, super::part::PICKLE));
        }
        let mapped = map_weights(path).map_err(|cause| ModelError::file(path, cause))?;
        let shapes: BTreeMap<String, Vec<usize>> = mapped
            .tensors()
            .into_iter()
            .map(|(name, view)| (name, view.shape().to_vec()))
            .collect();
        let metadata = super::disk::safetensors_metadata(path)?;
        Self::recognise(shapes, metadata).map_err(|cause| ModelError::file(path, cause))
    }

    /// Recognises a checkpoint by the names and shapes of its tensors.
    ///
    /// # Errors
    /// Where it holds no part that is known.
    pub fn recognise(
        shapes: BTreeMap<String, Vec<usize>>,
        metadata: BTreeMap<String, String>,
    ) -> Result<Self, String> {
        if shapes.contains_key("conditioner.embedders.0.model.positional_embedding") {
            return Err("is the refiner of Stable Diffusion XL, which is not supported".into());
        }
        let mut found: Vec<Found> = Vec::new();
        for (part, prefix, sign, form) in PLACES {
            let alone = prefix.is_empty() && !found.is_empty();
            let known = found.iter().any(|other| other.part == part);
            if !alone && !known && shapes.contains_key(&format!("{prefix}{sign}")) {
                found.push(Found { part, prefix, form });
            }
        }
        if found.is_empty() {
            return Err(
                "holds no network of Stable Diffusion 1, 2 or XL that is known by its names".into(),
            );
        }
        Ok(Self { shapes: Shapes(shapes), found, metadata })
    }

    /// The parts of the checkpoint.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        self.found.iter().map(|found| found.part)
    }

    /// Names of tensors that belong to no part, and are left out.
    pub fn left_out(&self) -> Vec<&str> {
        let in_part = |name: &str| self.found.iter().any(|found| name.starts_with(found.prefix));
        self.shapes.0.keys().map(String::as_str).filter(|name| !in_part(name)).collect()
    }

    fn of(&self, part: Part) -> Option<Found> {
        self.found.iter().find(|found| found.part == part).copied()
    }

    /// The shapes of a part's tensors, by their names without the prefix.
    fn inside(&self, found: Found) -> Shapes {
        let inside = self.shapes.0.iter().filter_map(|(name, shape)| {
            Some((name.strip_prefix(found.prefix)?.to_owned(), shape.clone()))
        });
        Shapes(inside.collect())
    }

    /// diffusers' configuration of a part, from the shapes of its weights; nothing where the checkpoint
    /// has no such part.
    ///
    /// # Errors
    /// Where the shapes are those of no network that is known; the error says what to give instead.
    pub fn config(&self, part: Part, wishes: &Wishes) -> Option<Result<Value, String>> {
        let found = self.of(part)?;
        Some(configs::of(self, found, wishes))
    }

    /// diffusers' configuration of the scheduler with which the checkpoint was trained, as far as its
    /// kind tells.
    pub fn scheduler(&self, wishes: &Wishes) -> Value {
        configs::scheduler(self, wishes)
    }

    /// Sides of the square image in training, in pixels, as far as the checkpoint's kind tells.
    pub fn image_size(&self, wishes: &Wishes) -> usize {
        configs::image_size(self, wishes)
    }

    /// The weights of a part in the file at `path`, under diffusers' names; nothing is copied. Names that
    /// diffusers does not have stay as they are, for whoever loads the network to report.
    ///
    /// # Errors
    /// Where the checkpoint has no such part, or cannot be mapped.
    pub fn stored(&self, path: &Path, part: Part) -> Result<Stored, ModelError> {
        let fault = |cause: String| ModelError::file(path, cause);
        let found = self.of(part).ok_or_else(|| fault(format!("has no {}", part.folder())))?;
        let inside = self.inside(found);
        let rename = Rename::of(found, &inside).map_err(fault)?;
        let mapped = map_weights(path).map_err(|cause| fault(cause.to_string()))?;
        Stored::renamed(mapped, |name| match name.strip_prefix(found.prefix) {
            Some(name) => rename.names(name),
            None => Vec::new(),
        })
        .map_err(fault)
    }
}

/// How the names of one part become diffusers'.
struct Rename {
    found: Found,
    /// Residual blocks of a level of the UNet, levels of the autoencoder, or layers of the text encoder.
    count: usize,
    /// The last number of a ControlNet's block over the condition.
    last: usize,
}

impl Rename {
    fn of(found: Found, inside: &Shapes) -> Result<Self, String> {
        let count = match (found.part, found.form) {
            (_, Form::Today) | (Part::T2iAdapter, _) => 0,
            (Part::Unet | Part::ControlNet(_), _) => inside.layers_of_a_level()?,
            (Part::Vae, _) => inside.count("encoder.down."),
            (Part::TextEncoder | Part::TextEncoder2, _) => inside.count("transformer.resblocks."),
        };
        Ok(Self { found, count, last: inside.last("input_hint_block.").unwrap_or(0) })
    }

    /// What the tensor `name`, without its prefix, holds.
    fn names(&self, name: &str) -> Vec<(String, Cut)> {
        let whole = |renamed: Option<String>| {
            vec![(renamed.unwrap_or_else(|| name.to_owned()), Cut::Whole)]
        };
        match (self.found.part, self.found.form) {
            (_, Form::Today) | (Part::T2iAdapter, Form::Ldm) => whole(None),
            (_, Form::OpenClip | Form::OpenClipShort) => {
                let short = self.found.form == Form::OpenClipShort;
                let last = format!("transformer.resblocks.{}.", self.count.saturating_sub(1));
                let unused = name == "logit_scale"
                    || name == "attn_mask"
                    || (short && (name == "text_projection" || name.starts_with(&last)));
                match names::open_clip(name) {
                    _ if unused => Vec::new(),
                    none if none.is_empty() => whole(None),
                    renamed => renamed,
                }
            }
            (Part::Vae, Form::Ldm) => match names::vae(name, self.count) {
                Some(renamed) => vec![renamed],
                // Weights of the loss, which training left.
                None if name.starts_with("loss.") => Vec::new(),
                None => whole(None),
            },
            (Part::ControlNet(_), Form::Ldm) => {
                whole(names::controlnet(name, self.count, self.last))
            }
            (Part::Unet | Part::TextEncoder | Part::TextEncoder2, Form::Ldm) => {
                whole(names::unet(name, self.count))
            }
        }
    }
}
