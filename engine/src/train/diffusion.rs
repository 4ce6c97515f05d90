//! The loss that all share who train beside or inside a UNet: predicting noise in latents under captions.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use rand::Rng;

use super::config::TrainConfig;
use super::draw::{Draw, source};
use super::error::TrainError;
use crate::adapter::before_text;
use crate::data::{Dataset, Latents, Split};
use crate::device::{CancelToken, normal};
use crate::model::{TextEncoder, Tokenizer, Unet, UnetInput, Vae};
use crate::nn::Tape;
use crate::noise::Schedule;

/// Held-out images that are compared at once.
const BATCH: usize = 16;

/// Latents and captions of a data set, and the loss on them.
#[derive(Clone)]
pub(super) struct Diffusion {
    schedule: Schedule,
    train: Latents,
    train_tokens: Vec<Vec<u32>>,
    validation: Latents,
    validation_tokens: Vec<Vec<u32>>,
    empty: Vec<u32>,
    draw: Draw,
    seed: u64,
    batch_size: usize,
    caption_dropout: f64,
    min_snr_gamma: f64,
    /// `[n, width]`, before the text of every caption.
    before: Option<Tensor>,
    device: Device,
}

/// What a loss asks of a network, and about which images: a task whose network is told more than that looks
/// up what else belongs to them.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The noisy latent, its times and its embedded captions.
    pub(super) input: UnetInput<'a>,
    /// Which images of the split stand behind the latent, in its order.
    pub(super) indices: &'a [usize],
    /// Their split.
    pub(super) split: Split,
    /// The step; 0 where held-out images are looked at.
    pub(super) step: u64,
}

/// What a task's network predicts.
pub(super) type Predict<'a> = dyn Fn(&Asked) -> candle_core::Result<Tensor> + 'a;

/// How captions become numbers: each is cut or padded to `length` tokens.
pub(super) struct Captions<'a> {
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) length: usize,
}

impl Diffusion {
    /// Encodes the data set's images and captions.
    pub(super) fn new(
        config: &TrainConfig,
        dataset: &Dataset,
        vae: &Vae,
        captions: Captions,
        schedule: Schedule,
        device: &Device,
        cancel: &CancelToken,
    ) -> Result<Self, TrainError> {
        let Captions { tokenizer, length } = captions;
        let tokens = |split: Split, limit: usize| {
            let mut known: HashMap<String, Vec<u32>> = HashMap::new();
            dataset
                .samples(split)
                .iter()
                .take(limit)
                .map(|sample| {
                    if let Some(tokens) = known.get(&sample.caption) {
                        return Ok(tokens.clone());
                    }
                    let tokens = tokenizer.encode(&sample.caption, length)?.tokens;
                    known.insert(sample.caption.clone(), tokens.clone());
                    Ok(tokens)
                })
                .collect::<Result<Vec<_>, TrainError>>()
        };
        let held_out = config.validation_samples;
        Ok(Self {
            schedule,
            train: Latents::encode(dataset, Split::Train, vae, usize::MAX, device, cancel)?,
            train_tokens: tokens(Split::Train, usize::MAX)?,
            validation: Latents::encode(dataset, Split::Validation, vae, held_out, device, cancel)?,
            validation_tokens: tokens(Split::Validation, held_out)?,
            empty: tokenizer.encode("", length)?.tokens,
            draw: Draw::new(
                dataset.samples(Split::Train).iter().map(|sample| sample.group()),
                config.balance,
                config.seed,
            ),
            seed: config.seed,
            batch_size: config.batch_size,
            caption_dropout: config.caption_dropout,
            min_snr_gamma: config.min_snr_gamma,
            before: None,
            device: device.clone(),
        })
    }

    /// The same loss over other latents with captions of their own, each as likely and none left out.
    pub(super) fn over(&self, train: Latents, train_tokens: Vec<Vec<u32>>, seed: u64) -> Self {
        let draw = Draw::new(train_tokens.iter().map(|_| String::new()), 0.0, seed);
        Self { train, train_tokens, draw, seed, caption_dropout: 0.0, ..self.clone() }
    }

    /// Lets `vectors` `[n, width]` stand before the text of every caption.
    pub(super) fn put_before(&mut self, vectors: &Tensor) {
        self.before = Some(vectors.clone());
    }

    /// Images to train on and held out.
    pub(super) fn samples(&self) -> (usize, usize) {
        (self.train.len(), self.validation.len())
    }

    fn noise_like(&self, like: &Tensor, random: &mut impl Rng) -> candle_core::Result<Tensor> {
        Tensor::from_vec(normal(random, like.elem_count()), like.shape(), &self.device)
    }

