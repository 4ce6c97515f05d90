//! What the autoencoder is held to beside pixels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use candle_core::{D, Device, Tensor, bail};
use serde::{Deserialize, Serialize};

use super::adversary::AdversaryConfig;
use crate::data::Size;
use crate::kernel::Fault;
use crate::metric::{SSIM_RADIUS, gaussian_window};
use crate::model::Classifier;
use crate::train::error::TrainError;

/// Weights of the autoencoder's losses beside the absolute difference of pixels, which counts 1: the table
/// `vae_loss` of a run's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaeLossConfig {
    /// Of the difference between neighbouring pixels: edges such as ribs count beside grey.
    pub edges: f64,
    /// Of the latent's divergence from a normal distribution, a value of the latent.
    pub divergence: f64,
    /// Of 1 − SSIM (Wang et al., 2004), as in Zhao et al., arXiv 1511.08861.
    pub similarity: f64,
    /// Of the difference in the features of `judge`.
    pub perceptual: f64,
    /// Folder of the classifier that `perceptual` asks.
    pub judge: PathBuf,
    /// The discriminator that the autoencoder is trained against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adversary: Option<AdversaryConfig>,
}

impl Default for VaeLossConfig {
    fn default() -> Self {
        Self {
            edges: 1.0,
            divergence: 3e-4,
            similarity: 0.0,
            perceptual: 0.0,
            judge: PathBuf::new(),
            adversary: None,
        }
    }
}

impl VaeLossConfig {
    /// Checks every value that can be checked without the judge.
    ///
    /// # Errors
    /// Names the value and its limits.
    pub(in crate::train) fn validate(&self) -> Result<(), TrainError> {
        let check = |holds: bool, field, cause: &str| {
            if holds { Ok(()) } else { Err(TrainError::Config { field, cause: cause.to_owned() }) }
        };
        for (field, weight) in [
            ("vae_loss.edges", self.edges),
            ("vae_loss.divergence", self.divergence),
            ("vae_loss.similarity", self.similarity),
            ("vae_loss.perceptual", self.perceptual),
        ] {
            check((0.0..=1000.0).contains(&weight), field, "must lie between 0 and 1000")?;
        }
        check(
            (self.perceptual > 0.0) != self.judge.as_os_str().is_empty(),
            "vae_loss.judge",
            "must name a classifier's folder where perceptual is above 0, and nothing where it is 0",
        )?;
        self.adversary.as_ref().map_or(Ok(()), AdversaryConfig::validate)
    }
}

/// Mean absolute difference of the two images' steps between neighbours along `dim`.
pub(super) fn edge_difference(a: &Tensor, b: &Tensor, dim: usize) -> candle_core::Result<Tensor> {
    let length = a.dim(dim)?;
    let step = |x: &Tensor| x.narrow(dim, 1, length - 1)? - x.narrow(dim, 0, length - 1)?;
    (step(a)? - step(b)?)?.abs()?.mean_all()
}

/// SSIM as a loss. The Gaussian window goes over rows and columns as the product with a matrix that has it on its
/// diagonals, so that every operation has candle's own gradient, and the CPU multiplies at full speed.
pub(super) struct Similarity {
    /// Of every side, `[side, places of the window]`.
    windows: BTreeMap<usize, Tensor>,
}

impl Similarity {
    /// For images of `sizes`.
    ///
    /// # Errors
    /// Where a side of an image is shorter than the window.
    pub(super) fn new(sizes: &[Size], device: &Device) -> Result<Self, TrainError> {
        let sides: BTreeSet<usize> =
            sizes.iter().flat_map(|size| [size.width, size.height]).collect();
        let windows = sides.into_iter().map(|side| Ok((side, window(side, device)?)));
        Ok(Self { windows: windows.collect::<Result<_, TrainError>>()? })
    }

    /// Weighted means of `x` `[n, h, w]` at all places of the window.
    fn smoothed(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let along = |x: &Tensor| {
            let (count, rows, side) = x.dims3()?;
            let Some(window) = self.windows.get(&side) else { bail!("no window of {side}") };
            let y = x.reshape((count * rows, side))?.matmul(window)?;
            y.reshape((count, rows, window.dim(1)?))?.transpose(1, 2)?.contiguous()
        };
        along(&along(x)?)
    }

