//! What the trainings of both judges share.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use rayon::prelude::*;
use serde::Serialize;

use super::super::augment::{Augment, Change};
use super::super::config::TrainConfig;
use super::super::draw::{Draw, source};
use super::super::error::TrainError;
use super::super::event::TrainSummary;
use super::super::owed::{Owes, stated};
use super::super::trainee::Trainee;
use super::JudgeConfig;
use crate::data::{DataError, Dataset, Images, Sample, Split};
use crate::evaluate::Figures;
use crate::model::{ModelCard, write_judge};
use crate::nn::Weights;

/// What a judge is taught, and how well it knows it.
pub(super) trait Lesson {
    /// What the card calls the judge.
    const NAME: &'static str;
    /// The network's configuration.
    type Sizes: Serialize;

    fn sizes(&self) -> &Self::Sizes;
    /// The loss on the changed images of a step, `[n, 1, size, size]`.
    fn loss(&self, images: &Tensor, drawn: &Drawn) -> candle_core::Result<Tensor>;
    /// The loss on held-out images, unchanged and without smoothing, and their figures.
    fn look(&self, held_out: &Images, device: &Device) -> Result<(f32, Figures), TrainError>;
}

/// Which images a step sees, and how each is changed.
pub(super) struct Drawn<'a> {
    pub(super) indices: Vec<usize>,
    changes: Vec<Change>,
    size: usize,
    device: &'a Device,
}

impl Drawn<'_> {
    /// `[n, 1, size, size]` on the CPU, each changed as `change` says.
    pub(super) fn changed(
        &self,
        images: &Tensor,
        change: impl Fn(&Change, &[f32], usize) -> Vec<f32> + Sync,
    ) -> candle_core::Result<Tensor> {
        let values = images.flatten_all()?.to_vec1::<f32>()?;
        let changed: Vec<Vec<f32>> = values
            .par_chunks_exact(self.size * self.size)
            .zip(&self.changes)
            .map(|(pixels, one)| change(one, pixels, self.size))
            .collect();
        Tensor::from_vec(changed.concat(), images.dims(), self.device)
    }
}

/// The samples that a judge learns from.
pub(super) struct Samples<'a> {
    pub(super) train: Vec<&'a Sample>,
    pub(super) held_out: Vec<&'a Sample>,
}

impl<'a> Samples<'a> {
    /// Those of `dataset` that are `fit`.
    ///
    /// # Errors
    /// Where a split has none: it has no `what`.
    pub(super) fn new(
        config: &TrainConfig,
        dataset: &'a Dataset,
        what: &str,
        fit: impl Fn(&Sample) -> bool,
    ) -> Result<Self, DataError> {
        let of = |split: Split, to: &str| {
            let mut samples = dataset.samples(split);
            samples.retain(|sample| fit(sample));
            if samples.is_empty() {
                let cause = format!("the data set has no {what} to {to}");
                return Err(DataError::Sources { cause });
            }
            Ok(samples)
        };
        let train = of(Split::Train, "train on")?;
        let mut held_out = of(Split::Validation, "validate with")?;
        held_out.truncate(config.validation_samples);
        Ok(Self { train, held_out })
    }
}

/// A judge under training.
pub(super) struct JudgeTask<L> {
    lesson: L,
    variables: BTreeMap<String, Var>,
    train: Images,
    held_out: Images,
    draw: Draw,
    figures: RefCell<Figures>,
    augment: Augment,
    config: TrainConfig,
    dataset: String,
    pub(super) card: ModelCard,
    device: Device,
}

impl<L: Lesson> JudgeTask<L> {
    /// `lesson` builds the network on fresh weights.
    pub(super) fn new(
        config: &TrainConfig,
        judge: &JudgeConfig,
        dataset: &Dataset,
        samples: &Samples,
        device: &Device,
        lesson: impl FnOnce(&Weights) -> Result<L, TrainError>,
    ) -> Result<Self, TrainError> {
        let weights = Weights::from_seed(config.seed, DType::F32, device);
        let lesson = lesson(&weights)?;
        let groups = samples.train.iter().map(|sample| sample.group());
        let stated_card = config.card.clone().unwrap_or_default();
        let owed = stated(&stated_card).and_set(dataset.card());
        let card = ModelCard {
            name: config.name.clone(),
            image_size: config.image_size,
            licence: owed.licence(),
            attribution: owed.attribution(),
            ..stated_card
        };
        Ok(Self {
            lesson,
            variables: weights.variables(),
            train: Images::of(dataset, &samples.train, config.image_size)?,
            held_out: Images::of(dataset, &samples.held_out, config.image_size)?,
            draw: Draw::new(groups, config.balance, config.seed),
            figures: RefCell::default(),
            augment: judge.augment,
            config: config.clone(),
            dataset: dataset.card().name.clone(),
            card,
            device: device.clone(),
        })
    }

    fn drawn(&self, step: u64) -> Drawn<'_> {
        let indices = self.draw.batch(step, self.config.batch_size);
        let mut random = source(self.config.seed, step, "augment");
        let changes = indices.iter().map(|_| self.augment.draw(&mut random)).collect();
        Drawn { indices, changes, size: self.config.image_size, device: &self.device }
    }
}

impl<L: Lesson> Trainee for JudgeTask<L> {
    fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    fn samples(&self) -> (usize, usize) {
        (self.train.len(), self.held_out.len())
    }

    fn loss(&self, step: u64) -> Result<Tensor, TrainError> {
        let drawn = self.drawn(step);
        let images = self.train.tensor(&drawn.indices, &Device::Cpu)?;
        Ok(self.lesson.loss(&drawn.changed(&images, Change::image)?, &drawn)?)
    }

    /// The loss of training without changes and smoothing.
    fn validation_loss(&self) -> Result<f32, TrainError> {
        let (loss, figures) = self.lesson.look(&self.held_out, &self.device)?;
        *self.figures.borrow_mut() = figures;
        Ok(loss)
    }

    fn figures(&self) -> Figures {
        self.figures.borrow().clone()
    }

    /// The judge's folder.
    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        let mut card = ModelCard {
            training: format!(
                "{}: {} steps of {} images of {}",
                L::NAME,
                summary.steps,
                self.config.batch_size,
                self.dataset
            ),
            figures: self.figures(),
            ..self.card.clone()
        };
        card.figures.insert("validation_loss".into(), f64::from(summary.validation_loss_after));
        Ok(write_judge(out, self.lesson.sizes(), weights, &card)?)
    }
}
