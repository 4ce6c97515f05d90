//! What a model kept of what it could do: the same prompts and seeds without and with the concept.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Device;
use serde::Serialize;

use super::super::error::TrainError;
use crate::device::CancelToken;
use crate::dicom::Frame;
use crate::evaluate::EvaluateError;
use crate::metric;
use crate::model::{Bundle, write_json};
use crate::sample::{Pipeline, Request, SampleError, generate};

/// The loss on held-out images of the old data.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct OldLoss {
    /// Before training.
    pub(super) before: f32,
    /// After it, with the concept out of sight.
    pub(super) without: f32,
    /// After it, with the concept in sight.
    pub(super) with: f32,
}

/// How far an image is from the one before training.
#[derive(Debug, Clone, Copy, Serialize)]
struct Distance {
    /// Mean squared error of grey values from 0 to 1.
    mean_squared_error: f64,
    /// Peak signal-to-noise ratio in decibels; none where nothing differs.
    psnr_db: Option<f64>,
}

/// A prompt, and how far its image went.
#[derive(Debug, Clone, Serialize)]
struct Moved {
    prompt: String,
    seed: u64,
    without: Distance,
    with: Distance,
}

/// `report.json`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    prompts: Vec<Moved>,
    denoising_steps: usize,
    /// Of the old data, where there is some.
    held_out_old_loss: Option<OldLoss>,
    /// The share of the old ability that is kept with the concept in sight: loss before by loss after, 1 at most.
    kept: Option<f64>,
    /// Peak signal-to-noise ratio of the feature autoencoder on held-out images of the concept, in decibels.
    feature_psnr_db: f64,
}

fn distance(one: &Frame, other: &Frame) -> Result<Distance, EvaluateError> {
    let error = metric::mean_squared_error(&one.pixels, &other.pixels)?;
    let psnr = metric::psnr_of_error(error, 1.0)?;
    Ok(Distance { mean_squared_error: error, psnr_db: psnr.is_finite().then_some(psnr) })
}

/// The model with what it makes of the prompts before it sees the concept.
pub(super) struct Before<'a> {
    pipeline: Pipeline,
    prompts: &'a [String],
    steps: usize,
    guidance_scale: f64,
    seed: u64,
    images: Vec<Frame>,
}

impl<'a> Before<'a> {
    /// Makes an image of each prompt in `steps`, the n-th with the seed `seed` + n.
    pub(super) fn new(
        bundle: &Bundle,
        prompts: &'a [String],
        steps: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let pipeline = Pipeline::load(bundle, device)?;
        let guidance_scale = f64::from(bundle.card().default_guidance_scale).max(1.0);
        let mut before =
            Self { pipeline, prompts, steps, guidance_scale, seed, images: Vec::new() };
        before.images = before.make()?;
        Ok(before)
    }

    fn make(&self) -> Result<Vec<Frame>, TrainError> {
        let one = |(index, prompt): (usize, &String)| {
            let request = Request {
                prompt: prompt.clone(),
                seed: self.seed.wrapping_add(index as u64),
                steps: self.steps,
                guidance_scale: self.guidance_scale,
                ..Request::default()
            };
            generate(&self.pipeline, &request, 0, &mut |_| (), &CancelToken::new())
        };
        let images = self.prompts.iter().enumerate().map(one);
        Ok(images.collect::<Result<_, SampleError>>()?)
    }

    /// The same with the concept in `folder`, and again with it out of sight.
    pub(super) fn after(
        &mut self,
        folder: &Path,
        old: Option<OldLoss>,
        feature_error: f32,
    ) -> Result<Report, TrainError> {
        let concept = self.pipeline.concept(folder)?;
        self.pipeline.show(&[(&concept, 1.0)], None)?;
        let with = self.make()?;
        self.pipeline.show(&[], None)?;
        let without = self.make()?;
        let moved = |(index, prompt): (usize, &String)| {
            Ok(Moved {
                prompt: prompt.clone(),
                seed: self.seed.wrapping_add(index as u64),
                without: distance(&self.images[index], &without[index])?,
                with: distance(&self.images[index], &with[index])?,
            })
        };
        let prompts = self.prompts.iter().enumerate().map(moved);
        Ok(Report {
            prompts: prompts.collect::<Result<_, EvaluateError>>()?,
            denoising_steps: self.steps,
            held_out_old_loss: old,
            kept: old.map(|old| (f64::from(old.before) / f64::from(old.with)).min(1.0)),
            feature_psnr_db: metric::psnr_of_error(f64::from(feature_error), 1.0)
                .map_err(EvaluateError::from)?,
        })
    }
}

impl Report {
    /// Writes `report.json`.
    pub(super) fn write(&self, folder: &Path) -> Result<(), TrainError> {
        Ok(write_json(&folder.join("report.json"), self)?)
    }

    /// What the card says of it.
    pub(super) fn figures(&self) -> BTreeMap<String, f64> {
        let mean = |of: &dyn Fn(&Moved) -> f64| {
            self.prompts.iter().map(of).sum::<f64>() / self.prompts.len() as f64
        };
        let mut figures = BTreeMap::from([("feature_psnr_db".to_owned(), self.feature_psnr_db)]);
        if !self.prompts.is_empty() {
            let without = mean(&|one| one.without.mean_squared_error);
            let with = mean(&|one| one.with.mean_squared_error);
            figures.insert("image_mse_without_concept".into(), without);
            figures.insert("image_mse_with_concept".into(), with);
        }
        if let Some(OldLoss { before, without, with }) = self.held_out_old_loss {
            figures.insert("old_loss_before".into(), f64::from(before));
            figures.insert("old_loss_without_concept".into(), f64::from(without));
            figures.insert("old_loss_with_concept".into(), f64::from(with));
        }
        if let Some(kept) = self.kept {
            figures.insert("old_ability_kept".into(), kept);
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_distance_is_of_squares_and_decibels() {
        let frame = |pixels: [f32; 2]| Frame { width: 2, height: 1, pixels: pixels.to_vec() };
        let far = distance(&frame([0.5, 0.25]), &frame([0.5, 0.45])).unwrap();
        assert!((far.mean_squared_error - 0.02).abs() < 1e-7, "{far:?}");
        // −10 lg 0.02
        assert!((far.psnr_db.unwrap() - 16.9897).abs() < 1e-3, "{far:?}");
        let same = distance(&frame([0.5, 0.25]), &frame([0.5, 0.25])).unwrap();
        assert!(same.mean_squared_error.abs() < 1e-12 && same.psnr_db.is_none());
    }
}
