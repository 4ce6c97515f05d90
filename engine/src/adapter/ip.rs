//! IP-Adapter: an image as a prompt (Ye et al., arXiv 2308.06721), in the form in which it is published.
//!
//! `image_proj.*` makes tokens of what an image encoder gives; `ip_adapter.{n}.to_k_ip` and `to_v_ip` make keys
//! and values of them for a cross-attention of the UNet. n counts all attentions as diffusers does – down, up,
//! middle, each block's self-attention before its cross-attention – so that cross-attentions have 1, 3, 5 …

use std::path::Path;

use candle_core::{DType, Device, Result, Tensor};
use serde::Serialize;

use super::error::AdapterError;
use super::image_projection::{ImageProjection, Shapes};
use super::read::stem;
use super::reader::Reader;
use crate::kernel::map_weights;
use crate::model::{
    CrossAttention, ModelError, VisionConfig, VisionEncoder, VisionOutput, sha256_file,
};
use crate::nn::{ImageContext, Stored, Weights};

/// What an IP-Adapter's file says of itself, without a UNet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImagePrompts {
    /// Cross-attentions of the UNet that it is for.
    pub cross_attentions: usize,
    /// Width of its tokens, which is that of the UNet's text.
    pub width: usize,
    /// Tokens of an image; none where there is one for each of the image encoder's.
    pub tokens: Option<usize>,
}

/// Whether a tensor of this name is an IP-Adapter's.
pub(super) fn is_part(name: &str) -> bool {
    name.starts_with("ip_adapter.") || name.starts_with("image_proj.")
}

/// Kind and size of the IP-Adapter in a file; nothing where the file holds none.
///
/// # Errors
/// Where it is cut off, or keys have no shape of keys.
pub(super) fn describe(
    path: &Path,
) -> std::result::Result<Option<(&'static str, ImagePrompts)>, AdapterError> {
    if !path.is_file() {
        return Ok(None);
    }
    let stored = Stored::from(map_weights(path).map_err(|cause| ModelError::file(path, cause))?);
    let keys: Vec<&str> = stored.names().filter(|name| is_keys(name)).collect();
    let Some(first) = keys.first() else { return Ok(None) };
    let Some([_, width]) = stored.shape(first).and_then(|shape| <[usize; 2]>::try_from(shape).ok())
    else {
        return Err(ModelError::file(path, format!("{first}: must have two axes")).into());
    };
    let (kind, tokens) = Shapes::of(&stored).kind(width);
    Ok(Some((kind, ImagePrompts { cross_attentions: keys.len(), width, tokens })))
}

/// Whether a tensor of this name makes the keys of a cross-attention.
fn is_keys(name: &str) -> bool {
    name.starts_with("ip_adapter.") && name.ends_with(".to_k_ip.weight")
}

/// Weights that let a UNet take images as prompts. The UNet stays as it is: what an image shows is handed to
/// it with each question.
pub struct IpAdapter {
    projection: ImageProjection,
    /// One for each cross-attention.
    readers: Vec<Reader>,
    name: String,
    sha256: String,
}

