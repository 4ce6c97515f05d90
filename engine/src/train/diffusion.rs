//! The loss that all share who train beside or inside a UNet: what it says of noisy latents under captions.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use candle_core::{Device, Tensor, Var};
use rand::Rng;

use super::alignment::{self, Alignment};
use super::config::TrainConfig;
use super::draw::{Draw, source};
use super::error::TrainError;
use super::mask;
use super::objective::Objective;
use crate::adapter::before_text;
use crate::data::{Dataset, Encoding, Framing, Planes, Split};
use crate::device::CancelToken;
use crate::model::{Bundle, Part, TextEncoder, Tokenizer, Unet, UnetInput, Vae};
use crate::nn::Tape;
use crate::noise::Schedule;
use crate::prompt::strip_marks;

/// Held-out images that are compared at once.
const BATCH: usize = 16;

/// Latents and captions of a data set, and the loss on them.
#[derive(Clone)]
pub(super) struct Diffusion {
    objective: Objective,
    train: Planes,
    train_tokens: Vec<Vec<u32>>,
    validation: Planes,
    validation_tokens: Vec<Vec<u32>>,
    empty: Vec<u32>,
    draw: Draw,
    seed: u64,
    batch_size: usize,
    caption_dropout: f64,
    /// Weights of the latents' places `[images, 1, h, w]`, where masks count.
    masks: Option<Planes>,
    alignment: Option<Rc<Alignment>>,
    /// The captions as a frozen text encoder encodes them, each `[1, tokens, width]`.
    texts: HashMap<Vec<u32>, Tensor>,
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
    /// Encodes the data set's images, in sizes of `framing`, and captions.
    pub(super) fn new(
        config: &TrainConfig,
        dataset: &Dataset,
        (vae, framing): (&Vae, &Framing),
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
                    // A caption that somebody wrote may hold marks of de-identification.
                    let tokens = tokenizer.encode(&strip_marks(&sample.caption), length)?.tokens;
                    known.insert(sample.caption.clone(), tokens.clone());
                    Ok(tokens)
                })
                .collect::<Result<Vec<_>, TrainError>>()
        };
        let held_out = config.validation_samples;
        let vae_sha256 = match &config.latent_cache {
            Some(_) => Bundle::open(&config.model)?.part_hash(Part::Vae)?,
            None => String::new(),
        };
        let cache = config.latent_cache.as_deref().map(|folder| (folder, vae_sha256.as_str()));
        let encoding = Encoding { vae, framing, cache, device, cancel };
        let train = encoding.latents(dataset, Split::Train, usize::MAX)?;
        let outside = config.objective.outside_mask;
        let sizes = (framing, vae.config().compression());
        let masks = (outside < 1.0)
            .then(|| mask::weights(dataset, Split::Train, sizes, outside, device))
            .transpose()?;
        let samples = dataset.samples(Split::Train).into_iter().enumerate();
        let images = samples.map(|(image, sample)| (train.group(image), sample.group()));
        let draw = Draw::in_buckets(images, config.balance, config.seed);
        Ok(Self {
            objective: Objective::new(config, schedule, device),
            train,
            train_tokens: tokens(Split::Train, usize::MAX)?,
            validation: encoding.latents(dataset, Split::Validation, held_out)?,
            validation_tokens: tokens(Split::Validation, held_out)?,
            empty: tokenizer.encode("", length)?.tokens,
            draw,
            seed: config.seed,
            batch_size: config.batch_size,
            caption_dropout: config.caption_dropout,
            masks,
            alignment: None,
            texts: HashMap::new(),
            before: None,
            device: device.clone(),
        })
    }

    /// The same loss over other latents with captions of their own, each as likely and none left out.
    pub(super) fn over(&self, train: Planes, train_tokens: Vec<Vec<u32>>, seed: u64) -> Self {
        let draw = Draw::new(train_tokens.iter().map(|_| String::new()), 0.0, seed);
        Self {
            train,
            train_tokens,
            draw,
            seed,
            caption_dropout: 0.0,
            masks: None,
            alignment: None,
            ..self.clone()
        }
    }

    /// Lets `vectors` `[n, width]` stand before the text of every caption.
    pub(super) fn put_before(&mut self, vectors: &Tensor) {
        self.before = Some(vectors.clone());
    }

    /// Images to train on and held out.
    pub(super) fn samples(&self) -> (usize, usize) {
        (self.train.len(), self.validation.len())
    }

    /// Draws a block of `unet` to a judge's features, where the configuration says so. Answers the
    /// projection's weights, which are trained beside the task's and are not part of its result.
    pub(super) fn align(
        &mut self,
        config: &TrainConfig,
        dataset: &Dataset,
        unet: &Unet,
        cancel: &CancelToken,
    ) -> Result<BTreeMap<String, Var>, TrainError> {
        let Some(wanted) = &config.objective.alignment else {
            return Ok(BTreeMap::new());
        };
        // One look tells the block's size.
        let latent = self.train.batch(&[0])?;
        let width = unet.config().context_width();
        let nothing = Tensor::zeros((1, 1, width), latent.dtype(), &self.device)?;
        let asked = UnetInput::new(&latent, &[0.0], &nothing);
        let Some(map) = unet.predict_and_see(&asked, Some(wanted.block), None)?.1 else {
            return Err(TrainError::Config {
                field: "objective.alignment.block",
                cause: format!("must be at most {}", unet.config().up_block_types.len()),
            });
        };
        let (_, side, across, channels) = map.dims4()?;
        if side != across {
            return Err(TrainError::Config {
                field: "objective.alignment",
                cause: "needs square images".into(),
            });
        }
        let targets = alignment::judged(wanted, dataset, side, &self.device, cancel)?;
        let alignment = Alignment::new(wanted, channels, targets, config.seed)?;
        let variables = alignment.variables().clone();
        self.alignment = Some(Rc::new(alignment));
        Ok(variables)
    }

    /// Encodes every caption once: from now on `encoder` is asked no more, so nothing that is trained may stand
    /// in it.
    pub(super) fn freeze_texts(&mut self, encoder: &TextEncoder) -> candle_core::Result<()> {
        let all = self.train_tokens.iter().chain(&self.validation_tokens).chain([&self.empty]);
        let mut distinct: Vec<Vec<u32>> = all.cloned().collect();
        distinct.sort();
        distinct.dedup();
        for tokens in distinct {
            let context = self.encoded(encoder, &[&tokens])?.detach();
            self.texts.insert(tokens, context);
        }
        Ok(())
    }

    /// What the network is told for each row of tokens, `[rows, tokens, width]`.
    fn context(&self, encoder: &TextEncoder, tokens: &[&Vec<u32>]) -> candle_core::Result<Tensor> {
        let encoded = self.encoded(encoder, tokens)?;
        match &self.before {
            Some(vectors) => before_text(vectors, &encoded),
            None => Ok(encoded),
        }
    }

    fn encoded(&self, encoder: &TextEncoder, tokens: &[&Vec<u32>]) -> candle_core::Result<Tensor> {
        let known: Option<Vec<&Tensor>> =
            tokens.iter().map(|tokens| self.texts.get(*tokens)).collect();
        if let Some(known) = known {
            return Tensor::cat(&known, 0);
        }
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
        encoded.index_select(&Tensor::new(rows, &self.device)?, 0)
    }

    /// The loss of a step's batch, weighted by Min-SNR, by the data set's masks where they count, and with the
    /// alignment where there is one; the network's blocks are pieces of the `tape`.
    pub(super) fn loss<'a>(
        &self,
        step: u64,
        unet: &'a Unet,
        encoder: &TextEncoder,
        tape: Option<&Tape<'a>>,
    ) -> candle_core::Result<Tensor> {
        let block = self.alignment.as_deref().map(Alignment::block);
        let seen = RefCell::new(None);
        let loss = self.loss_of(step, encoder, &|asked| {
            let (prediction, map) = unet.predict_and_see(&asked.input, block, tape)?;
            seen.replace(map);
            Ok(prediction)
        })?;
        match self.alignment.as_ref().zip(seen.into_inner()) {
            Some((alignment, map)) => {
                loss + alignment.loss(&map, &self.draw.batch(step, self.batch_size))?
            }
            None => Ok(loss),
        }
    }

    /// As [`Self::loss`], of what `predict` says, and without the alignment.
    pub(super) fn loss_of(
        &self,
        step: u64,
        encoder: &TextEncoder,
        predict: &Predict,
    ) -> candle_core::Result<Tensor> {
        let indices = self.draw.batch(step, self.batch_size);
        let clean = self.train.batch(&indices)?;
        let mut random = source(self.seed, step, "noise");
        let noised = self.objective.noised(step, &clean, &mut random)?;
        let tokens: Vec<&Vec<u32>> = indices
            .iter()
            .map(|index| {
                let dropped = random.random::<f64>() < self.caption_dropout;
                if dropped { &self.empty } else { &self.train_tokens[*index] }
            })
            .collect();
        let context = self.context(encoder, &tokens)?;
        let mask = self.masks.as_ref().map(|masks| masks.batch(&indices)).transpose()?;
        let input = UnetInput::new(&noised.noisy, &noised.times, &context);
        let prediction = predict(&Asked { input, indices: &indices, split: Split::Train, step })?;
        self.objective.errors(&prediction, &noised, mask.as_ref())?.mean_all()
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
        let (mut total, mut count) = (0f64, 0usize);
        for (number, indices) in self.validation.batches(BATCH).into_iter().enumerate() {
            let clean = self.validation.batch(&indices)?;
            let of = self.validation.len();
            let noised = self.objective.held_out(number as u64, &clean, count, of)?;
            let tokens: Vec<&Vec<u32>> =
                indices.iter().map(|index| &self.validation_tokens[*index]).collect();
            let context = self.context(encoder, &tokens)?;
            let input = UnetInput::new(&noised.noisy, &noised.times, &context);
            let asked = Asked { input, indices: &indices, split: Split::Validation, step: 0 };
            let prediction = predict(&asked)?;
            let errors = self.objective.errors(&prediction, &noised, None)?;
            total += f64::from(errors.sum_all()?.to_scalar::<f32>()?);
            count += indices.len();
        }
        Ok((total / count.max(1) as f64) as f32)
    }
}
