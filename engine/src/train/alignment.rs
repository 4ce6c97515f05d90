//! Feature alignment: a block of the denoising network is drawn to what a frozen judge sees in the clean image,
//! which makes a training several times shorter (REPA, Yu et al., arXiv 2410.06940).

use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::{DType, Device, Result, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use crate::data::{Dataset, Split};
use crate::device::CancelToken;
use crate::model::Classifier;
use crate::nn::{Linear, Weights, silu};

/// The table `objective.alignment`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlignmentConfig {
    /// Folder of the judge, a classifier.
    pub judge: PathBuf,
    /// The judge's level, counted from the finest, 0; without one the deepest whose map is as fine as the network's.
    #[serde(default)]
    pub level: Option<usize>,
    /// The network's block: 0 is the middle one, *n* the *n*-th on the way up.
    #[serde(default)]
    pub block: usize,
    /// Weight of the alignment in the loss.
    #[serde(default = "weight")]
    pub weight: f64,
    /// Width of the projection's hidden layers.
    #[serde(default = "width")]
    pub width: usize,
}

fn weight() -> f64 {
    0.5
}

fn width() -> usize {
    256
}

impl AlignmentConfig {
    pub(super) fn validate(&self) -> std::result::Result<(), TrainError> {
        let fault = |field, cause: &str| Err(TrainError::Config { field, cause: cause.to_owned() });
        if !(self.weight > 0.0 && self.weight <= 10.0) {
            return fault("objective.alignment.weight", "must lie above 0 and at most at 10");
        }
        if !(8..=4096).contains(&self.width) {
            return fault("objective.alignment.width", "must lie between 8 and 4096");
        }
        Ok(())
    }
}

/// What a judge sees in images, as a level of its network has it.
pub(super) struct Seen {
    /// `[images, side, side, width]`, in half precision: there are as many as images to train on.
    maps: Tensor,
    /// Each channel's mean over all images and places, `[width]`.
    mean: Tensor,
    /// Its standard deviation, `[width]`.
    deviation: Tensor,
}

/// Images that the judge looks at together.
const BATCH: usize = 16;

/// What the judge sees in the images that are trained on, resized to `side` × `side` places. A judge tells images
/// apart by little of what a channel says, and its mean would make all cosines near 1: so mean and deviation go
/// along.
///
/// # Errors
/// Where the judge or a frame does not load.
pub(super) fn judged(
    config: &AlignmentConfig,
    dataset: &Dataset,
    side: usize,
    device: &Device,
    cancel: &CancelToken,
) -> std::result::Result<Seen, TrainError> {
    let (judge, _) = Classifier::open(&config.judge, device)?;
    let size = judge.config().sample_size;
    let mut maps = Vec::new();
    let mut sums: Option<(Tensor, Tensor)> = None;
    for samples in dataset.samples(Split::Train).chunks(BATCH) {
        if cancel.is_cancelled() {
            return Err(TrainError::Cancelled { step: 0 });
        }
        let mut pixels = Vec::with_capacity(samples.len() * size * size);
        for sample in samples {
            pixels.extend(dataset.square(sample, size as u32)?);
        }
        let images = Tensor::from_vec(pixels, (samples.len(), 1, size, size), device)?;
        let seen = judge.features(&images)?;
        let levels = seen.len();
        let level = match config.level {
            Some(level) if level < levels => level,
            Some(_) => {
                return Err(TrainError::Config {
                    field: "objective.alignment.level",
                    cause: format!("must lie below {levels}, the judge's levels"),
                });
            }
            // The deepest whose map is as fine as the network's.
            None => seen.iter().rposition(|map| map.dims()[1] >= side).unwrap_or(0),
        };
        let map = resized(&seen[level], side)?;
        let now = (map.sum((0, 1, 2))?, map.sqr()?.sum((0, 1, 2))?);
        sums = Some(match sums {
            Some((sum, squares)) => ((sum + now.0)?, (squares + now.1)?),
            None => now,
        });
        maps.push(map.to_dtype(DType::F16)?);
    }
    let Some((sum, squares)) = sums else {
        return Err(TrainError::Config {
            field: "dataset",
            cause: "has no image to train on".into(),
        });
    };
    let maps = Tensor::cat(&maps, 0)?;
    let places = (maps.dim(0)? * side * side) as f64;
    let mean = (sum / places)?;
    let variance = ((squares / places)? - mean.sqr()?)?;
    Ok(Seen { maps, mean, deviation: (variance.relu()? + 1e-6)?.sqrt()? })
}

/// A map `[batch, h, w, channels]` as one of `side` × `side`: averaged where it is larger by a whole factor,
/// its nearest values else.
fn resized(map: &Tensor, side: usize) -> Result<Tensor> {
    let rows = map.dim(1)?;
    if rows == side {
        return map.contiguous();
    }
    let planes = map.permute((0, 3, 1, 2))?.contiguous()?;
    let planes = if rows > side && rows.is_multiple_of(side) {
        planes.avg_pool2d(rows / side)?
    } else {
        planes.upsample_nearest2d(side, side)?
    };
    planes.permute((0, 2, 3, 1))?.contiguous()
}

/// The projection, and what it is held against.
pub(super) struct Alignment {
    layers: [Linear; 3],
    targets: Seen,
    variables: BTreeMap<String, Var>,
    config: AlignmentConfig,
}

impl Alignment {
    /// A fresh projection of maps of `channels` to `targets`.
    pub(super) fn new(
        config: &AlignmentConfig,
        channels: usize,
        targets: Seen,
        seed: u64,
    ) -> Result<Self> {
        let weights = Weights::from_seed(seed, DType::F32, targets.maps.device());
        let (under, hidden, seen) = (weights.pp("alignment"), config.width, targets.maps.dim(3)?);
        Ok(Self {
            layers: [
                Linear::new(channels, hidden, &under.pp(0))?,
                Linear::new(hidden, hidden, &under.pp(1))?,
                Linear::new(hidden, seen, &under.pp(2))?,
            ],
            targets,
            variables: weights.variables(),
            config: config.clone(),
        })
    }

    /// The projection's weights, `alignment.…`: they are trained, and not part of a result.
    pub(super) fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    /// The block that is aligned, as [`AlignmentConfig::block`].
    pub(super) fn block(&self) -> usize {
        self.config.block
    }

    /// Minus the weighted mean cosine between the projected `map` `[batch, h, w, channels]` of the network and
    /// what the judge saw in the images `indices`, a scalar.
    pub(super) fn loss(&self, map: &Tensor, indices: &[usize]) -> Result<Tensor> {
        let indices: Vec<u32> = indices.iter().map(|index| *index as u32).collect();
        let Seen { maps, mean, deviation } = &self.targets;
        let indices = Tensor::new(indices, maps.device())?;
        let targets = maps.index_select(&indices, 0)?.to_dtype(DType::F32)?;
        let targets = targets.broadcast_sub(mean)?.broadcast_div(deviation)?;
        let [first, second, third] = &self.layers;
        let map = map.to_dtype(DType::F32)?;
        let projected = silu(&first.forward(&map)?)?;
        let projected = third.forward(&silu(&second.forward(&projected)?)?)?;
        cosine(&projected, &targets)?.mean_all()?.affine(-self.config.weight, 0.0)
    }
}

/// The cosine between two maps at each place: over the last dimension.
fn cosine(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let last = a.rank() - 1;
    let length = |x: &Tensor| (x.sqr()?.sum(last)? + 1e-8)?.sqrt();
    (a * b)?.sum(last)? / (length(a)? * length(b)?)?
}
