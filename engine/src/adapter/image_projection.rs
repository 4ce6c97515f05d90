//! From what an image encoder gives to tokens that a UNet attends to: the `image_proj` half of an IP-Adapter.

use std::collections::BTreeMap;

use candle_core::{DType, Result, Tensor};

use super::error::AdapterError;
use crate::model::{VisionConfig, VisionEncoder, VisionOutput};
use crate::nn::{Init, LayerNorm, Linear, Stored, Weights, attend};

/// Tokens of the first kind, as in diffusers.
const TOKENS: usize = 4;
/// Width of a head of the resampler, as in diffusers.
const HEAD: usize = 64;
/// Layers of a resampler; published ones have four.
const MOST_LAYERS: usize = 32;
const EPSILON: f64 = 1e-5;

/// The three kinds that are published.
pub(super) enum ImageProjection {
    /// IP-Adapter: tokens of the image's embedding (diffusers' `ImageProjection`).
    Embedding { proj: Linear, norm: LayerNorm },
    /// IP-Adapter Full: a token for each of the encoder's (diffusers' `IPAdapterFullImageProjection`).
    Full { first: Linear, second: Linear, norm: LayerNorm },
    /// IP-Adapter Plus: tokens that ask the encoder's (diffusers' `IPAdapterPlusImageProjection`).
    Plus(Resampler),
}

/// A perceiver (Jaegle et al., arXiv 2103.03206) as IP-Adapter Plus has it.
pub(super) struct Resampler {
    latents: Tensor,
    proj_in: Linear,
    layers: Vec<ResamplerLayer>,
    proj_out: Linear,
    norm_out: LayerNorm,
}

struct ResamplerLayer {
    norm1: LayerNorm,
    norm2: LayerNorm,
    to_q: Linear,
    to_kv: Linear,
    to_out: Linear,
    norm: LayerNorm,
    up: Linear,
    down: Linear,
    inner: usize,
}

impl ResamplerLayer {
    /// The two halves of a layer are numbered in the file: attention and feed-forward.
    fn new(width: usize, inner: usize, weights: &Weights) -> Result<Self> {
        let (attention, feed) = (weights.pp("0"), weights.pp("1"));
        let bare = |input, output, weights: &Weights| Linear::without_bias(input, output, weights);
        Ok(Self {
            norm1: LayerNorm::new(width, EPSILON, &attention.pp("norm1"))?,
            norm2: LayerNorm::new(width, EPSILON, &attention.pp("norm2"))?,
            to_q: bare(width, inner, &attention.pp("to_q"))?,
            to_kv: bare(width, 2 * inner, &attention.pp("to_kv"))?,
            to_out: bare(inner, width, &attention.pp("to_out"))?,
            norm: LayerNorm::new(width, EPSILON, &feed.pp("0"))?,
            up: bare(width, 4 * width, &feed.pp("1"))?,
            down: bare(4 * width, width, &feed.pp("3"))?,
            inner,
        })
    }

    /// `latents` `[batch, tokens, width]` ask `x` and themselves.
    fn forward(&self, x: &Tensor, latents: &Tensor) -> Result<Tensor> {
        let (x, asking) = (self.norm1.forward(x)?, self.norm2.forward(latents)?);
        let all = self.to_kv.forward(&Tensor::cat(&[&x, &asking], 1)?)?;
        let keys = all.narrow(2, 0, self.inner)?;
        let values = all.narrow(2, self.inner, self.inner)?;
        let seen = attend(&self.to_q.forward(&asking)?, &keys, &values, self.inner / HEAD, None)?;
        let latents = (latents + self.to_out.forward(&seen)?)?;
        let y = self.up.forward(&self.norm.forward(&latents)?)?.gelu_erf()?;
        latents + self.down.forward(&y)?
    }
}

impl ImageProjection {
    /// The projection in `weights`, whose tensors have the shapes `shapes`, for the tokens of `encoder` and a
    /// context `width` wide.
    ///
    /// # Errors
    /// Where it is of no known kind, or for another encoder. Another width is found by the weights.
    pub(super) fn new(
        shapes: &Shapes,
        weights: &Weights,
        encoder: &VisionConfig,
        width: usize,
    ) -> std::result::Result<Self, AdapterError> {
        let weights = weights.pp("image_proj");
        if let Some([_, embedding]) = shapes.matrix("proj.weight") {
            fits_encoder("projection_dim", embedding, encoder.projection_dim)?;
            return Ok(Self::Embedding {
                proj: Linear::new(embedding, TOKENS * width, &weights.pp("proj"))?,
                norm: LayerNorm::new(width, EPSILON, &weights.pp("norm"))?,
            });
        }
        if shapes.holds("perceiver_resampler.proj_in.weight") || shapes.holds("norm.weight") {
            return fault(
                "is an adapter for faces (FaceID): it asks for a network that knows people",
            );
        }
        if shapes.holds("proj.3.weight") {
            let Some([_, hidden]) = shapes.matrix("proj.0.weight") else {
                return fault("lacks image_proj.proj.0.weight");
            };
            fits_encoder("hidden_size", hidden, encoder.hidden_size)?;
            return Ok(Self::Full {
                first: Linear::new(hidden, hidden, &weights.pp("proj.0"))?,
                second: Linear::new(hidden, width, &weights.pp("proj.2"))?,
                norm: LayerNorm::new(width, EPSILON, &weights.pp("proj.3"))?,
            });
        }
        if !shapes.holds("latents") {
            return fault("image_proj is of no kind that is known (IP-Adapter, Plus, Full)");
        }
        Self::plus(shapes, &weights, encoder, width)
    }

