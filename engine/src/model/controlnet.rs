//! A network that leads another by a condition image, in the layout of diffusers' `ControlNetModel`
//! (Zhang et al., arXiv 2302.05543).

use candle_core::{DType, Device, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::bundle::Bundle;
use super::error::ModelError;
use super::part::Part;
use super::unet_blocks::{Bottom, Converted, Residuals, UnetInput, WayDown};
use super::unet_config::UnetConfig;
use crate::kernel::silu;
use crate::nn::{Conv2d, Tape, Weights, to_map};

/// `controlnet/config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlNetConfig {
    /// Channels of the condition image.
    #[serde(default = "three")]
    pub conditioning_channels: usize,
    /// `rgb`, or `bgr` where the network was taught it so.
    #[serde(default = "rgb")]
    pub controlnet_conditioning_channel_order: String,
    /// Channels of the condition's embedding, a halving of the sides between each and the next.
    #[serde(default = "embedding")]
    pub conditioning_embedding_out_channels: Vec<usize>,
    /// What is added is averaged over the map.
    #[serde(default)]
    pub global_pool_conditions: bool,
    /// The way down, a copy of the network's that is led.
    #[serde(flatten)]
    pub network: UnetConfig,
}

/// Pixels to a side of a latent value in all of Stable Diffusion.
const DIFFUSERS_COMPRESSION: usize = 8;

fn three() -> usize {
    3
}

fn rgb() -> String {
    "rgb".into()
}

fn embedding() -> Vec<usize> {
    vec![16, 32, 96, 256]
}

impl ControlNetConfig {
    /// # Errors
    /// Where no network can be built from the values.
    pub fn validate(&self) -> std::result::Result<(), ModelError> {
        self.network.validate_down("controlnet")?;
        let fault = |field, cause: &str| {
            Err(ModelError::Config { part: "controlnet", field, cause: cause.to_owned() })
        };
        if !(1..=64).contains(&self.conditioning_channels) {
            return fault("conditioning_channels", "must lie between 1 and 64");
        }
        if !matches!(self.controlnet_conditioning_channel_order.as_str(), "rgb" | "bgr") {
            return fault("controlnet_conditioning_channel_order", "must be rgb or bgr");
        }
        let channels = &self.conditioning_embedding_out_channels;
        if !(1..=8).contains(&channels.len()) || channels.iter().any(|c| !(1..=8192).contains(c)) {
            let cause = "must have between 1 and 8 numbers between 1 and 8192";
            return fault("conditioning_embedding_out_channels", cause);
        }
        if self.network.mid_block_type.is_none() {
            return fault("mid_block_type", "must not be null");
        }
        Ok(())
    }

    /// A ControlNet of a network `unet` on latents of which a value stands for `compression` pixels a side.
    ///
    /// At 8 it is what diffusers makes of such a network, so that its pipelines take it. At any other
    /// compression the condition's embedding has as many halvings as the latent needs, and few channels
    /// where maps are large: it is computed at the image's size, where it would cost more than the network.
    ///
    /// # Errors
    /// Where `compression` is no power of two up to 128.
    pub fn from_unet(
        unet: &UnetConfig,
        compression: usize,
    ) -> std::result::Result<Self, ModelError> {
        if !compression.is_power_of_two() || compression > 128 {
            return Err(ModelError::Config {
                part: "controlnet",
                field: "conditioning_embedding_out_channels",
                cause: format!(
                    "halves the condition's sides, and a value of the latent stands for {compression} pixels a \
                     side, which is no power of two up to 128"
                ),
            });
        }
        let as_in_diffusers = compression == DIFFUSERS_COMPRESSION;
        let narrow = |level: u32| 8usize << level.min(4);
        Ok(Self {
            // A radiograph's condition is grey; diffusers' pipelines bring three channels.
            conditioning_channels: if as_in_diffusers { three() } else { 1 },
            controlnet_conditioning_channel_order: rgb(),
            conditioning_embedding_out_channels: if as_in_diffusers {
                embedding()
            } else {
                (0..=compression.trailing_zeros()).map(narrow).collect()
            },
            global_pool_conditions: false,
            network: UnetConfig {
                class_name: "ControlNetModel".into(),
                up_block_types: Vec::new(),
                ..unet.clone()
            },
        })
    }

    /// Pixels of the condition image to a side of one latent value.
    pub fn compression(&self) -> usize {
        1 << (self.conditioning_embedding_out_channels.len() - 1)
    }
}

/// From the condition image to the latent's size.
struct Embedding {
    conv_in: Conv2d,
    blocks: Vec<Conv2d>,
    conv_out: Conv2d,
}

impl Embedding {
    fn new(config: &ControlNetConfig, weights: &Weights) -> Result<Self> {
        let channels = &config.conditioning_embedding_out_channels;
        let first = config.network.block_out_channels[0];
        let mut blocks = Vec::new();
        for (level, pair) in channels.windows(2).enumerate() {
            let at = |index: usize| weights.pp("blocks").pp(index);
            blocks.push(Conv2d::new(pair[0], pair[0], 3, 1, 1, &at(2 * level))?);
            blocks.push(Conv2d::new(pair[0], pair[1], 3, 2, 1, &at(2 * level + 1))?);
        }
        let last = channels[channels.len() - 1];
        let image = config.conditioning_channels;
        Ok(Self {
            conv_in: Conv2d::new(image, channels[0], 3, 1, 1, &weights.pp("conv_in"))?,
            blocks,
            conv_out: Conv2d::zeroed(last, first, 3, &weights.pp("conv_out"))?,
        })
    }

