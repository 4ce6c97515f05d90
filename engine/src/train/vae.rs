//! Training the autoencoder.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};

use super::config::TrainConfig;
use super::draw::{Draw, source};
use super::error::TrainError;
use super::event::TrainSummary;
use super::trainee::Trainee;
use crate::data::{Dataset, Images, Split};
use crate::device::normal;
use crate::model::{Bundle, ModelCard, Part, Vae, VaeConfig};
use crate::nn::Weights;
use crate::noise::ScheduleConfig;

/// Weight of the difference between neighbouring pixels: edges such as ribs count beside grey.
const EDGE_WEIGHT: f64 = 1.0;
/// Weight of the latent's divergence from a normal distribution, a value of the latent.
const DIVERGENCE_WEIGHT: f64 = 3e-4;
/// Images that are encoded or compared at once.
const BATCH: usize = 16;

/// Pixels, edges, and a latent near a normal distribution.
pub(super) struct VaeTask {
    config: TrainConfig,
    network_config: VaeConfig,
    vae: Vae,
    variables: BTreeMap<String, Var>,
    train: Images,
    validation: Images,
    draw: Draw,
    device: Device,
    dataset: String,
    card: ModelCard,
}

impl VaeTask {
    pub(super) fn new(config: &TrainConfig, device: &Device) -> Result<Self, TrainError> {
        let Some(network_config) = config.vae.clone() else {
            return Err(TrainError::Config { field: "vae", cause: "is missing".into() });
        };
        network_config.validate()?;
        // Radiographs have one channel.
        if network_config.in_channels != 1 || network_config.out_channels != 1 {
            return Err(TrainError::Config {
                field: "vae.in_channels",
                cause: "must be 1, as must out_channels: a radiograph is grey".into(),
            });
        }
        if network_config.sample_size != config.image_size {
            return Err(TrainError::Config {
                field: "image_size",
                cause: format!("must be {}, the vae's sample_size", network_config.sample_size),
            });
        }
        let dataset = Dataset::open(&config.dataset)?;
        let train = Images::load(&dataset, Split::Train, config.image_size, usize::MAX)?;
        let validation = Images::load(
            &dataset,
            Split::Validation,
            config.image_size,
            config.validation_samples,
        )?;
        let weights = Weights::from_seed(config.seed, DType::F32, device);
        let vae = Vae::new(network_config.clone(), &weights)?;
        let draw = Draw::new(
            dataset.samples(Split::Train).iter().map(|sample| sample.group()),
            config.balance,
            config.seed,
        );
        Ok(Self {
            config: config.clone(),
            network_config,
            vae,
            variables: weights.variables(),
            train,
            validation,
            draw,
            device: device.clone(),
            dataset: dataset.card().name.clone(),
            card: ModelCard {
                name: config.name.clone(),
                image_size: config.image_size,
                licence: dataset.card().licence.clone(),
                attribution: vec![dataset.card().attribution.clone()],
                ..ModelCard::default()
            },
        })
    }

    /// `[n, channels, size, size]` between −1 and 1.
    fn batch(&self, images: &Images, indices: &[usize]) -> candle_core::Result<Tensor> {
        images.tensor(indices, &self.device)
    }

    /// 1 / standard deviation of the latents, so that diffusion sees unit variance.
    fn scaling_factor(&self) -> Result<f64, TrainError> {
        let (mut sum, mut squares, mut count) = (0f64, 0f64, 0f64);
        let indices: Vec<usize> = (0..self.train.len().min(512)).collect();
        for indices in indices.chunks(BATCH) {
            let (mean, _) = self.vae.encode(&self.batch(&self.train, indices)?)?;
            sum += f64::from(mean.sum_all()?.to_scalar::<f32>()?);
            squares += f64::from(mean.sqr()?.sum_all()?.to_scalar::<f32>()?);
            count += mean.elem_count() as f64;
        }
        let mean = sum / count;
        Ok(1.0 / (squares / count - mean * mean).max(1e-12).sqrt())
    }
}

impl Trainee for VaeTask {
    fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    fn samples(&self) -> (usize, usize) {
        (self.train.len(), self.validation.len())
    }

    fn loss(&self, step: u64) -> Result<Tensor, TrainError> {
        let image = self.batch(&self.train, &self.draw.batch(step, self.config.batch_size))?;
        let (mean, log_variance) = self.vae.encode(&image)?;
        let mut random = source(self.config.seed, step, "latent");
        let noise = normal(&mut random, mean.elem_count());
        let noise = Tensor::from_vec(noise, mean.shape(), &self.device)?;
        let latent = (&mean + ((&log_variance * 0.5)?.exp()? * noise)?)?;
        let decoded = self.vae.decode(&latent)?;
        let pixels = (&decoded - &image)?.abs()?.mean_all()?;
        let edges =
            (edge_difference(&decoded, &image, 2)? + edge_difference(&decoded, &image, 3)?)?;
        let divergence =
            ((mean.sqr()? + log_variance.exp()?)? - (log_variance + 1.0)?)?.mean_all()?;
        let loss =
            ((pixels + (edges * EDGE_WEIGHT)?)? + (divergence * (0.5 * DIVERGENCE_WEIGHT))?)?;
        Ok(loss)
    }

    /// Mean squared error on a scale of pixels from 0 to 1.
    fn validation_loss(&self) -> Result<f32, TrainError> {
        let indices: Vec<usize> = (0..self.validation.len()).collect();
        let mut total = 0f64;
        for indices in indices.chunks(BATCH) {
            let image = self.batch(&self.validation, indices)?;
            let (mean, _) = self.vae.encode(&image)?;
            let error = ((self.vae.decode(&mean)? - image)? * 0.5)?.sqr()?.mean_all()?;
            total += f64::from(error.to_scalar::<f32>()?) * indices.len() as f64;
        }
        Ok((total / indices.len().max(1) as f64) as f32)
    }

    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        let config =
            VaeConfig { scaling_factor: self.scaling_factor()?, ..self.network_config.clone() };
        Bundle::write_part(out, Part::Vae, &config, weights)?;
        let psnr = -10.0 * f64::from(summary.validation_loss_after).log10();
        let card = ModelCard {
            training: format!(
                "autoencoder: {} steps of {} images of {}",
                summary.steps, self.config.batch_size, self.dataset
            ),
            figures: [("autoencoder_psnr_db".to_owned(), psnr)].into(),
            ..self.card.clone()
        };
        Bundle::write_index(out, &ScheduleConfig::default(), &card)?;
        Ok(())
    }
}

/// Mean absolute difference of the two images' steps between neighbours along `dim`.
fn edge_difference(a: &Tensor, b: &Tensor, dim: usize) -> candle_core::Result<Tensor> {
    let length = a.dim(dim)?;
    let step = |x: &Tensor| x.narrow(dim, 1, length - 1)? - x.narrow(dim, 0, length - 1)?;
    (step(a)? - step(b)?)?.abs()?.mean_all()
}