    fn plus(
        shapes: &Shapes,
        weights: &Weights,
        encoder: &VisionConfig,
        width: usize,
    ) -> std::result::Result<Self, AdapterError> {
        let (Some([hidden, embedding]), Some([inner, _])) =
            (shapes.matrix("proj_in.weight"), shapes.matrix("layers.0.0.to_q.weight"))
        else {
            return fault("lacks image_proj.proj_in or the first of image_proj.layers");
        };
        let tokens = match shapes.0.get("latents").map(Vec::as_slice) {
            Some([1, tokens, _]) if *tokens > 0 => *tokens,
            _ => return fault("image_proj.latents must have three axes, the first of length one"),
        };
        if inner == 0 || !inner.is_multiple_of(HEAD) {
            return fault("image_proj: its heads must be 64 wide");
        }
        let depth = (0..=MOST_LAYERS)
            .take_while(|layer| shapes.holds(&format!("layers.{layer}.0.to_q.weight")))
            .count();
        if depth > MOST_LAYERS {
            return fault("image_proj has more than 32 layers");
        }
        fits_encoder("hidden_size", embedding, encoder.hidden_size)?;
        Ok(Self::Plus(Resampler {
            latents: weights.get("latents", (1, tokens, hidden), Init::Zeros)?,
            proj_in: Linear::new(embedding, hidden, &weights.pp("proj_in"))?,
            layers: (0..depth)
                .map(|layer| ResamplerLayer::new(hidden, inner, &weights.pp("layers").pp(layer)))
                .collect::<Result<_>>()?,
            proj_out: Linear::new(hidden, width, &weights.pp("proj_out"))?,
            norm_out: LayerNorm::new(width, EPSILON, &weights.pp("norm_out"))?,
        }))
    }

    /// Tokens `[batch, tokens, width]` of what the encoder saw.
    pub(super) fn tokens(&self, seen: &VisionOutput) -> Result<Tensor> {
        match self {
            Self::Embedding { proj, norm } => {
                let tokens = proj.forward(&seen.image_embeds)?;
                let (batch, all) = tokens.dims2()?;
                norm.forward(&tokens.reshape((batch, TOKENS, all / TOKENS))?)
            }
            Self::Full { first, second, norm } => {
                let y = first.forward(&seen.penultimate)?.gelu_erf()?;
                norm.forward(&second.forward(&y)?)
            }
            Self::Plus(resampler) => {
                let x = resampler.proj_in.forward(&seen.penultimate)?;
                let (_, tokens, width) = resampler.latents.dims3()?;
                let shape = (x.dim(0)?, tokens, width);
                let mut latents = resampler.latents.broadcast_as(shape)?.contiguous()?;
                for layer in &resampler.layers {
                    latents = layer.forward(&x, &latents)?;
                }
                resampler.norm_out.forward(&resampler.proj_out.forward(&latents)?)
            }
        }
    }

    /// What stands for no image in `[1, …]`, as diffusers has it: an embedding of zeros, or what the encoder
    /// says of an image of zeros where its tokens are asked.
    pub(super) fn nothing(&self, encoder: &VisionEncoder) -> Result<VisionOutput> {
        let config = encoder.config();
        let size = config.image_size;
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, encoder.device());
        match self {
            Self::Embedding { .. } => Ok(VisionOutput {
                image_embeds: zeros(&[1, config.projection_dim])?,
                penultimate: zeros(&[1, config.tokens(), config.hidden_size])?,
            }),
            Self::Full { .. } | Self::Plus(_) => encoder.encode(&zeros(&[1, 3, size, size])?),
        }
    }
}

/// The shapes of the tensors under `image_proj.` of a file, by the rest of their names.
pub(super) struct Shapes(BTreeMap<String, Vec<usize>>);

impl Shapes {
    pub(super) fn of(stored: &Stored) -> Self {
        let shape =
            |name: &str| Some((name.strip_prefix("image_proj.")?.to_owned(), stored.shape(name)?));
        Self(stored.names().filter_map(shape).collect())
    }

    /// What kind it is, and how many tokens it makes of `width` each; none where the encoder says.
    pub(super) fn kind(&self, width: usize) -> (&'static str, Option<usize>) {
        if let Some([rows, _]) = self.matrix("proj.weight") {
            ("ip_adapter", rows.checked_div(width))
        } else if let Some([_, tokens, _]) = self.0.get("latents").map(Vec::as_slice) {
            ("ip_adapter_plus", Some(*tokens))
        } else if self.holds("proj.3.weight") {
            ("ip_adapter_full", None)
        } else {
            ("ip_adapter_faceid", None)
        }
    }

    fn holds(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn matrix(&self, name: &str) -> Option<[usize; 2]> {
        self.0.get(name)?.as_slice().try_into().ok()
    }
}

fn fits_encoder(what: &str, its: usize, ours: usize) -> std::result::Result<(), AdapterError> {
    if its == ours {
        return Ok(());
    }
    fault(format!(
        "was trained with another image encoder: it reads {its} values, and the encoder's {what} is {ours}"
    ))
}

fn fault<T>(cause: impl Into<String>) -> std::result::Result<T, AdapterError> {
    Err(AdapterError::Config { field: "ip_adapter", cause: cause.into() })
}
