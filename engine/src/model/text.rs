//! The text encoder, in the layout of transformers' `CLIPTextModel` (Radford et al., arXiv 2103.00020).

use candle_core::{DType, Device, Result, Tensor, bail};
use serde::{Deserialize, Serialize};

use super::clip::{Activation, Layer, LayerSizes};
use super::error::ModelError;
use crate::nn::{Init, LayerNorm, Linear, Weights};

/// The token that ends a text in CLIP's own vocabulary, which transformers takes where a file names none.
const END_OF_CLIP: u32 = 49_407;

/// `text_encoder/config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextConfig {
    /// transformers' name of the class.
    #[serde(default = "architectures")]
    pub architectures: Vec<String>,
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Width of the embedding.
    pub hidden_size: usize,
    /// Width inside the feed-forward part.
    pub intermediate_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Heads of the attention.
    pub num_attention_heads: usize,
    /// The longest text, in tokens.
    pub max_position_embeddings: usize,
    /// `quick_gelu` or `gelu`.
    pub hidden_act: String,
    /// Keeps the norms finite.
    #[serde(default = "epsilon")]
    pub layer_norm_eps: f64,
    /// The token that ends and pads a text; where the file is without it, 49,407.
    #[serde(default)]
    pub eos_token_id: Option<u32>,
    /// Width of the projected text, where the class projects (`CLIPTextModelWithProjection`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projection_dim: Option<usize>,
}

fn architectures() -> Vec<String> {
    vec!["CLIPTextModel".into()]
}

fn epsilon() -> f64 {
    1e-5
}

impl TextConfig {
    /// # Errors
    /// Where no network can be built from the values.
    pub fn validate(&self) -> std::result::Result<(), ModelError> {
        let fault = |field, cause: &str| {
            Err(ModelError::Config { part: "text_encoder", field, cause: cause.to_owned() })
        };
        if !(1..=1_000_000).contains(&self.vocab_size) {
            return fault("vocab_size", "must lie between 1 and 1,000,000");
        }
        if !(1..=16_384).contains(&self.hidden_size)
            || self.num_attention_heads == 0
            || !self.hidden_size.is_multiple_of(self.num_attention_heads)
        {
            return fault(
                "hidden_size",
                "must be a multiple of num_attention_heads, 16,384 at most",
            );
        }
        if !(1..=65_536).contains(&self.intermediate_size) {
            return fault("intermediate_size", "must lie between 1 and 65,536");
        }
        if !(1..=128).contains(&self.num_hidden_layers) {
            return fault("num_hidden_layers", "must lie between 1 and 128");
        }
        if !(2..=8192).contains(&self.max_position_embeddings) {
            return fault("max_position_embeddings", "must lie between 2 and 8192");
        }
        if self.projects() && !(1..=16_384).contains(&self.projection_dim.unwrap_or(0)) {
            return fault("projection_dim", "must lie between 1 and 16,384");
        }
        if Activation::named(&self.hidden_act).is_none() {
            return fault("hidden_act", "must be quick_gelu or gelu");
        }
        Ok(())
    }

    fn layer(&self) -> Result<LayerSizes> {
        let Some(activation) = Activation::named(&self.hidden_act) else {
            bail!("hidden_act must be quick_gelu or gelu");
        };
        Ok(LayerSizes {
            width: self.hidden_size,
            inner: self.intermediate_size,
            heads: self.num_attention_heads,
            epsilon: self.layer_norm_eps,
            activation,
        })
    }

    /// Whether the pooled text is projected, as in the second encoder of Stable Diffusion XL.
    fn projects(&self) -> bool {
        self.architectures.iter().any(|class| class == "CLIPTextModelWithProjection")
    }
}

/// What a text encoder gives.
pub struct TextOutput {
    /// After the last norm, `[batch, length, width]`.
    pub last_hidden_state: Tensor,
    /// Before the last layer, without a norm, `[batch, length, width]`: what Stable Diffusion XL attends to.
    pub penultimate: Tensor,
    /// Of the token that ends the text, `[batch, width]`, projected where the class projects.
    pub pooled: Tensor,
}

/// The text encoder.
pub struct TextEncoder {
    token_embedding: Tensor,
    /// Vectors of words that were learned beside the vocabulary, and the first of their tokens.
    learned: Option<(u32, Tensor)>,
    position_embedding: Tensor,
    layers: Vec<Layer>,
    final_layer_norm: LayerNorm,
    text_projection: Option<Linear>,
    config: TextConfig,
}