impl IpAdapter {
    /// Reads a published file for a UNet with these [`cross_attentions`](crate::model::Unet::cross_attentions)
    /// and for an image encoder.
    ///
    /// # Errors
    /// [`AdapterError::WrongBase`] where it is for another UNet; where it is for another encoder or for faces;
    /// where the file is a pickle, cut off, holds what is no number, or lacks a weight or has one too many.
    pub fn open(
        path: &Path,
        cross_attentions: &[CrossAttention],
        encoder: &VisionConfig,
        device: &Device,
    ) -> std::result::Result<Self, AdapterError> {
        let ends_in =
            |wanted| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(wanted));
        if !path.is_file() && !ends_in("bin") {
            return Err(ModelError::file(path, "is missing").into());
        }
        if !ends_in("safetensors") {
            let cause = "is no .safetensors file. IP-Adapters that are published as .bin are pickles, which can \
                         run programs; their authors publish the same weights as .safetensors";
            return Err(ModelError::file(path, cause).into());
        }
        let file = map_weights(path).map_err(|cause| ModelError::file(path, cause))?;
        let stored = Stored::from(file);
        fits_unet(&stored, cross_attentions)
            .map_err(|cause| AdapterError::WrongBase { path: path.to_owned(), cause })?;
        let shapes = Shapes::of(&stored);
        let weights = Weights::from_file(stored, false, DType::F32, device);
        let width = cross_attentions.first().map_or(0, |attention| attention.context);
        let projection = ImageProjection::new(&shapes, &weights, encoder, width)?;
        let reader = |(index, attention): (usize, &CrossAttention)| {
            let weights = weights.pp("ip_adapter").pp(2 * index + 1);
            Reader::new(attention.context, attention.inner, ["to_k_ip", "to_v_ip"], &weights)
        };
        let readers = cross_attentions.iter().enumerate().map(reader).collect::<Result<_>>()?;
        weights.finish().map_err(|cause| ModelError::file(path, cause))?;
        Ok(Self { projection, readers, name: stem(path), sha256: sha256_file(path)? })
    }

    /// The file's name, without its ending.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Tokens `[batch, tokens, width]` of what the encoder saw.
    pub fn tokens(&self, seen: &VisionOutput) -> Result<Tensor> {
        self.projection.tokens(seen)
    }

    /// Tokens `[1, tokens, width]` that stand for no image, for guidance to lead away from: of an embedding of
    /// zeros, or of an image of zeros where the adapter reads the encoder's tokens, as in diffusers.
    pub fn no_tokens(&self, encoder: &VisionEncoder) -> Result<Tensor> {
        self.projection.tokens(&self.projection.nothing(encoder)?)
    }

    /// What [`UnetInput::images`](crate::model::UnetInput::images) is for prompts of `tokens`
    /// `[batch, tokens, width]`, each with its scale. Each prompt is seen by itself, as diffusers has it where
    /// the adapter is loaded once for each. One of scale 0 is left out.
    pub fn images(&self, prompts: &[(Tensor, f64)]) -> Result<Vec<Vec<ImageContext>>> {
        let each = |reader: &Reader| {
            let seen = prompts.iter().filter(|(_, scale)| scale.abs() > 0.0);
            seen.map(|(tokens, scale)| {
                let (keys, values) = reader.read(tokens)?;
                Ok(ImageContext { keys, values, scale: *scale })
            })
            .collect()
        };
        self.readers.iter().map(each).collect()
    }
}

/// # Errors
/// How the UNet differs from the one that the adapter was trained on.
fn fits_unet(
    stored: &Stored,
    cross_attentions: &[CrossAttention],
) -> std::result::Result<(), String> {
    let has = stored.names().filter(|name| is_keys(name)).count();
    if has == 0 {
        return Err("is no IP-Adapter: it has no ip_adapter.*.to_k_ip.weight".to_owned());
    }
    let wants = cross_attentions.len();
    if has != wants {
        return Err(format!(
            "is for another model: it has keys for {has} cross-attentions, and this model has {wants}"
        ));
    }
    for (index, attention) in cross_attentions.iter().enumerate() {
        let number = 2 * index + 1;
        let CrossAttention { context, inner } = *attention;
        let shape = stored.shape(&format!("ip_adapter.{number}.to_k_ip.weight"));
        match shape.as_deref() {
            Some([rows, columns]) if (*rows, *columns) != (inner, context) => {
                return Err(format!(
                    "is for another model: keys of cross-attention {number} are {rows} wide and made of tokens \
                     {columns} wide, and this model has {inner} and {context}"
                ));
            }
            // What is missing is listed with all else that is.
            Some(_) | None => {}
        }
    }
    Ok(())
}
