//! Training an image and a text encoder that agree where a caption is an image's (CLIP, Radford et al., arXiv
//! 2103.00020).

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::base::text_config;
use super::caution::check_captions;
use super::config::TrainConfig;
use super::draw::{Draw, source};
use super::error::TrainError;
use super::event::TrainSummary;
use super::trainee::Trainee;
use crate::data::{Dataset, Images, Split};
use crate::model::{Clip, ClipPair, ClipPairConfig, PartCard, Tokenizer, VisionConfig, write_json};
use crate::nn::Weights;
use crate::prompt::strip_marks;

/// Held-out images that are compared at once.
const BATCH: usize = 16;

/// `[clip]` of a run's configuration: the image encoder, and how images are varied. The text encoder has the
/// sizes of `[text]`, images those of `image_size`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClipConfig {
    /// Width of both embeddings.
    pub projection_dim: usize,
    /// Width of a token of the image.
    pub hidden_size: usize,
    /// Layers of the image encoder.
    pub num_hidden_layers: usize,
    /// Heads of its attention.
    pub num_attention_heads: usize,
    /// Sides of a patch, which becomes a token, in pixels.
    pub patch_size: usize,
    /// How far an image is moved at random, as a share of its sides.
    pub shift: f64,
    /// How much its contrast is changed at random: a factor from 1 − this to 1 + this.
    pub contrast: f64,
}

impl Default for ClipConfig {
    fn default() -> Self {
        Self {
            projection_dim: 64,
            hidden_size: 128,
            num_hidden_layers: 4,
            num_attention_heads: 4,
            patch_size: 16,
            shift: 0.06,
            contrast: 0.15,
        }
    }
}

impl ClipConfig {
    /// # Errors
    /// Names the value and its limits.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let share = |field, value: f64, most: f64| {
            if (0.0..=most).contains(&value) {
                return Ok(());
            }
            Err(TrainError::Config { field, cause: format!("must lie between 0 and {most}") })
        };
        share("clip.shift", self.shift, 0.25)?;
        share("clip.contrast", self.contrast, 0.5)
    }

    fn vision(&self, image_size: usize) -> Result<VisionConfig, TrainError> {
        if self.patch_size == 0 || !image_size.is_multiple_of(self.patch_size) {
            let cause = format!("must divide image_size, {image_size}");
            return Err(TrainError::Config { field: "clip.patch_size", cause });
        }
        let vision = VisionConfig {
            hidden_size: self.hidden_size,
            intermediate_size: 4 * self.hidden_size,
            projection_dim: self.projection_dim,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            image_size,
            patch_size: self.patch_size,
            ..VisionConfig::default()
        };
        vision.validate()?;
        Ok(vision)
    }
}

/// Both encoders and the temperature.
pub(super) struct ClipTask {
    config: ClipConfig,
    pair_config: ClipPairConfig,
    pair: ClipPair,
    tokenizer: Tokenizer,
    variables: BTreeMap<String, Var>,
    train: Images,
    train_captions: Captions,
    validation: Images,
    validation_captions: Captions,
    draw: Draw,
    seed: u64,
    batch_size: usize,
    size: usize,
    device: Device,
    card: PartCard,
}

/// The captions of a split, each once: images of one caption are not held apart from it.
struct Captions {
    tokens: Vec<Vec<u32>>,
    of_image: Vec<usize>,
}

impl Captions {
    fn new(
        captions: impl Iterator<Item = String>,
        tokenizer: &Tokenizer,
        length: usize,
    ) -> Result<Self, TrainError> {
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let (mut tokens, mut of_image) = (Vec::new(), Vec::new());
        for caption in captions {
            if let Some(number) = numbers.get(&caption) {
                of_image.push(*number);
                continue;
            }
            of_image.push(tokens.len());
            tokens.push(tokenizer.encode(&caption, length)?.tokens);
            numbers.insert(caption, tokens.len() - 1);
        }
        Ok(Self { tokens, of_image })
    }

