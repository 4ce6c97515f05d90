//! What a network is told of a class beside the time: the noise in an upscaler's image, or an image's
//! embedding in unCLIP.

use candle_core::{DType, Result, Tensor, bail};

use super::unet_config::UnetConfig;
use crate::nn::{Init, Linear, TimestepEmbedding, Weights};

/// From a class to what is added to the time embedding.
pub(super) enum ClassEmbedding {
    /// A row of a table, `[classes, width]`.
    Table(Tensor),
    /// As a timestep is embedded.
    Timestep(TimestepEmbedding),
    /// As it is.
    Identity,
    /// Two linear layers.
    Projection(TimestepEmbedding),
    /// One.
    Simple(Linear),
}

impl ClassEmbedding {
    /// Nothing for a network that is told none.
    pub(super) fn new(config: &UnetConfig, weights: &Weights) -> Result<Option<Self>> {
        let width = config.time_width();
        let given = || match config.projection_class_embeddings_input_dim {
            Some(given) => Ok(given),
            None => bail!("class_embed_type needs projection_class_embeddings_input_dim"),
        };
        Ok(match (config.options.class_embed_type.as_deref(), config.options.num_class_embeds) {
            (None, None) => None,
            (None, Some(classes)) => {
                let table = weights.get("weight", (classes, width), Init::Normal(1.0))?;
                Some(Self::Table(table))
            }
            (Some("timestep"), _) => {
                let first = config.block_out_channels[0];
                Some(Self::Timestep(TimestepEmbedding::new(first, width, weights)?))
            }
            (Some("identity"), _) => Some(Self::Identity),
            (Some("projection"), _) => {
                Some(Self::Projection(TimestepEmbedding::new(given()?, width, weights)?))
            }
            (Some("simple_projection"), _) => {
                Some(Self::Simple(Linear::new(given()?, width, weights)?))
            }
            (Some(other), _) => bail!("class_embed_type: {other} is not known"),
        })
    }

    /// Classes `[batch]`, or vectors `[batch, any]`, to `[batch, width]`. `embed` makes sines and cosines of
    /// numbers.
    pub(super) fn forward(
        &self,
        classes: &Tensor,
        embed: &dyn Fn(&[f64]) -> Result<Tensor>,
    ) -> Result<Tensor> {
        match self {
            Self::Table(table) => {
                let classes: Vec<f64> = numbers(classes)?;
                let rows = table.dim(0)?;
                if classes
                    .iter()
                    .any(|class| class.fract() != 0.0 || !(0.0..rows as f64).contains(class))
                {
                    bail!("class_labels must be whole numbers below {rows}");
                }
                let classes: Vec<u32> = classes.into_iter().map(|class| class as u32).collect();
                let count = classes.len();
                table.index_select(&Tensor::from_vec(classes, count, table.device())?, 0)
            }
            Self::Timestep(embedding) => embedding.forward(&embed(&numbers(classes)?)?),
            Self::Identity => Ok(classes.clone()),
            Self::Projection(embedding) => embedding.forward(classes),
            Self::Simple(linear) => linear.forward(classes),
        }
    }
}

fn numbers(classes: &Tensor) -> Result<Vec<f64>> {
    classes.flatten_all()?.to_dtype(DType::F64)?.to_vec1()
}