    /// 1 − the mean SSIM of `a` and `b` `[n, 1, h, w]` between −1 and 1.
    pub(super) fn loss(&self, a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
        // Of a range of 2, as the metric has them.
        const C1: f64 = 0.02 * 0.02;
        const C2: f64 = 0.06 * 0.06;
        let (a, b) = (a.squeeze(1)?, b.squeeze(1)?);
        let (mean_a, mean_b) = (self.smoothed(&a)?, self.smoothed(&b)?);
        let squares = (mean_a.sqr()? + mean_b.sqr()?)?;
        let product = (&mean_a * &mean_b)?;
        // The sum of both variances, and the covariance.
        let variances = (self.smoothed(&(a.sqr()? + b.sqr()?)?)? - &squares)?;
        let covariance = (self.smoothed(&(&a * &b)?)? - &product)?;
        let above = (((product * 2.0)? + C1)? * ((covariance * 2.0)? + C2)?)?;
        let below = ((squares + C1)? * (variances + C2)?)?;
        (above / below)?.mean_all()?.affine(-1.0, 1.0)
    }
}

/// The window of a side of an image, `[side, places of the window]`.
fn window(side: usize, device: &Device) -> Result<Tensor, TrainError> {
    let weights = gaussian_window();
    let Some(places) = side.checked_sub(2 * SSIM_RADIUS).filter(|places| *places > 0) else {
        let cause = "asks for images of 11 pixels a side or more".into();
        return Err(TrainError::Config { field: "vae_loss.similarity", cause });
    };
    let mut window = vec![0f32; side * places];
    for place in 0..places {
        for (offset, weight) in weights.iter().enumerate() {
            window[(place + offset) * places + place] = *weight as f32;
        }
    }
    Ok(Tensor::from_vec(window, (side, places), device)?)
}

/// The difference of two images in a frozen classifier's features, each of unit length over the channels (LPIPS
/// without learned weights; Zhang et al., arXiv 1801.03924, equation 1).
pub(super) struct Perceptual {
    judge: Classifier,
}

/// Keeps the length of a feature that is zero.
const LEAST_LENGTH: f64 = 1e-6;

impl Perceptual {
    /// # Errors
    /// Where the judge does not load, or images of one of `sizes` do not go into it.
    pub(super) fn new(
        folder: &std::path::Path,
        sizes: &[Size],
        device: &Device,
    ) -> Result<Self, TrainError> {
        let (judge, _) = Classifier::open(folder, device)?;
        let perceptual = Self { judge };
        for Size { width, height } in sizes {
            let trial = Tensor::zeros((1, 1, *height, *width), candle_core::DType::F32, device)?;
            perceptual.judge.features(&trial).map_err(|cause| TrainError::Config {
                field: "vae_loss.judge",
                cause: format!(
                    "cannot look at images of {width} × {height} pixels: {}",
                    Fault::from(cause)
                ),
            })?;
        }
        Ok(perceptual)
    }

    /// The mean over places of the squared distance of features, averaged over levels, of `a` and `b` `[n, 1, h, w]`.
    pub(super) fn loss(&self, a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
        let (a, b) = (self.judge.features(a)?, self.judge.features(b)?);
        let mut total = Tensor::zeros((), a[0].dtype(), a[0].device())?;
        for (a, b) in a.iter().zip(&b) {
            let distance = (unit(a)? - unit(b)?)?.sqr()?.sum(D::Minus1)?.mean_all()?;
            total = (total + distance)?;
        }
        total / a.len() as f64
    }
}

/// Each place's channels, of unit length.
fn unit(map: &Tensor) -> candle_core::Result<Tensor> {
    let length = (map.sqr()?.sum_keepdim(D::Minus1)? + LEAST_LENGTH)?.sqrt()?;
    map.broadcast_div(&length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metric::ssim;

    #[test]
    fn the_similarity_loss_is_the_metric() {
        let size = Size { width: 20, height: 17 };
        let values = |factor: f32| -> Vec<f32> {
            (0..2 * size.area()).map(|place| (place as f32 * factor).sin() * 0.9).collect()
        };
        let tensor =
            |values: &[f32]| Tensor::from_slice(values, (2, 1, 17, 20), &Device::Cpu).unwrap();
        let a = values(0.37);
        let b: Vec<f32> = a.iter().zip(values(1.3)).map(|(a, b)| 0.7 * a + 0.3 * b).collect();
        let loss = Similarity::new(&[size], &Device::Cpu).unwrap();
        let found = loss.loss(&tensor(&a), &tensor(&b)).unwrap().to_scalar::<f32>().unwrap();
        let expected: f64 = a
            .chunks_exact(size.area())
            .zip(b.chunks_exact(size.area()))
            .map(|(a, b)| ssim(a, b, size.width, 2.0).unwrap() / 2.0)
            .sum();
        assert!((f64::from(found) - (1.0 - expected)).abs() < 1e-5, "{found} {expected}");
        assert!(expected < 0.95);
        assert!(Similarity::new(&[Size { width: 20, height: 10 }], &Device::Cpu).is_err());
    }
}