    /// The captions of `images` as rows of tokens, each once, and which is whose.
    fn of(&self, images: &[usize]) -> (Vec<&Vec<u32>>, Vec<usize>) {
        let mut distinct: Vec<usize> = Vec::new();
        let whose = images.iter().map(|image| {
            let caption = self.of_image[*image];
            distinct.iter().position(|other| *other == caption).unwrap_or_else(|| {
                distinct.push(caption);
                distinct.len() - 1
            })
        });
        let whose = whose.collect();
        (distinct.into_iter().map(|caption| &self.tokens[caption]).collect(), whose)
    }
}

impl ClipTask {
    pub(super) fn new(config: &TrainConfig, device: &Device) -> Result<Self, TrainError> {
        let missing = |field| TrainError::Config { field, cause: "is missing".into() };
        let sizes = config.text.clone().ok_or_else(|| missing("text"))?;
        let own = config.clip.clone().unwrap_or_default();
        let vision = own.vision(config.image_size)?;
        let dataset = Dataset::open(&config.dataset)?;
        check_captions(&dataset)?;
        let captions = |split, limit| {
            let samples = dataset.samples(split).into_iter().take(limit);
            samples.map(|sample| strip_marks(&sample.caption)).collect::<Vec<_>>()
        };
        let train_captions = captions(Split::Train, usize::MAX);
        let tokenizer = Tokenizer::train(&train_captions, sizes.vocab_size)?;
        let text = text_config(&sizes, &tokenizer);
        let pair_config = ClipPairConfig::new(own.projection_dim, text, vision);
        pair_config.validate()?;
        let length = sizes.max_position_embeddings;
        let held_out = captions(Split::Validation, config.validation_samples);
        let train_captions = Captions::new(train_captions.into_iter(), &tokenizer, length)?;
        let validation_captions = Captions::new(held_out.into_iter(), &tokenizer, length)?;
        let load = |split, limit| Images::load(&dataset, split, config.image_size, limit);
        let weights = Weights::from_seed(config.seed, DType::F32, device);
        let pair = ClipPair::new(&pair_config, &weights, device)?;
        let about = dataset.card();
        let groups = dataset.samples(Split::Train);
        Ok(Self {
            train: load(Split::Train, usize::MAX)?,
            validation: load(Split::Validation, config.validation_samples)?,
            config: own,
            pair_config,
            pair,
            tokenizer,
            variables: weights.variables(),
            train_captions,
            validation_captions,
            draw: Draw::new(
                groups.iter().map(|sample| sample.group()),
                config.balance,
                config.seed,
            ),
            seed: config.seed,
            batch_size: config.batch_size,
            size: config.image_size,
            device: device.clone(),
            card: PartCard {
                name: config.name.clone(),
                kind: "clip".into(),
                dataset: about.name.clone(),
                licence: about.licence.clone(),
                attribution: vec![about.attribution.clone()],
                ..PartCard::default()
            },
        })
    }

    /// Embeddings `[captions, width]`.
    fn texts(&self, tokens: &[&Vec<u32>]) -> candle_core::Result<Tensor> {
        let flat: Vec<u32> = tokens.iter().flat_map(|row| row.iter().copied()).collect();
        self.pair.texts(&Tensor::from_vec(flat, (tokens.len(), ()), &self.device)?)
    }

    /// Embeddings `[images, width]` of `grey` `[images, 1, size, size]`.
    fn images(&self, grey: &Tensor) -> candle_core::Result<Tensor> {
        self.pair.images(&Tensor::cat(&[grey, grey, grey], 1)?)
    }

