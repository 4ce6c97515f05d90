//! What derivatives of Stable Diffusion ask of a UNet, and Stable Diffusion itself does not.

use serde::{Deserialize, Serialize};

use super::error::ModelError;
use super::per_level::PerLevel;

/// Keys of `unet/config.json` and `controlnet/config.json` that most files leave at their defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnetOptions {
    /// Heads at each level, in place of `attention_head_dim`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_attention_heads: Option<PerLevel>,
    /// Whether the first attention of a block sees the text as the second does (Stable Diffusion's upscaler).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_cross_attention: Option<PerLevel<bool>>,
    /// What a class is embedded by: `timestep`, `identity`, `projection` (unCLIP) or `simple_projection`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_embed_type: Option<String>,
    /// Classes of a table of embeddings (the upscaler's levels of noise).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_class_embeds: Option<usize>,
    /// Sides of the first convolution's kernel; 3 unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conv_in_kernel: Option<usize>,
    /// Sides of the last convolution's kernel; 3 unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conv_out_kernel: Option<usize>,
    /// Takes the sample from between 0 and 1 to between −1 and 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub center_input_sample: Option<bool>,
    /// How time enters a residual block: `default` shifts it, `scale_shift` scales and shifts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet_time_scale_shift: Option<String>,
    /// Width of the time embedding; four times the first level's channels unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_embedding_dim: Option<usize>,
    /// Width of the text before a projection to the one that is attended to (Kolors).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder_hid_dim: Option<usize>,
    /// What projects it: `text_proj`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder_hid_dim_type: Option<String>,
}

impl UnetOptions {
    /// # Errors
    /// Where no network of `levels` can be built from the values.
    pub(super) fn validate(&self, part: &'static str, levels: usize) -> Result<(), ModelError> {
        let fault = |field, cause: String| Err(ModelError::Config { part, field, cause });
        if self.only_cross_attention.as_ref().is_some_and(|each| !each.fits(levels)) {
            let cause = format!("must be one truth, or one for each of {levels} levels");
            return fault("only_cross_attention", cause);
        }
        for (field, kernel) in
            [("conv_in_kernel", self.conv_in_kernel), ("conv_out_kernel", self.conv_out_kernel)]
        {
            if kernel.is_some_and(|sides| sides % 2 == 0 || sides > 15) {
                return fault(field, "must be an odd number up to 15".into());
            }
        }
        for (field, width, most) in [
            ("num_class_embeds", self.num_class_embeds, 1_000_000),
            ("time_embedding_dim", self.time_embedding_dim, 65_536),
            ("encoder_hid_dim", self.encoder_hid_dim, 65_536),
        ] {
            if width.is_some_and(|width| !(1..=most).contains(&width)) {
                return fault(field, format!("must lie between 1 and {most}"));
            }
        }
        let words = [
            (
                "class_embed_type",
                &self.class_embed_type,
                &["timestep", "identity", "projection", "simple_projection"][..],
            ),
            (
                "resnet_time_scale_shift",
                &self.resnet_time_scale_shift,
                &["default", "scale_shift"][..],
            ),
            ("encoder_hid_dim_type", &self.encoder_hid_dim_type, &["text_proj"][..]),
        ];
        for (field, word, known) in words {
            if let Some(word) = word
                && !known.contains(&word.as_str())
            {
                let known = known.join(", ");
                return fault(field, format!("{word} is not known; the engine knows {known}"));
            }
        }
        if self.encoder_hid_dim_type.is_some() && self.encoder_hid_dim.is_none() {
            return fault("encoder_hid_dim", "is needed beside encoder_hid_dim_type".into());
        }
        Ok(())
    }

    /// Whether the network is told a class.
    pub(super) fn takes_classes(&self) -> bool {
        self.class_embed_type.is_some() || self.num_class_embeds.is_some()
    }
}
