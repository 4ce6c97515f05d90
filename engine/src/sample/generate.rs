//! From noise to image.

use candle_core::{Result, Tensor};

use super::control::Controls;
use super::error::SampleError;
use super::guidance::Guidance;
use super::pipeline::Pipeline;
use super::random::{Seeded, Several};
use super::request::Request;
use super::start::begin;
use super::told::Told;
use crate::device::CancelToken;
use crate::dicom::Frame;
use crate::model::{Added, UnetInput};
use crate::noise::NoiseSource;

/// A finished step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which, counted from 1.
    pub number: usize,
    /// Steps in all, which are calls of the network: some schedulers need more than they have steps, and an
    /// image to start from leaves fewer.
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
    let requests = std::slice::from_ref(request);
    let latent = denoise(pipeline, requests, &mut noise, previews, on_step, cancel)?;
    Ok(Pipeline::frame(&finished(pipeline, &latent)?)?)
}

/// Makes an image of each of `requests` in one sampling, which takes less time than one after the other; each
/// comes out as [`generate`] makes it, but for rounding. They may differ in prompts, seeds and condition images.
///
/// # Errors
/// As [`generate`], and where requests differ in anything else or begin with an image.
pub fn generate_together(
    pipeline: &Pipeline,
    requests: &[Request],
    on_step: &mut dyn FnMut(Step),
    cancel: &CancelToken,
) -> std::result::Result<Vec<Frame>, SampleError> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let mut noise = Several::new(requests.iter().map(|request| request.seed));
    let latents = denoise(pipeline, requests, &mut noise, 0, on_step, cancel)?;
    let images = finished(pipeline, &latents)?;
    let frames = (0..requests.len()).map(|index| Pipeline::frame(&images.narrow(0, index, 1)?));
    Ok(frames.collect::<Result<_>>()?)
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
    let requests = std::slice::from_ref(request);
    let latent = denoise(pipeline, requests, noise, 0, &mut |_| (), &CancelToken::new())?;
    Ok(finished(pipeline, &latent)?.clamp(0f32, 1f32)?)
}

/// The images of clean latents, not clamped.
fn finished(pipeline: &Pipeline, latent: &Tensor) -> std::result::Result<Tensor, SampleError> {
    let image = pipeline.decode(latent)?;
    // Looked at before it is clamped, which would make a number of an infinity.
    if image.flatten_all()?.to_vec1::<f32>()?.iter().all(|value| value.is_finite()) {
        Ok(image)
    } else {
        Err(SampleError::NotFinite)
    }
}

/// THE loop: the clean latents `[requests, c, h, w]` of requests that are sampled together. There is one at least.
pub(super) fn denoise(
    pipeline: &Pipeline,
    requests: &[Request],
    noise: &mut dyn NoiseSource,
    previews: usize,
    on_step: &mut dyn FnMut(Step),
    cancel: &CancelToken,
) -> std::result::Result<Tensor, SampleError> {
    let Some((request, others)) = requests.split_first() else {
        return Err(SampleError::invalid("requests", "there is none"));
    };
    request.check()?;
    for other in others {
        other.check()?;
        request.check_alike(other)?;
    }
    let size = pipeline.size(request)?;
    let guidance = Guidance { scale: request.guidance_scale, rescale: request.guidance_rescale };
    let twice = guidance.asks_twice() && !pipeline.was_taught_guidance();
    let told = pipeline.told(requests, twice, size)?;
    let mut sampler = pipeline.sampler(request)?;
    let controls = Controls::new(pipeline, requests, size, &told.context)?;
    let begun = begin(pipeline, requests, size, sampler.as_ref(), noise)?;
    let (mut sample, first) = (begun.sample, begun.index);
    let timesteps = sampler.timesteps().to_vec();
    let of = timesteps.len() - first;
    let every = if previews == 0 { usize::MAX } else { of.div_ceil(previews + 1) };
    for (index, timestep) in timesteps.iter().enumerate().skip(first) {
        if cancel.is_cancelled() {
            return Err(SampleError::Cancelled);
        }
        let number = index - first;
        let shown = sampler.scale_model_input(&sample, index)?;
        let question = Question { timestep: *timestep, number, of };
        let beside = begun.beside.as_ref();
        let prediction = predict(pipeline, &shown, question, &told, &controls, beside, guidance)?;
        let stepped = sampler.step(&prediction, index, &sample, noise)?;
        sample = match &begun.kept {
            Some(kept) => kept.put_back(&stepped.sample, sampler.as_ref(), index + 1)?,
            None => stepped.sample,
        };
        let number = number + 1;
        let preview = (number % every == 0 && number < of)
            .then(|| Pipeline::frame(&pipeline.decode(&stepped.clean)?))
            .transpose()?;
        on_step(Step { number, of, preview });
    }
    Ok(sample)
}

/// Where in a sampling the network is asked.
#[derive(Clone, Copy)]
struct Question {
    timestep: f64,
    number: usize,
    of: usize,
}

/// The network's prediction for `shown` `[requests, c, h, w]`, led away from the negatives.
fn predict(
    pipeline: &Pipeline,
    shown: &Tensor,
    question: Question,
    told: &Told,
    controls: &Controls,
    beside: Option<&Tensor>,
    guidance: Guidance,
) -> Result<Tensor> {
    let batch = told.context.dim(0)?;
    let looks = batch / shown.dim(0)?;
    let each = |one: &Tensor| Tensor::cat(&vec![one; looks], 0);
    let sample = each(shown)?;
    let timesteps = vec![question.timestep; batch];
    let added = told.added.as_ref().map(|(text_embeds, time_ids)| Added { text_embeds, time_ids });
    let images = told.images.as_deref();
    let kept = Some(&told.kept);
    let asked =
        UnetInput { added, images, kept, ..UnetInput::new(&sample, &timesteps, &told.context) };
    // ControlNets see the noisy latent alone, whatever the network sees beside it.
    let residuals = controls.residuals(&asked, question.number, question.of)?;
    let features = controls.features(batch, question.number, question.of)?;
    let widened = match beside {
        Some(beside) => Some(Tensor::cat(&[&sample, &each(beside)?], 1)?),
        None => None,
    };
    let asked = UnetInput {
        sample: widened.as_ref().unwrap_or(&sample),
        residuals: residuals.as_ref(),
        features: features.as_deref(),
        guidance: told.guidance.as_ref(),
        ..asked
    };
    let predictions = pipeline.unet().predict(&asked)?;
    if looks == 1 { Ok(predictions) } else { guidance.lead(&predictions) }
}