    fn forward(&self, image: &Tensor) -> Result<Tensor> {
        let mut x = silu(&self.conv_in.forward(&to_map(image)?)?)?;
        for block in &self.blocks {
            x = silu(&block.forward(&x)?)?;
        }
        self.conv_out.forward(&x)
    }
}

/// A ControlNet.
pub struct ControlNet {
    down: WayDown,
    controlnet_cond_embedding: Embedding,
    controlnet_down_blocks: Vec<Conv2d>,
    controlnet_mid_block: Conv2d,
    config: ControlNetConfig,
    dtype: DType,
}

impl ControlNet {
    /// Builds the network from its weights. Fresh weights add nothing.
    pub fn new(config: ControlNetConfig, weights: &Weights) -> Result<Self> {
        let network = &config.network;
        let channels = &network.block_out_channels;
        // What every skip connection holds, from the image down.
        let mut widths = vec![channels[0]];
        for (level, width) in channels.iter().enumerate() {
            let shrinks = usize::from(level + 1 < channels.len());
            widths.extend(vec![*width; network.layers_per_block.at(level) + shrinks]);
        }
        let zero = |width: usize, weights: &Weights| Conv2d::zeroed(width, width, 1, weights);
        let embedding = weights.pp("controlnet_cond_embedding");
        Ok(Self {
            down: WayDown::new(network, weights)?,
            controlnet_cond_embedding: Embedding::new(&config, &embedding)?,
            controlnet_down_blocks: widths
                .iter()
                .enumerate()
                .map(|(index, width)| zero(*width, &weights.pp("controlnet_down_blocks").pp(index)))
                .collect::<Result<_>>()?,
            controlnet_mid_block: zero(
                channels[channels.len() - 1],
                &weights.pp("controlnet_mid_block"),
            )?,
            config,
            dtype: weights.dtype(),
        })
    }

    /// A ControlNet to train beside `bundle`'s UNet, with its weights: the way down is a copy of the UNet's,
    /// the condition's embedding comes from `seed`, and what leads into the UNet is zero, so that nothing is
    /// added yet.
    ///
    /// # Errors
    /// Where the UNet is missing or damaged, or is not the one that `config` was made of.
    pub fn from_unet(
        bundle: &Bundle,
        config: ControlNetConfig,
        seed: u64,
        device: &Device,
    ) -> std::result::Result<(Self, Weights), ModelError> {
        config.validate()?;
        let weights = Weights::grown(bundle.stored(Part::Unet)?, seed, DType::F32, device);
        let network = Self::new(config, &weights)?;
        let fault = |cause| ModelError::file(bundle.part_folder(Part::Unet), cause);
        weights.finish().map_err(fault)?;
        Ok((network, weights))
    }

    /// The configuration.
    pub fn config(&self) -> &ControlNetConfig {
        &self.config
    }

    /// What `condition` `[batch, channels, H, W]` between 0 and 1 adds to the network that is asked
    /// `input`.
    ///
    /// # Errors
    /// Where the condition has not the size of the image that is made.
    pub fn forward(&self, input: &UnetInput, condition: &Tensor) -> Result<Residuals> {
        self.forward_with(input, &self.hint(condition)?)
    }

    /// The embedding `[batch, h, w, first level's channels]` of `condition` `[batch, channels, H, W]`: the same
    /// at every step of a sampling.
    pub fn hint(&self, condition: &Tensor) -> Result<Tensor> {
        let condition = self.ordered(condition)?;
        self.controlnet_cond_embedding.forward(&condition)
    }

    /// As [`Self::forward`], with every block a piece of the `tape` where there is one, as in
    /// [`Unet::predict_on`](super::Unet::predict_on).
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_on<'a>(
        &'a self,
        input: &UnetInput,
        condition: &Tensor,
        tape: Option<&Tape<'a>>,
    ) -> Result<Residuals> {
        let embedding = &self.controlnet_cond_embedding;
        let hint = Tape::run(tape, &[&self.ordered(condition)?], move |condition| {
            embedding.forward(&condition[0])
        })?;
        self.residuals(input, &hint, tape)
    }

    /// As [`Self::forward`], of a condition's [`Self::hint`].
    pub fn forward_with(&self, input: &UnetInput, hint: &Tensor) -> Result<Residuals> {
        self.residuals(input, hint, None)
    }

    /// The condition in the order of channels and the number type that the network wants.
    fn ordered(&self, condition: &Tensor) -> Result<Tensor> {
        let condition = match self.config.controlnet_conditioning_channel_order.as_str() {
            "bgr" => {
                let order: Vec<u32> = (0..condition.dim(1)? as u32).rev().collect();
                let order = Tensor::new(order, condition.device())?;
                condition.index_select(&order, 1)?
            }
            _ => condition.clone(),
        };
        condition.to_dtype(self.dtype)
    }

    fn residuals<'a>(
        &'a self,
        input: &UnetInput,
        hint: &Tensor,
        tape: Option<&Tape<'a>>,
    ) -> Result<Residuals> {
        let asked = UnetInput { residuals: None, features: None, images: None, ..*input };
        let converted = Converted::new(&asked, self.dtype)?;
        let asked = converted.of(&asked);
        let Bottom { x, skips, .. } =
            self.down.forward(&self.config.network, &asked, Some(hint), tape)?;
        let pool = |x: Tensor| {
            if self.config.global_pool_conditions { x.mean_keepdim((1, 2)) } else { Ok(x) }
        };
        let down = skips.iter().zip(&self.controlnet_down_blocks);
        Ok(Residuals {
            down: down.map(|(skip, block)| pool(block.forward(skip)?)).collect::<Result<_>>()?,
            mid: pool(self.controlnet_mid_block.forward(&x)?)?,
        })
    }
}
