//! Pictures of a run on its way: the same prompts and seeds again and again.

use std::path::Path;

use candle_core::Device;

use super::config::TrainConfig;
use super::error::TrainError;
use crate::adapter::{Adapter, Embedding, Prefix};
use crate::device::CancelToken;
use crate::dicom::{
    AdapterUse, EmbeddingUse, Frame, Provenance, SyntheticDescription, png_with_provenance,
};
use crate::model::Bundle;
use crate::sample::{Control, Pipeline, RANDOM_GENERATOR, Request, generate};

/// Pictures side by side.
const ACROSS: usize = 4;
/// Condition images that are looked at again and again, at most.
const MOST_CONDITIONS: usize = 8;

/// What a task has made so far, ready to sample with, and what a picture says of it.
pub(super) struct Ready {
    pipeline: Pipeline,
    provenance: Provenance,
    /// What a ControlNet is shown, a picture each; none without one.
    conditions: Vec<Frame>,
}

impl Ready {
    /// The model of `bundle` alone.
    pub(super) fn model(bundle: &Bundle, device: &Device) -> Result<Self, TrainError> {
        let card = bundle.card();
        let provenance = Provenance {
            program: "Skiagraph".into(),
            version: crate::VERSION.into(),
            model: format!("{} {}", card.name, card.version).trim_end().to_owned(),
            model_sha256: card.weights_sha256.clone(),
            random_generator: RANDOM_GENERATOR.into(),
            ..Provenance::default()
        };
        Ok(Self { pipeline: Pipeline::load(bundle, device)?, provenance, conditions: Vec::new() })
    }

    /// With the ControlNet in `folder`, which is shown the first [`MOST_CONDITIONS`] of `conditions` in turn.
    pub(super) fn control(
        mut self,
        folder: &Path,
        conditions: impl Iterator<Item = Frame>,
    ) -> Result<Self, TrainError> {
        self.pipeline.add_control(folder)?;
        let side = self.pipeline.image_size() as u32;
        let square = |frame: Frame| frame.resized(side, side);
        self.conditions = conditions.take(MOST_CONDITIONS).map(square).collect();
        Ok(self)
    }

    /// With the adapter in `folder`.
    pub(super) fn adapter(mut self, folder: &Path) -> Result<Self, TrainError> {
        let adapter = Adapter::open(folder)?;
        self.pipeline.adapt(&[(&adapter, 1.0)], false)?;
        self.uses(adapter.name(), adapter.sha256());
        Ok(self)
    }

    /// With the prefix in `folder`.
    pub(super) fn prefix(mut self, folder: &Path) -> Result<Self, TrainError> {
        let prefix = Prefix::open(folder)?;
        self.pipeline.put_before(&[(&prefix, 1.0)])?;
        self.uses(&prefix.card().name, prefix.sha256());
        Ok(self)
    }

    /// With the word in `folder`.
    pub(super) fn word(mut self, folder: &Path) -> Result<Self, TrainError> {
        let word = Embedding::open(folder, None)?;
        self.pipeline.learn(&[&word])?;
        let (token, sha256) = (word.token().to_owned(), word.sha256().to_owned());
        self.provenance.embeddings = vec![EmbeddingUse { token, sha256 }];
        Ok(self)
    }

    fn uses(&mut self, name: &str, sha256: &str) {
        let (name, sha256) = (name.to_owned(), sha256.to_owned());
        self.provenance.adapters = vec![AdapterUse { name, sha256, scale: 1.0 }];
    }

    /// What leads the picture of a prompt.
    fn condition(&self, prompt: usize) -> Option<&Frame> {
        self.conditions.get(prompt.checked_rem(self.conditions.len())?)
    }

    /// A picture of every prompt of `config`, side by side, each behind what leads it, as PNG that says it is
    /// synthetic.
    pub(super) fn grid(
        &self,
        config: &TrainConfig,
        step: u64,
        cancel: &CancelToken,
    ) -> Result<Vec<u8>, TrainError> {
        let (mut frames, mut inputs) = (Vec::new(), Vec::new());
        // The last: a model may bring control networks of its own.
        let network = self.pipeline.control_hashes().len().saturating_sub(1);
        for (number, prompt) in config.sample_prompts.iter().enumerate() {
            let control = self.condition(number).map(|image| Control {
                network,
                image: image.clone(),
                weight: 1.0,
                start: 0.0,
                end: 1.0,
            });
            inputs.extend(control.as_ref().map(|control| self.pipeline.control_use(control)));
            frames.extend(control.as_ref().map(|control| control.image.clone()));
            let request = Request {
                prompt: prompt.clone(),
                seed: config.seed,
                steps: config.sample_steps,
                guidance_scale: config.sample_guidance_scale,
                controls: control.into_iter().collect(),
                ..Request::default()
            };
            frames.push(generate(&self.pipeline, &request, 0, &mut |_| (), cancel)?);
        }
        let frame = side_by_side(&frames);
        let scheduler = self.pipeline.scheduler();
        let description = SyntheticDescription {
            prompt: config.sample_prompts.join(" | "),
            provenance: Provenance {
                seed: config.seed,
                steps: config.sample_steps as u32,
                guidance_scale: config.sample_guidance_scale as f32,
                scheduler: scheduler.class_name().to_owned(),
                scheduler_config: scheduler.to_json(),
                width: frame.width,
                height: frame.height,
                options: serde_json::json!({ "training_step": step }),
                inputs,
                ..self.provenance.clone()
            },
            ..SyntheticDescription::default()
        };
        png_with_provenance(&frame, &description)
            .map_err(|cause| TrainError::file("samples", cause))
    }
}

/// One frame of all, in rows of [`ACROSS`]; black where none is left.
fn side_by_side(frames: &[Frame]) -> Frame {
    let across = frames.len().clamp(1, ACROSS);
    let (width, height) =
        frames.first().map_or((0, 0), |frame| (frame.width as usize, frame.height as usize));
    let (columns, rows) = (width * across, height * frames.len().div_ceil(across));
    let mut pixels = vec![0.0; columns * rows];
    for (number, frame) in frames.iter().enumerate() {
        let (left, top) = ((number % across) * width, (number / across) * height);
        for (row, line) in frame.pixels.chunks_exact(width).enumerate() {
            let start = (top + row) * columns + left;
            pixels[start..start + width].copy_from_slice(line);
        }
    }
    Frame { width: columns as u32, height: rows as u32, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stand_in_rows_of_four() {
        let frame = |grey: f32| Frame { width: 2, height: 1, pixels: vec![grey, -grey] };
        let frames: Vec<Frame> = (1..=5u8).map(|grey| frame(f32::from(grey))).collect();
        let grid = side_by_side(&frames);
        assert_eq!((grid.width, grid.height), (8, 2));
        let expected = [1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0, 5.0, -5.0, 0.0, 0.0];
        assert_eq!(grid.pixels[..12], expected);
        assert_eq!(side_by_side(&frames[..2]).width, 4);
    }
}
