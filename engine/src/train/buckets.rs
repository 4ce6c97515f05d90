//! Training on images that are not square, in buckets of like aspect.

use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use super::error::TrainError;
use crate::data::Framing;
use crate::model::{UnetConfig, VaeConfig};

/// Steps of a bucket's sides to a side of the square, without a `step`.
const STEPS: usize = 16;

/// The table `aspect_buckets`: every image is trained on in the size, of about the square's area, that is nearest
/// to its aspect ([`Framing::buckets`]), and a batch is of one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AspectBucketsConfig {
    /// The longest bucket: its long side by its short one. What is longer loses its ends.
    pub longest: f64,
    /// Sides are multiples of this, in pixels; without it of what the networks halve, or of a sixteenth of the
    /// square's side where that is more.
    pub step: Option<usize>,
}

impl Default for AspectBucketsConfig {
    fn default() -> Self {
        Self { longest: 2.0, step: None }
    }
}

impl AspectBucketsConfig {
    /// # Errors
    /// Names the value and its limits.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        if self.longest > 1.0 && self.longest <= 4.0 {
            return Ok(());
        }
        let cause = "must lie above 1 and at most at 4".into();
        Err(TrainError::Config { field: "aspect_buckets.longest", cause })
    }

    /// The buckets about a square of `side` pixels, for networks whose maps have a `needed`th of an image's sides.
    fn framing(&self, side: usize, needed: usize) -> Result<Framing, TrainError> {
        let fits = |step: &usize| step.is_multiple_of(needed) && side.is_multiple_of(*step);
        let usual = || (side.div_ceil(STEPS)..=side).find(fits);
        let Some(step) = self.step.or_else(usual).filter(|step| *step > 0 && fits(step)) else {
            let cause = format!(
                "must be a multiple of {needed}, which the networks halve, and divide {side}, the square's side"
            );
            return Err(TrainError::Config { field: "aspect_buckets.step", cause });
        };
        let framing = Framing::buckets(side, step, self.longest);
        if framing.sizes().len() == 1 {
            let cause =
                format!("leaves the square alone: in steps of {step} pixels, the next is longer");
            return Err(TrainError::Config { field: "aspect_buckets.longest", cause });
        }
        Ok(framing)
    }
}

/// In which sizes the images of a run are trained on, for an autoencoder and the UNet on its latents.
pub(super) fn framing(
    config: &TrainConfig,
    vae: &VaeConfig,
    unet: Option<&UnetConfig>,
) -> Result<Framing, TrainError> {
    let Some(buckets) = &config.aspect_buckets else {
        return Ok(Framing::Square(vae.sample_size));
    };
    // A UNet's skip connections meet again where every level halves an even side.
    let halvings = unet.map_or(0, |unet| unet.block_out_channels.len().saturating_sub(1));
    buckets.framing(vae.sample_size, vae.compression() << halvings)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn steps_are_what_networks_halve_or_a_sixteenth() {
        let framing = |own: &AspectBucketsConfig, side, needed| own.framing(side, needed);
        let usual = AspectBucketsConfig::default();
        assert_eq!(framing(&usual, 256, 8).unwrap(), Framing::buckets(256, 16, 2.0));
        assert_eq!(framing(&usual, 256, 64).unwrap(), Framing::buckets(256, 64, 2.0));
        // A sixteenth is 12; the next that is a multiple of 8 and divides 192 is 16.
        assert_eq!(framing(&usual, 192, 8).unwrap(), Framing::buckets(192, 16, 2.0));
        let own = |longest, step| AspectBucketsConfig { longest, step };
        assert_eq!(framing(&own(1.5, Some(8)), 256, 8).unwrap(), Framing::buckets(256, 8, 1.5));
        for (own, field) in [
            (own(2.0, Some(12)), "aspect_buckets.step"),
            (own(2.0, Some(0)), "aspect_buckets.step"),
            (own(2.0, Some(24)), "aspect_buckets.step"),
            (own(1.1, Some(64)), "aspect_buckets.longest"),
        ] {
            let error = framing(&own, 256, 8).unwrap_err();
            assert!(error.to_string().starts_with(field), "{error}");
        }
        for longest in [1.0, 4.5, f64::NAN] {
            assert!(own(longest, None).validate().is_err());
        }
    }
}
