//! Whisper's two networks (Radford et al., arXiv 2212.04356, section 2.2), with the names of
//! transformers' `WhisperForConditionalGeneration`.
//!
//! They stand on the engine's own layers: the GELU is the exact one, as it was trained, and the
//! decoder keeps the keys and values of all tokens before, so that a token costs the same however
//! many there are.

use candle_core::{Result, Tensor, bail};

use super::config::WhisperConfig;
use crate::nn::{Init, LayerNorm, Linear, Weights, softmax};

/// As PyTorch's `LayerNorm` has it where nothing else is said.
const EPSILON: f64 = 1e-5;

/// Keys and values, split into heads: `[1, heads, length, width / heads]`.
type KeysAndValues = (Tensor, Tensor);

struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    heads: usize,
}

impl Attention {
    fn new(width: usize, heads: usize, weights: &Weights) -> Result<Self> {
        Ok(Self {
            q_proj: Linear::new(width, width, &weights.pp("q_proj"))?,
            k_proj: Linear::without_bias(width, width, &weights.pp("k_proj"))?,
            v_proj: Linear::new(width, width, &weights.pp("v_proj"))?,
            out_proj: Linear::new(width, width, &weights.pp("out_proj"))?,
            heads,
        })
    }

    fn split(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, length, width) = x.dims3()?;
        x.reshape((batch, length, self.heads, width / self.heads))?.transpose(1, 2)?.contiguous()
    }

    fn keys_and_values(&self, x: &Tensor) -> Result<KeysAndValues> {
        Ok((self.split(&self.k_proj.forward(x)?)?, self.split(&self.v_proj.forward(x)?)?))
    }

    /// `x` `[1, n, width]` attends to what `known` holds, with `mask` `[n, m]` added to the scores.
    fn attend(&self, x: &Tensor, known: &KeysAndValues, mask: Option<&Tensor>) -> Result<Tensor> {
        let (batch, length, width) = x.dims3()?;
        let scale = 1.0 / ((width / self.heads) as f64).sqrt();
        let q = self.split(&(self.q_proj.forward(x)? * scale)?)?;
        let mut scores = q.matmul(&known.0.t()?)?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(mask)?;
        }
        let y = softmax(&scores)?.matmul(&known.1)?;
        self.out_proj.forward(&y.transpose(1, 2)?.reshape((batch, length, width))?)
    }
}

