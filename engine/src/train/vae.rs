//! Training the autoencoder.

mod adversary;
mod losses;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};

pub use self::adversary::AdversaryConfig;
use self::adversary::{Adversary, PREFIX};
pub use self::losses::VaeLossConfig;
use self::losses::{Perceptual, Similarity, edge_difference};
use super::buckets::framing;
use super::config::TrainConfig;
use super::draw::{Draw, source};
use super::error::TrainError;
use super::event::TrainSummary;
use super::owed::{Owes, stated};
use super::trainee::Trainee;
use crate::data::{Dataset, Images, Size, Split};
use crate::device::normal;
use crate::evaluate::{self, Figures};
use crate::model::{Bundle, ModelCard, Part, Vae, VaeConfig};
use crate::nn::Weights;
use crate::noise::ScheduleConfig;

/// Images that are encoded or compared at once.
const BATCH: usize = 16;

/// Pixels, edges, and a latent near a normal distribution; by configuration also structure, a judge's features and
/// a discriminator's verdict.
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
    losses: VaeLossConfig,
    similarity: Option<Similarity>,
    perceptual: Option<Perceptual>,
    adversary: Option<Adversary>,
    figures: RefCell<Figures>,
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
        let framing = framing(config, &network_config, None)?;
        let samples = dataset.some(Split::Train, usize::MAX)?;
        let train = Images::framed(&dataset, &samples, &framing)?;
        let held_out = dataset.some(Split::Validation, config.validation_samples)?;
        let validation = Images::framed(&dataset, &held_out, &framing)?;
        let losses = config.vae_loss.clone().unwrap_or_default();
        let sizes = framing.sizes();
        let similarity =
            (losses.similarity > 0.0).then(|| Similarity::new(&sizes, device)).transpose()?;
        let perceptual = (losses.perceptual > 0.0)
            .then(|| Perceptual::new(&losses.judge, &sizes, device))
            .transpose()?;
        let adversary = losses
            .adversary
            .as_ref()
            .map(|adversary| Adversary::new(adversary, &sizes, config.seed, device))
            .transpose()?;
        let weights = Weights::from_seed(config.seed, DType::F32, device);
        let vae = Vae::new(network_config.clone(), &weights)?;
        let mut variables = weights.variables();
        if let Some(adversary) = &adversary {
            variables.extend(adversary.variables().clone());
        }
        let bucket = |size: Size| sizes.iter().position(|other| *other == size);
        let groups = samples.iter().map(|sample| {
            let bucket = bucket(framing.size(sample));
            (bucket.unwrap_or_default(), sample.group())
        });
        let draw = Draw::in_buckets(groups, config.balance, config.seed);
        let stated_card = config.card.clone().unwrap_or_default();
        let owed = stated(&stated_card).and_set(dataset.card());
        Ok(Self {
            config: config.clone(),
            network_config,
            vae,
            variables,
            train,
            validation,
            draw,
            device: device.clone(),
            dataset: dataset.card().name.clone(),
            card: ModelCard {
                name: config.name.clone(),
                image_size: config.image_size,
                licence: owed.licence(),
                attribution: owed.attribution(),
                ..stated_card
            },
            losses,
            similarity,
            perceptual,
            adversary,
            figures: RefCell::default(),
        })
    }

    /// `[n, channels, h, w]` of one size, between −1 and 1.
    fn batch(&self, images: &Images, indices: &[usize]) -> candle_core::Result<Tensor> {
        images.tensor(indices, &self.device)
    }

    /// 1 / standard deviation of the latents, so that diffusion sees unit variance.
    fn scaling_factor(&self) -> Result<f64, TrainError> {
        let (mut sum, mut squares, mut count) = (0f64, 0f64, 0f64);
        // About 512 images, of every size.
        let batches = self.train.batches(BATCH);
        let every = batches.len().div_ceil(512 / BATCH);
        for indices in batches.into_iter().step_by(every.max(1)) {
            let (mean, _) = self.vae.encode(&self.batch(&self.train, &indices)?)?;
            sum += f64::from(mean.sum_all()?.to_scalar::<f32>()?);
            squares += f64::from(mean.sqr()?.sum_all()?.to_scalar::<f32>()?);
            count += mean.elem_count() as f64;
        }
        let mean = sum / count;
        Ok(1.0 / (squares / count - mean * mean).max(1e-12).sqrt())
    }
}

/// What a step's batch became.
struct Seen {
    image: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    decoded: Tensor,
}

impl VaeTask {
    /// The parts of a step's loss: by which the autoencoder learns, and by which the discriminator does.
    pub(super) fn parts(&self, step: u64) -> Result<(Tensor, Option<Tensor>), TrainError> {
        let seen = self.see(step)?;
        Ok((self.autoencoder_loss(step, &seen)?, self.discriminator_loss(step, &seen)?))
    }

