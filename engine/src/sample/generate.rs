//! From noise to image.

use candle_core::{Result, Tensor};

use super::error::SampleError;
use super::guidance::Guidance;
use super::pipeline::Pipeline;
use super::random::Seeded;
use super::request::Request;
use super::start::begin;
use crate::device::CancelToken;
use crate::dicom::Frame;
use crate::noise::{Ddim, NoiseSource};

/// A finished step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which, counted from 1.
    pub number: usize,
    /// Steps in all; an image to start from leaves fewer than were asked for.
    pub of: usize,
    /// The picture so far, now and then.
    pub preview: Option<Frame>,
}

/// Makes one image: grey values between 0 and 1.
///
/// The same request gives the same values whatever else is made beside it. `on_step` hears of every
/// finished step; `previews` of them, evenly over the way, bring the picture so far.
///
/// # Errors
/// [`SampleError::Invalid`] before any work, [`SampleError::Cancelled`] within one step of being asked.
pub fn generate(
    pipeline: &Pipeline,
    request: &Request,
    previews: usize,
    on_step: &mut dyn FnMut(Step),
    cancel: &CancelToken,
) -> std::result::Result<Frame, SampleError> {
    let mut noise = Seeded::new(request.seed);
    let latent = denoise(pipeline, request, &mut noise, previews, on_step, cancel)?;
    Ok(Pipeline::frame(&finished(pipeline, &latent)?)?)
}

/// Makes one image as the autoencoder gives it, `[1, channels, h, w]` clamped to 0 … 1, from the draws
/// of `noise` in place of the request's seed.
///
/// # Errors
/// As [`generate`].
pub fn render(
    pipeline: &Pipeline,
    request: &Request,
    noise: &mut dyn NoiseSource,
) -> std::result::Result<Tensor, SampleError> {
    let latent = denoise(pipeline, request, noise, 0, &mut |_| (), &CancelToken::new())?;
    Ok(finished(pipeline, &latent)?.clamp(0f32, 1f32)?)
}

/// The image of a clean latent, not clamped.
fn finished(pipeline: &Pipeline, latent: &Tensor) -> std::result::Result<Tensor, SampleError> {
    let image = pipeline.decode(latent)?;
    // Looked at before it is clamped, which would make a number of an infinity.
    if image.flatten_all()?.to_vec1::<f32>()?.iter().all(|value| value.is_finite()) {
        Ok(image)
    } else {
        Err(SampleError::NotFinite)
    }
}

/// THE loop: the clean latent of a request.
pub(super) fn denoise(
    pipeline: &Pipeline,
    request: &Request,
    noise: &mut dyn NoiseSource,
    previews: usize,
    on_step: &mut dyn FnMut(Step),
    cancel: &CancelToken,
) -> std::result::Result<Tensor, SampleError> {
    request.check()?;
    let size = pipeline.size(request)?;
    let guidance = Guidance { scale: request.guidance_scale, rescale: request.guidance_rescale };
    let context = if guidance.asks_twice() {
        pipeline.context(&[&request.negative, &request.prompt])?
    } else {
        pipeline.context(&[&request.prompt])?
    };
    let sampler = Ddim::new(pipeline.schedule.clone(), request.steps);
    let begun = begin(pipeline, request, size, &sampler, noise)?;
    let (mut sample, first) = (begun.sample, begun.index);
    let of = sampler.timesteps().len() - first;
    let every = if previews == 0 { usize::MAX } else { of.div_ceil(previews + 1) };
    for (index, timestep) in sampler.timesteps().iter().enumerate().skip(first) {
        if cancel.is_cancelled() {
            return Err(SampleError::Cancelled);
        }
        let beside = begun.beside.as_ref();
        let prediction = predict(pipeline, &sample, *timestep, &context, beside, guidance)?;
        let number = index - first + 1;
        let preview = (number % every == 0 && number < of)
            .then(|| {
                let clean = sampler.clean(&prediction, index, &sample)?;
                Pipeline::frame(&pipeline.decode(&clean)?)
            })
            .transpose()?;
        sample = sampler.step(&prediction, index, &sample)?;
        if let Some(kept) = &begun.kept {
            sample = kept.put_back(&sample, &sampler, index + 1)?;
        }
        on_step(Step { number, of, preview });
    }
    Ok(sample)
}

/// The network's prediction for `sample` `[1, c, h, w]`, led away from the negative.
fn predict(
    pipeline: &Pipeline,
    sample: &Tensor,
    timestep: usize,
    context: &Tensor,
    beside: Option<&Tensor>,
    guidance: Guidance,
) -> Result<Tensor> {
    let batch = context.dim(0)?;
    let input = match beside {
        Some(beside) => Tensor::cat(&[sample, beside], 1)?,
        None => sample.clone(),
    };
    let input = Tensor::cat(&vec![input; batch], 0)?;
    let predictions = pipeline.unet.forward(&input, &vec![timestep as f64; batch], context)?;
    if batch == 1 { Ok(predictions) } else { guidance.lead(&predictions) }
}
