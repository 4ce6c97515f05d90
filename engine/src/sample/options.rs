//! What a sampling may be told beside its prompt: the less common parameters of diffusers' pipelines.

use serde::{Deserialize, Serialize};

use super::error::SampleError;
use super::request::{LONGEST_SIDE, MOST_STEPS};
use crate::noise::Course;

/// The largest σ of a list of one's own.
const LARGEST_SIGMA: f64 = 1e5;

/// The less common parameters, each at its default what diffusers' pipelines have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplingOptions {
    /// η of DDIM (Song et al., arXiv 2010.02502, equation 16): 0 adds no noise, 1 as much as DDPM. Other
    /// schedulers have none and leave it out, as in diffusers.
    #[serde(skip_serializing_if = "is_default")]
    pub eta: f64,
    /// Layers of the text encoder that are left out at its end. As in diffusers, of the prompt alone and
    /// not of the negative one.
    #[serde(skip_serializing_if = "is_default")]
    pub clip_skip: usize,
    /// Timesteps of one's own from noise to image, in place of the scheduler's; as many as there are steps.
    #[serde(skip_serializing_if = "is_default")]
    pub timesteps: Vec<u32>,
    /// σ of one's own from noise to image, one more than there are steps.
    #[serde(skip_serializing_if = "is_default")]
    pub sigmas: Vec<f64>,
    /// ControlNets act on the prompt's side alone, the less the shallower a layer is, so that an image can
    /// follow its condition with hardly a word (Zhang et al., arXiv 2302.05543).
    #[serde(skip_serializing_if = "is_default")]
    pub guess_mode: bool,
    /// What Stable Diffusion XL is told of the picture's sizes.
    #[serde(skip_serializing_if = "is_default")]
    pub sizes: Sizes,
    /// What it is told of the picture that it leads away from; absent, the same.
    #[serde(skip_serializing_if = "is_default")]
    pub negative_sizes: Option<Sizes>,
}

/// The sizes on which Stable Diffusion XL is conditioned (Podell et al., arXiv 2307.01952, section 2.2), in
/// pixels. What is absent is the image's own size, not cropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sizes {
    /// Height and width that the picture had before it was brought to its size.
    pub original: Option<(u32, u32)>,
    /// How far from the top and from the left it was cropped.
    pub crop: Option<(u32, u32)>,
    /// Height and width that it was brought to.
    pub target: Option<(u32, u32)>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Sizes {
    /// Original size, crop and target size of an image of `height` × `width` pixels.
    pub(super) fn numbers(&self, (height, width): (usize, usize)) -> [f32; 6] {
        let own = (height as u32, width as u32);
        let (original, target) = (self.original.unwrap_or(own), self.target.unwrap_or(own));
        let crop = self.crop.unwrap_or_default();
        [original.0, original.1, crop.0, crop.1, target.0, target.1].map(|value| value as f32)
    }

    fn check(&self) -> Result<(), SampleError> {
        let most = LONGEST_SIDE as u32;
        for (field, size, least) in [
            ("original_size", self.original, 1),
            ("crop", self.crop, 0),
            ("target_size", self.target, 1),
        ] {
            if let Some((height, width)) = size
                && ![height, width].iter().all(|side| (least..=most).contains(side))
            {
                let cause = format!("each side must lie between {least} and {most} pixels");
                return Err(SampleError::invalid(field, cause));
            }
        }
        Ok(())
    }
}

impl SamplingOptions {
    /// Steps of the sampling where `steps` were asked for: a list of one's own has its own number.
    pub fn steps(&self, steps: usize) -> usize {
        match (self.timesteps.len(), self.sigmas.len()) {
            (0, 0 | 1) => steps,
            (0, sigmas) => sigmas - 1,
            (timesteps, _) => timesteps,
        }
    }

    /// The sampling's way from noise to image.
    pub(super) fn course(&self, steps: usize) -> Course {
        Course {
            steps: self.steps(steps),
            eta: self.eta,
            timesteps: self.timesteps.clone(),
            sigmas: self.sigmas.clone(),
        }
    }

    /// # Errors
    /// [`SampleError::Invalid`] names the field, before anything is computed.
    pub(super) fn check(&self) -> Result<(), SampleError> {
        let hold = |holds: bool, field: &'static str, cause: &str| {
            if holds { Ok(()) } else { Err(SampleError::invalid(field, cause)) }
        };
        hold((0.0..=1.0).contains(&self.eta), "eta", "must lie between 0 and 1")?;
        let falling = self.timesteps.windows(2).all(|pair| pair[1] < pair[0]);
        hold(falling, "timesteps", "must fall, from noise to image")?;
        let few = self.timesteps.len() <= MOST_STEPS && self.sigmas.len() <= MOST_STEPS + 1;
        hold(few, "timesteps", "must be 1,000 at most")?;
        hold(self.sigmas.len() != 1, "sigmas", "must be two at least")?;
        let either = self.timesteps.is_empty() || self.sigmas.is_empty();
        hold(either, "sigmas", "cannot be given beside timesteps")?;
        let inside = self.sigmas.iter().all(|sigma| (0.0..=LARGEST_SIGMA).contains(sigma));
        hold(inside, "sigmas", "must be numbers between 0 and 100,000")?;
        let falling = self.sigmas.windows(2).all(|pair| pair[1] < pair[0]);
        hold(falling, "sigmas", "must fall, from noise to image")?;
        self.sizes.check()?;
        self.negative_sizes.as_ref().map_or(Ok(()), Sizes::check)
    }
}