    /// Encodes and decodes a step's batch.
    fn see(&self, step: u64) -> Result<Seen, TrainError> {
        let image = self.batch(&self.train, &self.draw.batch(step, self.config.batch_size))?;
        let (mean, log_variance) = self.vae.encode(&image)?;
        let mut random = source(self.config.seed, step, "latent");
        let noise = normal(&mut random, mean.elem_count());
        let noise = Tensor::from_vec(noise, mean.shape(), &self.device)?;
        let latent = (&mean + ((&log_variance * 0.5)?.exp()? * noise)?)?;
        let decoded = self.vae.decode(&latent)?;
        Ok(Seen { image, mean, log_variance, decoded })
    }

    /// The part of the loss by which the autoencoder learns.
    fn autoencoder_loss(&self, step: u64, seen: &Seen) -> Result<Tensor, TrainError> {
        let Seen { image, mean, log_variance, decoded } = seen;
        let mut loss = (decoded - image)?.abs()?.mean_all()?;
        let mut add = |part: Tensor, weight: f64| -> candle_core::Result<()> {
            loss = (&loss + (part * weight)?)?;
            Ok(())
        };
        let edges = (edge_difference(decoded, image, 2)? + edge_difference(decoded, image, 3)?)?;
        add(edges, self.losses.edges)?;
        let divergence =
            ((mean.sqr()? + log_variance.exp()?)? - (log_variance + 1.0)?)?.mean_all()?;
        add(divergence, 0.5 * self.losses.divergence)?;
        if let Some(similarity) = &self.similarity {
            add(similarity.loss(decoded, image)?, self.losses.similarity)?;
        }
        if let Some(perceptual) = &self.perceptual {
            add(perceptual.loss(decoded, image)?, self.losses.perceptual)?;
        }
        if let Some((adversary, step)) = self.game(step) {
            add(adversary.of_decoded(decoded, step)?, 1.0)?;
        }
        Ok(loss)
    }

    /// The discriminator where the game is on, and the step to which the batch `number` belongs.
    fn game(&self, number: u64) -> Option<(&Adversary, u64)> {
        let step = number.div_ceil(self.config.accumulate);
        self.adversary.as_ref().filter(|game| game.plays(step)).map(|game| (game, step))
    }

    /// The part by which the discriminator learns, where there is one and the game is on.
    fn discriminator_loss(&self, step: u64, seen: &Seen) -> Result<Option<Tensor>, TrainError> {
        let Some((adversary, _)) = self.game(step) else { return Ok(None) };
        Ok(Some(adversary.of_discriminator(&seen.image, &seen.decoded)?))
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
        Ok(match self.parts(step)? {
            (autoencoder, Some(discriminator)) => (autoencoder + discriminator)?,
            (autoencoder, None) => autoencoder,
        })
    }

    /// Mean squared error on a scale of pixels from 0 to 1.
    fn validation_loss(&self) -> Result<f32, TrainError> {
        let mut total = 0f64;
        let mut by_size: BTreeMap<Size, (Vec<Tensor>, Vec<Tensor>)> = BTreeMap::new();
        for indices in self.validation.batches(BATCH) {
            let image = self.batch(&self.validation, &indices)?;
            let (mean, _) = self.vae.encode(&image)?;
            let made = self.vae.decode(&mean)?;
            let error = ((&made - &image)? * 0.5)?.sqr()?.mean_all()?;
            total += f64::from(error.to_scalar::<f32>()?) * indices.len() as f64;
            let (images, decoded) = by_size.entry(self.validation.size(indices[0])).or_default();
            images.push(image);
            decoded.push(made);
        }
        let held_out = self.validation.len() as f64;
        // Of several sizes, each figure is the mean over images of that of their size.
        let mut figures = Figures::new();
        for (images, decoded) in by_size.into_values() {
            let (images, decoded) = (Tensor::cat(&images, 0)?, Tensor::cat(&decoded, 0)?);
            let share = images.dim(0)? as f64 / held_out;
            for (name, figure) in evaluate::reconstruction(&images, &decoded)? {
                *figures.entry(name).or_insert(0.0) += figure * share;
            }
        }
        *self.figures.borrow_mut() = figures;
        Ok((total / held_out) as f32)
    }

    fn figures(&self) -> Figures {
        self.figures.borrow().clone()
    }

    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        let config =
            VaeConfig { scaling_factor: self.scaling_factor()?, ..self.network_config.clone() };
        // The discriminator has done its work; only the checkpoints keep it.
        let kept = weights
            .iter()
            .filter(|(name, _)| !name.starts_with(PREFIX))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Bundle::write_part(out, Part::Vae, &config, &kept)?;
        let card = ModelCard {
            training: format!(
                "autoencoder: {} steps of {} images of {}",
                summary.steps, self.config.batch_size, self.dataset
            ),
            figures: self.figures(),
            ..self.card.clone()
        };
        Bundle::write_index(out, &ScheduleConfig::default(), &card)?;
        Ok(())
    }
}