impl TextEncoder {
    /// Builds the network from its weights.
    pub fn new(config: TextConfig, weights: &Weights) -> Result<Self> {
        // transformers wrote this prefix up to version 4, and leaves it out from 5 on.
        let bare = weights.holds("final_layer_norm.weight");
        let text_projection = match config.projection_dim {
            Some(width) if config.projects() => {
                let weights = weights.pp("text_projection");
                Some(Linear::without_bias(config.hidden_size, width, &weights)?)
            }
            _ => None,
        };
        let weights = if bare { weights.clone() } else { weights.pp("text_model") };
        let embeddings = weights.pp("embeddings");
        let width = config.hidden_size;
        let init = Init::Normal(0.02);
        let token_embedding =
            embeddings.pp("token_embedding").get("weight", (config.vocab_size, width), init)?;
        let position_embedding = embeddings.pp("position_embedding").get(
            "weight",
            (config.max_position_embeddings, width),
            init,
        )?;
        let sizes = config.layer()?;
        let layers = (0..config.num_hidden_layers)
            .map(|index| Layer::new(sizes, &weights.pp("encoder.layers").pp(index)))
            .collect::<Result<_>>()?;
        Ok(Self {
            token_embedding,
            learned: None,
            position_embedding,
            layers,
            final_layer_norm: LayerNorm::new(
                width,
                config.layer_norm_eps,
                &weights.pp("final_layer_norm"),
            )?,
            text_projection,
            config,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &TextConfig {
        &self.config
    }

    /// Where its weights are.
    pub fn device(&self) -> &Device {
        self.token_embedding.device()
    }

    /// Gives the tokens from `first` on the vectors `rows` `[tokens, width]`, in place of those learned
    /// before; none takes them away. The vocabulary's own stay as they are.
    ///
    /// # Errors
    /// Where the vectors have another width.
    pub fn learn(&mut self, first: u32, rows: Option<Tensor>) -> Result<()> {
        if let Some(rows) = &rows
            && rows.dims2()?.1 != self.config.hidden_size
        {
            bail!("vectors of {:?}, not of {} numbers", rows.dims(), self.config.hidden_size);
        }
        self.learned = rows.map(|rows| (first, rows));
        Ok(())
    }

    /// The vectors that the vocabulary has for `tokens`, `[tokens, width]`.
    ///
    /// # Errors
    /// Where a token is none of the vocabulary.
    pub fn vectors(&self, tokens: &[u32]) -> Result<Tensor> {
        self.token_embedding.index_select(&Tensor::new(tokens, self.device())?, 0)?.contiguous()
    }

    /// Tokens `[n]` to their vectors `[n, width]`.
    fn embed(&self, tokens: &Tensor) -> Result<Tensor> {
        let Some((first, learned)) = &self.learned else {
            return self.token_embedding.index_select(tokens, 0);
        };
        let learned = learned.to_dtype(self.token_embedding.dtype())?;
        let rows =
            tokens.to_vec1::<u32>()?.into_iter().map(|token| match token.checked_sub(*first) {
                Some(row) => learned.get(row as usize),
                None => self.token_embedding.get(token as usize),
            });
        Tensor::stack(&rows.collect::<Result<Vec<_>>>()?, 0)
    }

    /// Tokens `[batch, length]` to embeddings `[batch, length, width]` after the last norm.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        self.final_layer_norm.forward(&self.layers(tokens)?.1)
    }

    /// As [`Self::forward`], and as [`Self::encode`]'s penultimate state, `skipped` layers earlier.
    ///
    /// # Errors
    /// Where there are not so many layers.
    pub fn earlier(&self, tokens: &Tensor, skipped: usize) -> Result<(Tensor, Tensor)> {
        let Some(taken) = self.layers.len().checked_sub(skipped).filter(|taken| *taken > 0) else {
            bail!("{skipped} layers left out of {}", self.layers.len());
        };
        let (before, last) = self.first_layers(tokens, taken)?;
        Ok((self.final_layer_norm.forward(&last)?, before))
    }

    /// All that the encoder says of tokens `[batch, length]`.
    pub fn encode(&self, tokens: &Tensor) -> Result<TextOutput> {
        let (penultimate, last) = self.layers(tokens)?;
        let last_hidden_state = self.final_layer_norm.forward(&last)?;
        let ends = self.ends(tokens)?;
        let mut pooled = Vec::with_capacity(ends.len());
        for (text, end) in ends.into_iter().enumerate() {
            pooled.push(last_hidden_state.narrow(0, text, 1)?.narrow(1, end, 1)?.squeeze(1)?);
        }
        let mut pooled = Tensor::cat(&pooled, 0)?;
        if let Some(projection) = &self.text_projection {
            pooled = projection.forward(&pooled)?;
        }
        Ok(TextOutput { last_hidden_state, penultimate, pooled })
    }

    /// Before and after the last layer.
    fn layers(&self, tokens: &Tensor) -> Result<(Tensor, Tensor)> {
        self.first_layers(tokens, self.layers.len())
    }

    /// Before and after the last of the first `taken` layers.
    fn first_layers(&self, tokens: &Tensor, taken: usize) -> Result<(Tensor, Tensor)> {
        let (batch, length) = tokens.dims2()?;
        let longest = self.config.max_position_embeddings;
        if length > longest {
            bail!("a text of {length} tokens, and the encoder takes {longest}");
        }
        let width = self.config.hidden_size;
        let x = self.embed(&tokens.flatten_all()?)?.reshape((batch, length, width))?;
        let mut x = x.broadcast_add(&self.position_embedding.narrow(0, 0, length)?)?;
        let mut penultimate = x.clone();
        let mask = causal_mask(length, x.dtype(), x.device())?;
        for layer in &self.layers[..taken] {
            penultimate = x;
            x = layer.forward(&penultimate, Some(&mask))?;
        }
        Ok((penultimate, x))
    }

    /// Where each text ends. The first models were written down with 2 for the ending token, whatever it
    /// was: for them transformers takes the largest token.
    fn ends(&self, tokens: &Tensor) -> Result<Vec<usize>> {
        let rows: Vec<Vec<u32>> = tokens.to_dtype(DType::U32)?.to_vec2()?;
        let end = self.config.eos_token_id.unwrap_or(END_OF_CLIP);
        Ok(rows
            .iter()
            .map(|row| {
                let sought = if end == 2 { row.iter().max() } else { Some(&end) };
                row.iter().position(|token| Some(token) == sought).unwrap_or(0)
            })
            .collect())
    }
}

/// `[n, n]`: nothing at and before a token, minus infinity after it.
fn causal_mask(length: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    let values: Vec<f32> = (0..length * length)
        .map(|index| if index % length > index / length { f32::NEG_INFINITY } else { 0.0 })
        .collect();
    Tensor::from_vec(values, (length, length), device)?.to_dtype(dtype)
}