struct FeedForward {
    final_layer_norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl FeedForward {
    fn new(width: usize, inner: usize, weights: &Weights) -> Result<Self> {
        Ok(Self {
            final_layer_norm: LayerNorm::new(width, EPSILON, &weights.pp("final_layer_norm"))?,
            fc1: Linear::new(width, inner, &weights.pp("fc1"))?,
            fc2: Linear::new(inner, width, &weights.pp("fc2"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.fc1.forward(&self.final_layer_norm.forward(x)?)?.gelu_erf()?;
        x + self.fc2.forward(&y)?
    }
}

/// A convolution over time, three frames wide.
struct Conv1d {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
}

impl Conv1d {
    fn new(input: usize, output: usize, stride: usize, weights: &Weights) -> Result<Self> {
        let init = Init::FanIn(3 * input);
        Ok(Self {
            weight: weights.get("weight", (output, input, 3), init)?,
            bias: weights.get("bias", output, init)?,
            stride,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.conv1d(&self.weight, 1, self.stride, 1, 1)?;
        y.broadcast_add(&self.bias.reshape((1, (), 1))?)
    }
}

struct EncoderLayer {
    self_attn_layer_norm: LayerNorm,
    self_attn: Attention,
    feed_forward: FeedForward,
}

/// From a spectrogram to what the decoder listens to.
pub struct AudioEncoder {
    conv1: Conv1d,
    conv2: Conv1d,
    embed_positions: Tensor,
    layers: Vec<EncoderLayer>,
    layer_norm: LayerNorm,
}

impl AudioEncoder {
    /// From the weights under `model.encoder`.
    pub(super) fn new(config: &WhisperConfig, weights: &Weights) -> Result<Self> {
        let width = config.d_model;
        let layer = |index: usize| {
            let weights = weights.pp("layers").pp(index);
            Ok(EncoderLayer {
                self_attn_layer_norm: LayerNorm::new(
                    width,
                    EPSILON,
                    &weights.pp("self_attn_layer_norm"),
                )?,
                self_attn: Attention::new(
                    width,
                    config.encoder_attention_heads,
                    &weights.pp("self_attn"),
                )?,
                feed_forward: FeedForward::new(width, config.encoder_ffn_dim, &weights)?,
            })
        };
        Ok(Self {
            conv1: Conv1d::new(config.num_mel_bins, width, 1, &weights.pp("conv1"))?,
            conv2: Conv1d::new(width, width, 2, &weights.pp("conv2"))?,
            embed_positions: weights.pp("embed_positions").get(
                "weight",
                (config.max_source_positions, width),
                Init::Normal(0.02),
            )?,
            layers: (0..config.encoder_layers).map(layer).collect::<Result<_>>()?,
            layer_norm: LayerNorm::new(width, EPSILON, &weights.pp("layer_norm"))?,
        })
    }

    /// A spectrogram `[1, num_mel_bins, 2 × max_source_positions]` to
    /// `[1, max_source_positions, d_model]`.
    ///
    /// # Errors
    /// Where the spectrogram has another shape.
    pub fn forward(&self, spectrogram: &Tensor) -> Result<Tensor> {
        let x = self.conv1.forward(spectrogram)?.gelu_erf()?;
        let x = self.conv2.forward(&x)?.gelu_erf()?;
        let mut x = x.transpose(1, 2)?.contiguous()?.broadcast_add(&self.embed_positions)?;
        for layer in &self.layers {
            let y = layer.self_attn_layer_norm.forward(&x)?;
            let known = layer.self_attn.keys_and_values(&y)?;
            x = (&x + layer.self_attn.attend(&y, &known, None)?)?;
            x = layer.feed_forward.forward(&x)?;
        }
        self.layer_norm.forward(&x)
    }
}

struct DecoderLayer {
    self_attn_layer_norm: LayerNorm,
    self_attn: Attention,
    encoder_attn_layer_norm: LayerNorm,
    encoder_attn: Attention,
    feed_forward: FeedForward,
}

/// What the decoder keeps from token to token: keys and values of the tokens so far and of the sound,
/// layer by layer. Clone it to go on from one point in several ways.
#[derive(Clone)]
pub struct DecoderState {
    tokens: Vec<Option<KeysAndValues>>,
    sound: Vec<KeysAndValues>,
    position: usize,
}

/// From what was heard and the tokens so far to the next token.
pub struct TextDecoder {
    embed_tokens: Tensor,
    embed_positions: Tensor,
    layers: Vec<DecoderLayer>,
    layer_norm: LayerNorm,
    /// Where the checkpoint has one of its own; the embedding turned round otherwise.
    projection: Option<Tensor>,
}

impl TextDecoder {
    /// From the weights under `model.decoder`; `root` is where `proj_out` would lie.
    pub(super) fn new(config: &WhisperConfig, weights: &Weights, root: &Weights) -> Result<Self> {
        let (width, heads) = (config.d_model, config.decoder_attention_heads);
        let layer = |index: usize| {
            let weights = weights.pp("layers").pp(index);
            let norm = |name: &str| LayerNorm::new(width, EPSILON, &weights.pp(name));
            Ok(DecoderLayer {
                self_attn_layer_norm: norm("self_attn_layer_norm")?,
                self_attn: Attention::new(width, heads, &weights.pp("self_attn"))?,
                encoder_attn_layer_norm: norm("encoder_attn_layer_norm")?,
                encoder_attn: Attention::new(width, heads, &weights.pp("encoder_attn"))?,
                feed_forward: FeedForward::new(width, config.decoder_ffn_dim, &weights)?,
            })
        };
        let table = (config.vocab_size, width);
        let init = Init::Normal(0.02);
        let own = root.pp("proj_out");
        Ok(Self {
            embed_tokens: weights.pp("embed_tokens").get("weight", table, init)?,
            embed_positions: weights.pp("embed_positions").get(
                "weight",
                (config.max_target_positions, width),
                init,
            )?,
            layers: (0..config.decoder_layers).map(layer).collect::<Result<_>>()?,
            layer_norm: LayerNorm::new(width, EPSILON, &weights.pp("layer_norm"))?,
            projection: own.holds("weight").then(|| own.get("weight", table, init)).transpose()?,
        })
    }

    /// The state before the first token, for what the encoder heard, `[1, n, d_model]`.
    pub fn start(&self, heard: &Tensor) -> Result<DecoderState> {
        let sound = self
            .layers
            .iter()
            .map(|layer| layer.encoder_attn.keys_and_values(heard))
            .collect::<Result<_>>()?;
        Ok(DecoderState { tokens: vec![None; self.layers.len()], sound, position: 0 })
    }

    /// Takes `tokens` after those that `state` knows, and gives for each the logits of the next,
    /// `[tokens, vocab_size]`.
    ///
    /// # Errors
    /// Where a token is not of the vocabulary, or there are more than `max_target_positions`.
    pub fn forward(&self, tokens: &[u32], state: &mut DecoderState) -> Result<Tensor> {
        let x = self.advance(tokens, state)?;
        let x = self.layer_norm.forward(&x)?.squeeze(0)?;
        x.matmul(&self.projection.as_ref().unwrap_or(&self.embed_tokens).t()?)
    }

    /// Takes `tokens` into `state` without asking what comes next, which costs the most of a token;
    /// gives what the last layer makes of them, `[1, tokens, d_model]`.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub(super) fn advance(&self, tokens: &[u32], state: &mut DecoderState) -> Result<Tensor> {
        let (first, length) = (state.position, tokens.len());
        if length == 0 || first + length > self.embed_positions.dim(0)? {
            bail!("the decoder has {} positions", self.embed_positions.dim(0)?)
        }
        let device = self.embed_tokens.device();
        let x = self.embed_tokens.index_select(&Tensor::new(tokens, device)?, 0)?;
        let x = (x + self.embed_positions.narrow(0, first, length)?)?;
        let mut x = x.unsqueeze(0)?;
        let mask = if length > 1 {
            let values: Vec<f32> = (0..length)
                .flat_map(|row| {
                    (0..first + length).map(move |column| {
                        if column > first + row { f32::NEG_INFINITY } else { 0.0 }
                    })
                })
                .collect();
            Some(Tensor::from_vec(values, (length, first + length), device)?)
        } else {
            None
        };
        for ((layer, known), sound) in self.layers.iter().zip(&mut state.tokens).zip(&state.sound) {
            let y = layer.self_attn_layer_norm.forward(&x)?;
            let (keys, values) = layer.self_attn.keys_and_values(&y)?;
            let all = match known.take() {
                None => (keys, values),
                Some((before_keys, before_values)) => (
                    Tensor::cat(&[before_keys, keys], 2)?,
                    Tensor::cat(&[before_values, values], 2)?,
                ),
            };
            x = (&x + layer.self_attn.attend(&y, &all, mask.as_ref())?)?;
            *known = Some(all);
            let y = layer.encoder_attn_layer_norm.forward(&x)?;
            x = (&x + layer.encoder_attn.attend(&y, sound, None)?)?;
            x = layer.feed_forward.forward(&x)?;
        }
        state.position += length;
        Ok(x)
    }
}
