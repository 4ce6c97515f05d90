//! The cases, and the number types in which they are computed.

use std::fmt;
use std::str::FromStr;

use candle_core::DType;
use serde::{Deserialize, Serialize};

use crate::model::Preset;

/// A piece of work that is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Case {
    /// One call of the denoising network at a latent of 32 × 32, with guidance (batch 2).
    #[serde(rename = "unet-32")]
    Unet32,
    /// The same at 64 × 64.
    #[serde(rename = "unet-64")]
    Unet64,
    /// The autoencoder's decoder from a latent of 64 × 64, 512 × 512 pixels of Stable Diffusion.
    #[serde(rename = "vae-decode")]
    VaeDecode,
    /// One call of a small network (18 M weights) at a latent of 32 × 32, batch 8.
    #[serde(rename = "small-forward")]
    SmallForward,
    /// A training step of all its weights: forward, squared error, backward, AdamW.
    #[serde(rename = "small-training")]
    SmallTraining,
    /// A training step of a low-rank adapter (rank 8, every attention's projections) of the frozen
    /// network, at a latent of 32 × 32, batch 1.
    #[serde(rename = "lora-training")]
    LoraTraining,
    /// A whole image of the model's own size from a prompt: 20 steps with guidance, and the decoder.
    #[serde(rename = "text-to-image")]
    TextToImage,
}

impl Case {
    /// Every case.
    pub const ALL: [Self; 7] = [
        Self::Unet32,
        Self::Unet64,
        Self::VaeDecode,
        Self::SmallForward,
        Self::SmallTraining,
        Self::LoraTraining,
        Self::TextToImage,
    ];

    /// What the case is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unet32 => "unet-32",
            Self::Unet64 => "unet-64",
            Self::VaeDecode => "vae-decode",
            Self::SmallForward => "small-forward",
            Self::SmallTraining => "small-training",
            Self::LoraTraining => "lora-training",
            Self::TextToImage => "text-to-image",
        }
    }

    /// The shape of the model that the case is about; another may be given to it.
    pub fn preset(self) -> Preset {
        match self {
            Self::SmallForward | Self::SmallTraining => Preset::Small,
            Self::Unet32
            | Self::Unet64
            | Self::VaeDecode
            | Self::LoraTraining
            | Self::TextToImage => Preset::StableDiffusion15,
        }
    }

    /// Whether gradients are computed.
    pub fn learns(self) -> bool {
        match self {
            Self::SmallTraining | Self::LoraTraining => true,
            Self::Unet32
            | Self::Unet64
            | Self::VaeDecode
            | Self::SmallForward
            | Self::TextToImage => false,
        }
    }

    /// How often it is done before the clock starts, unless asked for otherwise: buffers and page
    /// cache are warm after one time, and a whole image is too long for it.
    pub fn warm_up(self) -> usize {
        match self {
            Self::TextToImage => 0,
            Self::Unet32
            | Self::Unet64
            | Self::VaeDecode
            | Self::SmallForward
            | Self::SmallTraining
            | Self::LoraTraining => 1,
        }
    }

    /// How often it is timed, unless asked for otherwise.
    pub fn repeat(self) -> usize {
        match self {
            Self::SmallForward | Self::SmallTraining => 7,
            Self::Unet32 | Self::LoraTraining => 5,
            Self::Unet64 | Self::VaeDecode => 3,
            Self::TextToImage => 1,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|case| case.name() == text).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|case| case.name()).collect();
            format!("is no case; known are {}", known.join(", "))
        })
    }
}

/// In which number type the networks compute. Adapters' and optimisers' weights are in single
/// precision either way, as in mixed-precision training (Micikevicius et al., arXiv 1710.03740).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// IEEE 754 single precision.
    F32,
    /// bfloat16: single precision's exponent, 8 bits of significand.
    Bf16,
    /// Single precision, with the weights of the denoising network's layers in eight bits.
    Int8,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::Int8];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    pub(super) fn dtype(self) -> DType {
        match self {
            Self::F32 | Self::Int8 => DType::F32,
            Self::Bf16 => DType::BF16,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|precision| precision.name() == text);
        known.ok_or_else(|| "is no number type; known are f32, bf16, int8".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_words_and_in_json() {
        for case in Case::ALL {
            assert_eq!(case.name().parse(), Ok(case));
            assert_eq!(serde_json::json!(case), case.name());
        }
        for precision in Precision::ALL {
            assert_eq!(precision.name().parse(), Ok(precision));
            assert_eq!(serde_json::json!(precision), precision.name());
        }
        assert!("unet".parse::<Case>().is_err_and(|cause| cause.contains("unet-32")));
        assert!("f16".parse::<Precision>().is_err_and(|cause| cause.contains("bf16")));
    }
}
