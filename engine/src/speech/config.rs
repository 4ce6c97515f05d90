//! `config.json` and `generation_config.json` of a Whisper folder.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::SpeechError;

/// A configuration is small; a file beyond this is something else.
const LONGEST_FILE: u64 = 4 << 20;

/// The shape of the networks, with the names of transformers' `WhisperConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WhisperConfig {
    /// Must be `whisper`.
    pub model_type: String,
    /// Bands of the spectrogram.
    pub num_mel_bins: usize,
    /// Positions of the encoder: twice as many frames of 10 ms are a window.
    pub max_source_positions: usize,
    /// Tokens that the decoder can have before it, the first ones included.
    pub max_target_positions: usize,
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Width of both networks.
    pub d_model: usize,
    /// Layers of the encoder.
    pub encoder_layers: usize,
    /// Heads of the encoder's attention.
    pub encoder_attention_heads: usize,
    /// Width inside the encoder's feed-forward part.
    pub encoder_ffn_dim: usize,
    /// Layers of the decoder.
    pub decoder_layers: usize,
    /// Heads of the decoder's attention.
    pub decoder_attention_heads: usize,
    /// Width inside the decoder's feed-forward part.
    pub decoder_ffn_dim: usize,
    /// Must be `gelu`, the exact one.
    #[serde(default = "gelu")]
    pub activation_function: String,
    /// Tokens that no transcript holds, in files of before `generation_config.json`.
    #[serde(default)]
    pub suppress_tokens: Option<Vec<u32>>,
    /// Tokens that no transcript begins with, in files of before `generation_config.json`.
    #[serde(default)]
    pub begin_suppress_tokens: Option<Vec<u32>>,
}

fn gelu() -> String {
    "gelu".to_owned()
}

impl WhisperConfig {
    /// # Errors
    /// Where no network can be built from the values; nothing has asked for memory by then.
    pub fn validate(&self) -> Result<(), SpeechError> {
        let check = |holds: bool, field: &'static str, cause: &str| {
            if holds {
                Ok(())
            } else {
                Err(SpeechError::Config { file: "config.json", field, cause: cause.to_owned() })
            }
        };
        check(self.model_type == "whisper", "model_type", "must be whisper")?;
        check(
            (1..=256).contains(&self.num_mel_bins),
            "num_mel_bins",
            "must lie between 1 and 256",
        )?;
        check(
            (2..=3_000).contains(&self.max_source_positions),
            "max_source_positions",
            "must lie between 2 and 3,000",
        )?;
        check(
            (8..=4_096).contains(&self.max_target_positions),
            "max_target_positions",
            "must lie between 8 and 4,096",
        )?;
        check(
            (8..=200_000).contains(&self.vocab_size),
            "vocab_size",
            "must lie between 8 and 200,000",
        )?;
        check((4..=4_096).contains(&self.d_model), "d_model", "must lie between 4 and 4,096")?;
        for (field, heads) in [
            ("encoder_attention_heads", self.encoder_attention_heads),
            ("decoder_attention_heads", self.decoder_attention_heads),
        ] {
            let divides = heads > 0 && self.d_model.is_multiple_of(heads);
            check(divides, field, "must divide d_model")?;
        }
        for (field, layers) in
            [("encoder_layers", self.encoder_layers), ("decoder_layers", self.decoder_layers)]
        {
            check((1..=128).contains(&layers), field, "must lie between 1 and 128")?;
        }
        for (field, width) in
            [("encoder_ffn_dim", self.encoder_ffn_dim), ("decoder_ffn_dim", self.decoder_ffn_dim)]
        {
            check((1..=32_768).contains(&width), field, "must lie between 1 and 32,768")?;
        }
        check(self.activation_function == "gelu", "activation_function", "must be gelu")
    }
}

/// What is said of generating, with the names of transformers' `GenerationConfig`. Absent where the
/// file is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct GenerationConfig {
    /// Tokens that no transcript holds.
    #[serde(default)]
    pub suppress_tokens: Option<Vec<u32>>,
    /// Tokens that no transcript begins with.
    #[serde(default)]
    pub begin_suppress_tokens: Option<Vec<u32>>,
    /// Whether the model knows more languages than English, and is told which.
    #[serde(default)]
    pub is_multilingual: Option<bool>,
}

/// A JSON file of the folder, named by its place and field where it is wrong.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, SpeechError> {
    let length = std::fs::metadata(path).map_err(|cause| SpeechError::file(path, cause))?.len();
    if length > LONGEST_FILE {
        return Err(SpeechError::file(path, "is longer than a configuration can be"));
    }
    let bytes = std::fs::read(path).map_err(|cause| SpeechError::file(path, cause))?;
    serde_json::from_slice(&bytes).map_err(|cause| SpeechError::file(path, cause))
}
