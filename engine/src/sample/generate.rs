//! From noise to image.

use candle_core::{Result, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::pipeline::Pipeline;
use crate::device::{CancelToken, normal};
use crate::model::ModelError;
use crate::noise::Ddim;

/// What one image is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The sentence.
    pub prompt: String,
    /// What to lead away from; empty for nothing.
    pub negative: String,
    /// Seed of the first noise.
    pub seed: u64,
    /// Denoising steps.
    pub steps: usize,
    /// Strength of classifier-free guidance (Ho and Salimans, arXiv 2207.12598); 1 is none.
    pub guidance_scale: f64,
}

/// An error of a sampling.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// Somebody asked it to stop.
    #[error("cancelled")]
    Cancelled,
    /// The numbers ran away.
    #[error(
        "the image came out as no number: the model or an adapter is damaged, or guidance_scale is too high"
    )]
    NotFinite,
    /// The prompt does not encode.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A computation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// Makes one image: grey values between 0 and 1, row by row, [`Pipeline::image_size`] a side.
///
/// The same request gives the same values whatever else is made beside it. `on_step` hears of every
/// finished step, counted from 1, and of the picture so far where `preview_every` divides the step.
///
/// # Errors
/// [`SampleError::Cancelled`] within one step of being asked.
pub fn generate(
    pipeline: &Pipeline,
    request: &Request,
    preview_every: usize,
    on_step: &mut dyn FnMut(usize, Option<Vec<f32>>),
    cancel: &CancelToken,
) -> std::result::Result<Vec<f32>, SampleError> {
    let guided = (request.guidance_scale - 1.0).abs() > f64::EPSILON;
    let context = if guided {
        pipeline.context(&[&request.negative, &request.prompt])?
    } else {
        pipeline.context(&[&request.prompt])?
    };
    let shape = pipeline.latent_shape();
    let mut random = ChaCha8Rng::seed_from_u64(request.seed);
    let noise = normal(&mut random, shape.iter().product());
    let mut sample = Tensor::from_vec(noise, &shape[..], &pipeline.device)?;
    let sampler = Ddim::new(pipeline.schedule.clone(), request.steps);
    let steps = sampler.timesteps().len();
    for (index, timestep) in sampler.timesteps().iter().enumerate() {
        if cancel.is_cancelled() {
            return Err(SampleError::Cancelled);
        }
        let prediction = predict(pipeline, &sample, *timestep, &context, request.guidance_scale)?;
        let clean = sampler.clean(&prediction, index, &sample)?;
        sample = sampler.step(&prediction, index, &sample)?;
        let step = index + 1;
        let preview = (preview_every > 0 && step % preview_every == 0 && step < steps)
            .then(|| pipeline.decode(&clean))
            .transpose()?;
        on_step(step, preview);
    }
    let pixels = pipeline.decode(&sample)?;
    // Clamping lets a NaN through, and a NaN among the latents spreads over the image.
    if pixels.iter().all(|value| value.is_finite()) {
        Ok(pixels)
    } else {
        Err(SampleError::NotFinite)
    }
}

/// The network's prediction, led away from the negative where the context holds one.
fn predict(
    pipeline: &Pipeline,
    sample: &Tensor,
    timestep: usize,
    context: &Tensor,
    guidance_scale: f64,
) -> Result<Tensor> {
    let count = context.dim(0)?;
    let input = if count == 1 { sample.clone() } else { Tensor::cat(&[sample, sample], 0)? };
    let prediction = pipeline.unet.forward(&input, &vec![timestep as f64; count], context)?;
    if count == 1 {
        return Ok(prediction);
    }
    let (away, towards) = (prediction.narrow(0, 0, 1)?, prediction.narrow(0, 1, 1)?);
    &away + ((towards - &away)? * guidance_scale)?
}