    /// The images of a step, moved and with another contrast each.
    fn varied(&self, indices: &[usize], step: u64) -> candle_core::Result<Tensor> {
        let pixels = self.size * self.size;
        let whole = self.train.tensor(indices, &Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        let mut random = source(self.seed, step, "variation");
        let furthest = (self.config.shift * self.size as f64).round() as i64;
        let mut values = Vec::with_capacity(whole.len());
        for image in whole.chunks_exact(pixels) {
            let shift = [0; 2].map(|_: i64| random.random_range(-furthest..=furthest));
            let contrast = 1.0 + self.config.contrast * (2.0 * random.random::<f64>() - 1.0);
            values.extend(moved(image, self.size, shift, contrast as f32));
        }
        Tensor::from_vec(values, (indices.len(), 1, self.size, self.size), &self.device)
    }

    /// The scores `[images, captions]` of the held-out images among all held-out captions, row by row.
    fn held_out_scores(&self) -> Result<Vec<Vec<f32>>, TrainError> {
        let texts = self.texts(&self.validation_captions.tokens.iter().collect::<Vec<_>>())?;
        let indices: Vec<usize> = (0..self.validation.len()).collect();
        let mut scores = Vec::new();
        for indices in indices.chunks(BATCH) {
            let images = self.images(&self.validation.tensor(indices, &self.device)?)?;
            scores.extend(self.pair.scores(&images, &texts)?.to_vec2::<f32>()?);
        }
        Ok(scores)
    }
}

/// A square image of `size` moved by `[columns, rows]`, black where nothing was, with its values' distance from
/// the middle grey multiplied by `contrast`.
fn moved(
    image: &[f32],
    size: usize,
    shift: [i64; 2],
    contrast: f32,
) -> impl Iterator<Item = f32> + '_ {
    let from = move |at: usize, by: i64| {
        usize::try_from(at as i64 - by).ok().filter(|place| *place < size)
    };
    (0..size * size).map(move |pixel| {
        match (from(pixel % size, shift[0]), from(pixel / size, shift[1])) {
            (Some(x), Some(y)) => (image[y * size + x] * contrast).clamp(-1.0, 1.0),
            _ => -1.0,
        }
    })
}

/// The mean over images of −log softmax of `scores` `[images, captions]` at each image's caption: along its row
/// among the captions, and along its column among the images. An image with the same caption takes its share of
/// the column, and is no wrong answer of the row, where every caption stands once (many positives: Khosla et
/// al., arXiv 2004.11362).
fn contrastive(scores: &Tensor, whose: &[usize]) -> candle_core::Result<Tensor> {
    let (images, captions) = scores.dims2()?;
    let mut right = vec![0f32; images * captions];
    for (image, caption) in whose.iter().enumerate() {
        right[image * captions + caption] = 1.0;
    }
    let right = Tensor::from_vec(right, (images, captions), scores.device())?;
    let along = |dim: usize| -> candle_core::Result<Tensor> {
        let above = scores.broadcast_sub(&scores.max_keepdim(dim)?.detach())?;
        let logarithms = above.broadcast_sub(&above.exp()?.sum_keepdim(dim)?.log()?)?;
        (logarithms * &right)?.sum_all()
    };
    (along(0)? + along(1)?)? * (-0.5 / images as f64)
}

/// How often the right one is found.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Found {
    /// Share of images whose best caption is theirs.
    caption_of_image: f64,
    /// Of each caption with n images, the share of its n best images that are its own; the mean over captions.
    images_of_caption: f64,
    /// Share of images whose caption is the commonest: what naming always the same one would find.
    commonest: f64,
}

fn found(scores: &[Vec<f32>], of_image: &[usize]) -> Found {
    let captions = scores.first().map_or(0, Vec::len);
    let best = |row: &[f32]| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]));
    let right = scores.iter().zip(of_image).filter(|(row, own)| best(row) == Some(**own)).count();
    let (mut shares, mut counts) = (Vec::new(), Vec::new());
    for caption in 0..captions {
        let count = of_image.iter().filter(|own| **own == caption).count();
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b][caption].total_cmp(&scores[*a][caption]));
        let own = order.iter().take(count).filter(|image| of_image[**image] == caption).count();
        shares.push(own as f64 / count.max(1) as f64);
        counts.push(count);
    }
    let images = of_image.len().max(1) as f64;
    Found {
        caption_of_image: right as f64 / images,
        images_of_caption: shares.iter().sum::<f64>() / shares.len().max(1) as f64,
        commonest: counts.into_iter().max().unwrap_or(0) as f64 / images,
    }
}

