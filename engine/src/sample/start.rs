//! What a sampling begins with: noise, an image under noise, or an image of which a part is made anew.

use candle_core::{Result, Tensor};

use super::error::SampleError;
use super::pipeline::Pipeline;
use super::request::{Request, Start};
use crate::dicom::Frame;
use crate::noise::{NoiseSource, Sampler};

/// The first latent, and what goes along with it.
pub(super) struct Begun {
    /// `[requests, c, h, w]`, with the noise of step `index`.
    pub(super) sample: Tensor,
    /// The first step that is taken.
    pub(super) index: usize,
    /// What is put back after each step, where a network of usual width paints into an image.
    pub(super) kept: Option<Kept>,
    /// Channels that an inpainting network sees beside the noisy latent, `[1, 1 + c, h, w]`: the mask,
    /// and the latent of the image without what is under it.
    pub(super) beside: Option<Tensor>,
}

/// What lies outside the mask, put back after each step with the noise of the next (Lugmayr et al.,
/// arXiv 2201.09865, without resampling).
pub(super) struct Kept {
    clean: Tensor,
    noise: Tensor,
    /// 1 where the image is made anew, `[1, 1, h, w]`.
    mask: Tensor,
}

impl Kept {
    /// `sample` under the mask, and outside it the image with the noise of step `next`; without noise
    /// where no step follows.
    pub(super) fn put_back(
        &self,
        sample: &Tensor,
        sampler: &dyn Sampler,
        next: usize,
    ) -> Result<Tensor> {
        let known = if next < sampler.timesteps().len() {
            sampler.add_noise(&self.clean, &self.noise, next)?
        } else {
            self.clean.clone()
        };
        &known + (sample - &known)?.broadcast_mul(&self.mask)?
    }
}

/// The beginning of `requests` at `height` × `width` pixels; of several, each begins with noise.
pub(super) fn begin(
    pipeline: &Pipeline,
    requests: &[Request],
    (height, width): (usize, usize),
    sampler: &dyn Sampler,
    noise: &mut dyn NoiseSource,
) -> std::result::Result<Begun, SampleError> {
    let request = &requests[0];
    let blank = pipeline.blank_latents(requests.len(), height, width)?;
    let paints = pipeline.paints_into_images();
    if paints && !matches!(request.start, Start::Inpaint { .. }) {
        let cause = "this model paints into an image: give an image and a mask";
        return Err(SampleError::invalid("mask", cause));
    }
    let picture = |frame: &Frame| pipeline.picture(frame, height, width);
    match &request.start {
        Start::Noise => {
            let sample = (noise.next(&blank)? * sampler.init_noise_sigma())?;
            Ok(Begun { sample, index: 0, kept: None, beside: None })
        }
        Start::Image { image, strength } => {
            let clean = pipeline.encode(&picture(image)?, noise)?;
            let index = first_step(request.steps(), *strength, sampler);
            let sample = sampler.add_noise(&clean, &noise.next(&blank)?, index)?;
            Ok(Begun { sample, index, kept: None, beside: None })
        }
        Start::Inpaint { image, mask, strength } => {
            let image = picture(image)?;
            let mask = binary(mask, height, width, &image)?;
            let all = *strength >= 1.0;
            // The order of the draws is diffusers', so that a scheduler's own come after as many.
            let clean = if paints && all { None } else { Some(pipeline.encode(&image, noise)?) };
            let draw = noise.next(&blank)?;
            let index = first_step(request.steps(), *strength, sampler);
            let sample = match &clean {
                Some(clean) if !all => sampler.add_noise(clean, &draw, index)?,
                Some(_) | None => (&draw * sampler.init_noise_sigma())?,
            };
            let small = shrink(&mask, blank.dims4()?)?;
            if paints {
                let outside = image.broadcast_mul(&(1.0 - &mask)?)?;
                let masked = pipeline.encode(&outside, noise)?;
                let beside = Some(Tensor::cat(&[&small, &masked], 1)?);
                return Ok(Begun { sample, index, kept: None, beside });
            }
            let kept = clean.map(|clean| Kept { clean, noise: draw, mask: small });
            Ok(Begun { sample, index, kept, beside: None })
        }
    }
}

/// The first call of the network in a sampling that takes the share `strength` of `steps` steps, one at
/// the least.
fn first_step(steps: usize, strength: f64, sampler: &dyn Sampler) -> usize {
    let taken = ((steps as f64 * strength) as usize).clamp(1, steps);
    // A scheduler of second order asks the network twice a step.
    ((steps - taken) * sampler.order()).min(sampler.timesteps().len().saturating_sub(1))
}

/// The mask at the image's size, 0 or 1, `[1, 1, h, w]`.
fn binary(
    mask: &Frame,
    height: usize,
    width: usize,
    like: &Tensor,
) -> std::result::Result<Tensor, SampleError> {
    let mask = mask.resized(width as u32, height as u32);
    let values: Vec<f32> =
        mask.pixels.iter().map(|value| if *value >= 0.5 { 1.0 } else { 0.0 }).collect();
    if values.iter().all(|value| *value < 0.5) {
        return Err(SampleError::invalid("mask", "is empty at the image's size"));
    }
    let mask = Tensor::from_vec(values, (1, 1, height, width), like.device())?;
    Ok(mask.to_dtype(like.dtype())?)
}

/// Every k-th value of a mask, so that it has the latent's size.
fn shrink(mask: &Tensor, (_, _, height, width): (usize, usize, usize, usize)) -> Result<Tensor> {
    let (_, _, full_height, full_width) = mask.dims4()?;
    let index = |count: usize, full: usize| {
        let steps: Vec<u32> = (0..count).map(|i| (i * full / count) as u32).collect();
        Tensor::from_vec(steps, count, mask.device())
    };
    mask.index_select(&index(height, full_height)?, 2)?
        .index_select(&index(width, full_width)?, 3)?
        .contiguous()
}
