//! The first stage: an autoencoder over the concept's images, whose bottleneck gives their feature tokens.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};

use super::super::config::TrainConfig;
use super::super::draw::Draw;
use super::super::error::TrainError;
use super::super::event::TrainSummary;
use super::super::trainee::Trainee;
use crate::data::{Dataset, Images, Split};
use crate::kernel::map_weights;
use crate::model::{
    FeatureConfig, FeatureDecoder, FeatureEncoder, ModelError, save_weights, write_json,
};
use crate::nn::Weights;

/// Images that are encoded or compared at once.
const BATCH: usize = 32;
const WEIGHTS: &str = "features.safetensors";

/// Encoder and decoder, held to the images.
pub(in crate::train) struct FeatureTask {
    encoder: FeatureEncoder,
    decoder: FeatureDecoder,
    variables: BTreeMap<String, Var>,
    train: Images,
    validation: Images,
    draw: Draw,
    batch_size: usize,
    device: Device,
}

impl FeatureTask {
    pub(in crate::train) fn new(
        config: &TrainConfig,
        features: &FeatureConfig,
        dataset: &Dataset,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let weights = Weights::from_seed(config.seed, DType::F32, device);
        let load = |split, limit| Images::load(dataset, split, features.image_size, limit);
        let samples = dataset.samples(Split::Train);
        Ok(Self {
            encoder: FeatureEncoder::new(features.clone(), &weights.pp("encoder"))?,
            decoder: FeatureDecoder::new(features.clone(), &weights.pp("decoder"))?,
            variables: weights.variables(),
            train: load(Split::Train, usize::MAX)?,
            validation: load(Split::Validation, config.validation_samples)?,
            draw: Draw::new(
                samples.iter().map(|sample| sample.group()),
                config.balance,
                config.seed,
            ),
            batch_size: config.batch_size,
            device: device.clone(),
        })
    }

    fn difference(&self, image: &Tensor) -> candle_core::Result<Tensor> {
        self.decoder.forward(&self.encoder.forward(image)?)? - image
    }
}

impl Trainee for FeatureTask {
    fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    fn samples(&self) -> (usize, usize) {
        (self.train.len(), self.validation.len())
    }

    /// Mean absolute and mean squared difference: the first keeps edges, the second pulls in what is far off.
    fn loss(&self, step: u64) -> Result<Tensor, TrainError> {
        let indices = self.draw.batch(step, self.batch_size);
        let difference = self.difference(&self.train.tensor(&indices, &self.device)?)?;
        Ok((difference.abs()?.mean_all()? + difference.sqr()?.mean_all()?)?)
    }

    /// Mean squared error on a scale of pixels from 0 to 1.
    fn validation_loss(&self) -> Result<f32, TrainError> {
        let indices: Vec<usize> = (0..self.validation.len()).collect();
        let mut total = 0f64;
        for indices in indices.chunks(BATCH) {
            let image = self.validation.tensor(indices, &self.device)?;
            let error = (self.difference(&image)? * 0.5)?.sqr()?.mean_all()?;
            total += f64::from(error.to_scalar::<f32>()?) * indices.len() as f64;
        }
        Ok((total / indices.len().max(1) as f64) as f32)
    }

    /// In single precision: the second stage goes on from exactly these.
    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        _summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        write_json(&out.join("config.json"), self.encoder.config())?;
        Ok(save_weights(&out.join(WEIGHTS), weights, DType::F32)?)
    }
}

/// The trained encoder, its weights by the names that a concept has them under, and the tokens of its images.
pub(super) struct Features {
    pub(super) weights: BTreeMap<String, Tensor>,
    /// `[images, tokens, width]` of the images to train on.
    pub(super) tokens: Tensor,
    /// `[1, tokens, width]`, the mean over these.
    pub(super) mean: Tensor,
}

impl Features {
    /// Reads what the first stage left in `folder`, and encodes the concept's images.
    pub(super) fn open(
        folder: &Path,
        config: &FeatureConfig,
        dataset: &Dataset,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let path = folder.join(WEIGHTS);
        let file = map_weights(&path).map_err(|cause| ModelError::file(&path, cause))?;
        let weights = Weights::from_file(file, false, DType::F32, device);
        let encoder = FeatureEncoder::new(config.clone(), &weights.pp("encoder"))?;
        FeatureDecoder::new(config.clone(), &weights.pp("decoder"))?;
        let names: Vec<String> =
            weights.shapes().into_keys().filter(|name| name.starts_with("encoder.")).collect();
        weights.finish().map_err(|cause| ModelError::file(&path, cause))?;
        let file = map_weights(&path).map_err(|cause| ModelError::file(&path, cause))?;
        let load = |name: String| Ok((name.clone(), file.load(&name, device)?));

        let images = Images::load(dataset, Split::Train, config.image_size, usize::MAX)?;
        let indices: Vec<usize> = (0..images.len()).collect();
        let encoded = indices
            .chunks(BATCH)
            .map(|indices| encoder.forward(&images.tensor(indices, device)?))
            .collect::<candle_core::Result<Vec<_>>>()?;
        let tokens = Tensor::cat(&encoded, 0)?;
        Ok(Self {
            weights: names.into_iter().map(load).collect::<candle_core::Result<_>>()?,
            mean: tokens.mean_keepdim(0)?,
            tokens,
        })
    }
}