impl Trainee for ClipTask {
    fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    fn samples(&self) -> (usize, usize) {
        (self.train.len(), self.validation.len())
    }

    fn loss(&self, step: u64) -> Result<Tensor, TrainError> {
        let indices = self.draw.batch(step, self.batch_size);
        let (tokens, whose) = self.train_captions.of(&indices);
        let images = self.images(&self.varied(&indices, step)?)?;
        Ok(contrastive(&self.pair.scores(&images, &self.texts(&tokens)?)?, &whose)?)
    }

    /// The mean of −log softmax at an image's caption among all held-out captions.
    fn validation_loss(&self) -> Result<f32, TrainError> {
        let scores = self.held_out_scores()?;
        let of_image = &self.validation_captions.of_image;
        let each = scores.iter().zip(of_image).map(|(row, own)| {
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = row.iter().map(|score| f64::from(score - most).exp()).sum();
            sum.ln() - f64::from(row[*own] - most)
        });
        Ok((each.sum::<f64>() / scores.len().max(1) as f64) as f32)
    }

    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        Clip::write(out, &self.pair_config, &self.tokenizer, weights)?;
        let of_image = &self.validation_captions.of_image;
        let Found { caption_of_image, images_of_caption, commonest } =
            found(&self.held_out_scores()?, of_image);
        let figures = [
            ("captions_held_out", self.validation_captions.tokens.len() as f64),
            ("caption_of_image_accuracy", caption_of_image),
            ("commonest_caption_share", commonest),
            ("images_of_caption_precision", images_of_caption),
        ];
        let card = PartCard {
            steps: summary.steps,
            validation_loss_before: summary.validation_loss_before,
            validation_loss_after: summary.validation_loss_after,
            figures: figures.map(|(name, value)| (name.to_owned(), value)).into(),
            ..self.card.clone()
        };
        Ok(write_json(&out.join(PartCard::FILE), &card)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;

    #[test]
    fn images_of_one_caption_are_no_wrong_answers() {
        // Scores that are logarithms, so that the softmax is of 1, 2 and 3.
        let scores = [[2f32, 1.0], [1.0, 1.0], [1.0, 3.0]];
        let logs: Vec<f32> = scores.iter().flatten().map(|value| value.ln()).collect();
        let scores = Tensor::from_vec(logs, (3, 2), &Device::Cpu).unwrap();
        let loss = contrastive(&scores, &[0, 0, 1]).unwrap().to_scalar::<f32>().unwrap();
        let rows = (2f64 / 3.0).ln() + (1f64 / 2.0).ln() + (3f64 / 4.0).ln();
        let columns = (2f64 / 4.0).ln() + (1f64 / 4.0).ln() + (3f64 / 5.0).ln();
        let expected = -(rows + columns) / 6.0;
        assert!((f64::from(loss) - expected).abs() < 1e-6, "{loss}, not {expected}");
        // One caption for all: its row has nothing else to be taken for.
        let one = Tensor::new(&[[3f32], [3.0]], &Device::Cpu).unwrap();
        let loss = contrastive(&one, &[0, 0]).unwrap().to_scalar::<f32>().unwrap();
        assert!((f64::from(loss) - 2f64.ln() / 2.0).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn what_is_found_is_counted() {
        let scores = vec![vec![3.0, 1.0], vec![0.0, 2.0], vec![1.0, 4.0], vec![0.5, 5.0]];
        let found = found(&scores, &[0, 0, 1, 1]);
        // The second image is taken for the other caption's; so is the third for the first caption.
        assert_eq!(found.caption_of_image, 0.75);
        assert_eq!(found.images_of_caption, 0.75);
        assert_eq!(found.commonest, 0.5);
    }

    #[test]
    fn an_image_is_moved_and_its_contrast_changed() {
        let image = [0.1, 0.2, 0.3, 0.8];
        let moved: Vec<f32> = moved(&image, 2, [1, 0], 2.0).collect();
        assert_eq!(moved, [-1.0, 0.2, -1.0, 0.6]);
    }
}