    fn context(&self, encoder: &TextEncoder, tokens: &[&Vec<u32>]) -> candle_core::Result<Tensor> {
        // Captions repeat in a batch: each is encoded once.
        let mut distinct: Vec<&Vec<u32>> = Vec::new();
        let rows: Vec<u32> = tokens
            .iter()
            .map(|tokens| {
                let found = distinct.iter().position(|other| other == tokens);
                found.unwrap_or_else(|| {
                    distinct.push(tokens);
                    distinct.len() - 1
                }) as u32
            })
            .collect();
        let length = self.empty.len();
        let flat: Vec<u32> = distinct.iter().flat_map(|tokens| tokens.iter().copied()).collect();
        let encoded =
            encoder.forward(&Tensor::from_vec(flat, (distinct.len(), length), &self.device)?)?;
        let encoded = encoded.index_select(&Tensor::new(rows, &self.device)?, 0)?;
        match &self.before {
            Some(vectors) => before_text(vectors, &encoded),
            None => Ok(encoded),
        }
    }

    /// Squared error of each sample, `[batch]`, for the `noise` `[batch, channels, h, w]` at `timesteps`.
    fn errors(
        &self,
        clean: &Tensor,
        noise: &Tensor,
        timesteps: &[usize],
        context: &Tensor,
        predict: &dyn Fn(UnetInput) -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<Tensor> {
        let noisy = self.schedule.add_noise(clean, noise, timesteps)?;
        let target = self.schedule.target(clean, noise, timesteps)?;
        let times: Vec<f64> = timesteps.iter().map(|timestep| *timestep as f64).collect();
        let prediction = predict(UnetInput::new(&noisy, &times, context))?;
        (prediction - target)?.sqr()?.flatten_from(1)?.mean(1)
    }

    /// The loss of a step's batch, weighted by Min-SNR; the network's blocks are pieces of the `tape`.
    pub(super) fn loss<'a>(
        &self,
        step: u64,
        unet: &'a Unet,
        encoder: &TextEncoder,
        tape: Option<&Tape<'a>>,
    ) -> candle_core::Result<Tensor> {
        self.loss_of(step, encoder, &|asked| unet.predict_on(&asked.input, tape))
    }

    /// As [`Self::loss`], of what `predict` says.
    pub(super) fn loss_of(
        &self,
        step: u64,
        encoder: &TextEncoder,
        predict: &Predict,
    ) -> candle_core::Result<Tensor> {
        let indices = self.draw.batch(step, self.batch_size);
        let clean = self.train.batch(&indices)?;
        let mut random = source(self.seed, step, "noise");
        let noise = self.noise_like(&clean, &mut random)?;
        // One timestep from each equal part of the range: the loss of a batch varies less.
        let count = indices.len();
        let timesteps: Vec<usize> = (0..count)
            .map(|part| {
                let at = (part as f64 + random.random::<f64>()) / count as f64;
                ((at * self.schedule.len() as f64) as usize).min(self.schedule.len() - 1)
            })
            .collect();
        let tokens: Vec<&Vec<u32>> = indices
            .iter()
            .map(|index| {
                let dropped = random.random::<f64>() < self.caption_dropout;
                if dropped { &self.empty } else { &self.train_tokens[*index] }
            })
            .collect();
        let context = self.context(encoder, &tokens)?;
        let errors = self.errors(&clean, &noise, &timesteps, &context, &|input| {
            predict(&Asked { input, indices: &indices, split: Split::Train, step })
        })?;
        let weights: Vec<f32> = timesteps
            .iter()
            .map(|timestep| self.schedule.min_snr_weight(*timestep, self.min_snr_gamma) as f32)
            .collect();
        (errors * Tensor::new(weights, &self.device)?)?.mean_all()
    }

    /// The unweighted loss on held-out patients: the same noise and timesteps at every call.
    pub(super) fn validation_loss(
        &self,
        unet: &Unet,
        encoder: &TextEncoder,
    ) -> candle_core::Result<f32> {
        self.validation_loss_of(encoder, &|asked| unet.predict(&asked.input))
    }

    /// As [`Self::validation_loss`], of what `predict` says.
    pub(super) fn validation_loss_of(
        &self,
        encoder: &TextEncoder,
        predict: &Predict,
    ) -> candle_core::Result<f32> {
        let indices: Vec<usize> = (0..self.validation.len()).collect();
        let (mut total, mut count) = (0f64, 0f64);
        for (number, indices) in indices.chunks(BATCH).enumerate() {
            let clean = self.validation.batch(indices)?;
            let mut random = source(0, number as u64, "validation");
            let noise = self.noise_like(&clean, &mut random)?;
            let timesteps: Vec<usize> = indices
                .iter()
                .map(|index| (index * 2 + 1) * self.schedule.len() / (2 * self.validation.len()))
                .collect();
            let tokens: Vec<&Vec<u32>> =
                indices.iter().map(|index| &self.validation_tokens[*index]).collect();
            let context = self.context(encoder, &tokens)?;
            let errors = self.errors(&clean, &noise, &timesteps, &context, &|input| {
                predict(&Asked { input, indices, split: Split::Validation, step: 0 })
            })?;
            total += f64::from(errors.sum_all()?.to_scalar::<f32>()?);
            count += indices.len() as f64;
        }
        Ok((total / count.max(1.0)) as f32)
    }
}
