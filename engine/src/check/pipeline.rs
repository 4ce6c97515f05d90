//! The whole way from a prompt to an image.

use std::path::Path;

use candle_core::{Device, Tensor};

use super::adapters::adapters;
use super::error::CheckError;
use super::reference::Reference;
use super::report::{Measured, of_two_readings};
use super::scheduler::{Given, config};
use crate::model::Bundle;
use crate::sample::{Pipeline, Request, TextOptions, render};

const NOISE: &str = "pipeline/in/noise";
const IMAGE: &str = "pipeline/out/image";

/// The image.
pub(super) fn run(
    folder: &Path,
    reference: &Reference,
    tolerance: f64,
    device: &Device,
) -> Result<Vec<Measured>, CheckError> {
    let bundle = Bundle::glance(folder)?;
    let mut pipeline = Pipeline::load(&bundle, device)?;
    let adapters = adapters(reference)?;
    let acting: Vec<_> = adapters.iter().map(|(adapter, scale)| (adapter, *scale)).collect();
    pipeline
        .adapt(&acting, false)
        .map_err(|cause| CheckError::reference("lora", cause.to_string()))?;
    let noise = reference.floats(NOISE, device)?;
    let expected = reference.floats(IMAGE, device)?;
    let (batch, _, height, width) = noise.dims4().map_err(|_| {
        CheckError::reference(NOISE, format!("is {:?}, and not [b, c, h, w]", noise.dims()))
    })?;
    // What a stochastic scheduler draws on the way.
    let own = "pipeline/in/noise_";
    let prefix = if reference.count(own) > 0 { own } else { "scheduler/in/noise_" };
    let card = bundle.card();
    let unit = bundle.vae_config()?.compression();
    let request = Request {
        prompt: reference.entry("prompt").unwrap_or_default().to_owned(),
        negative: reference.entry("negative_prompt").unwrap_or_default().to_owned(),
        steps: reference.number("steps")?.unwrap_or(card.default_steps as usize),
        guidance_scale: reference
            .number("guidance_scale")?
            .unwrap_or(f64::from(card.default_guidance_scale)),
        size: Some((height * unit, width * unit)),
        scheduler: Some(config(&bundle, reference)?),
        // As diffusers reads a prompt.
        text: TextOptions::plain(),
        ..Request::default()
    };
    let scheduler = request.scheduler.as_ref().unwrap_or(pipeline.scheduler());
    let sampler = scheduler
        .sampler(request.steps)
        .map_err(|cause| CheckError::reference("scheduler", cause))?;
    let sigma = sampler.init_noise_sigma();
    let draws = Given::new(prefix, reference, device)?;
    let measure = |pipeline: &Pipeline| {
        of_two_readings(sigma, tolerance, |factor| {
            let mut images = Vec::with_capacity(batch);
            for index in 0..batch {
                let start = (noise.narrow(0, index, 1)? * factor)?;
                let mut draws = draws.of_sample(start, index, batch)?;
                images.push(render(pipeline, &request, &mut draws)?);
            }
            Measured::of(IMAGE, &Tensor::cat(&images, 0)?, &expected)
        })
    };
    let measured = measure(&pipeline)?;
    // An empty negative prompt may have been given to diffusers, which then embeds it, or not.
    let empty = reference.says("negative_prompt") && request.negative.is_empty();
    if measured.deviation > tolerance && empty && pipeline.embed_no_words() {
        let embedded = measure(&pipeline)?;
        if embedded.deviation < measured.deviation {
            let reading = "the empty negative prompt is embedded";
            return Ok(vec![Measured { reading: Some(reading), ..embedded }]);
        }
    }
    Ok(vec![measured])
}
