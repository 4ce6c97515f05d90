//! Feature alignment: a block of the denoising network is drawn to what a frozen judge sees in the clean image,
//! which makes a training several times shorter (REPA, Yu et al., arXiv 2410.06940).

use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::{DType, Device, Result, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use crate::data::{Dataset, Split};
use crate::device::CancelToken;
use crate::dicom::Frame;
use crate::model::{ImageProcessor, VisionEncoder};
use crate::nn::{Linear, Weights, silu};

/// The table `objective.alignment`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlignmentConfig {
    /// Folder of the judge: an image encoder in transformers' layout.
    pub judge: PathBuf,
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

/// What the judge sees in a split's images, `[images, side, side, width]`, averaged to a map of `side` × `side`.
pub(super) fn judged(
    config: &AlignmentConfig,
    dataset: &Dataset,
    side: usize,
    device: &Device,
    cancel: &CancelToken,
) -> std::result::Result<Tensor, TrainError> {
    let encoder = VisionEncoder::open(&config.judge, device)?;
    let size = encoder.config().image_size;
    let processor = ImageProcessor::open(&config.judge, size)?;
    let mut maps = Vec::new();
    for sample in dataset.samples(Split::Train) {
        if cancel.is_cancelled() {
            return Err(TrainError::Cancelled { step: 0 });
        }
        let pixels = dataset.square(sample, size as u32)?;
        let frame = Frame { width: size as u32, height: size as u32, pixels };
        let pixels = processor
            .pixels(&frame, device)
            .map_err(|cause| TrainError::Config { field: "objective.alignment.judge", cause })?;
        let seen = encoder.encode(&pixels)?.penultimate;
        let (_, tokens, width) = seen.dims3()?;
        // The first token is of the whole image; the others are its patches, row by row.
        let rows = (tokens - 1).isqrt();
        let map = seen.narrow(1, 1, rows * rows)?.reshape((1, rows, rows, width))?;
        maps.push(resized(&map, side)?.to_dtype(DType::F32)?);
    }
    Ok(Tensor::cat(&maps, 0)?)
}

/// A map `[batch, h, w, channels]` as one of `side` × `side`: averaged where it is larger by a whole factor,
/// its nearest values else.
fn resized(map: &Tensor, side: usize) -> Result<Tensor> {
    let planes = map.permute((0, 3, 1, 2))?.contiguous()?;
    let rows = planes.dim(2)?;
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
    targets: Tensor,
    variables: BTreeMap<String, Var>,
    config: AlignmentConfig,
}

impl Alignment {
    /// A fresh projection of maps of `channels` to `targets` `[images, h, w, width]`.
    pub(super) fn new(
        config: &AlignmentConfig,
        channels: usize,
        targets: Tensor,
        seed: u64,
    ) -> Result<Self> {
        let weights = Weights::from_seed(seed, DType::F32, targets.device());
        let (under, hidden, seen) = (weights.pp("alignment"), config.width, targets.dim(3)?);
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
        let indices = Tensor::new(indices, self.targets.device())?;
        let targets = self.targets.index_select(&indices, 0)?;
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
