//! What images look like, in numbers: to the judge, and by their pixels; and which are nearest to which.

use candle_core::{D, Device, Tensor};
use rayon::prelude::*;

use crate::data::{DataError, Dataset, Sample};
use crate::device::CancelToken;
use crate::dicom::Frame;
use crate::evaluate::{BATCH, EvaluateError};
use crate::metric::Gaussian;
use crate::model::Classifier;

/// Sides to which images are reduced before their pixels are compared.
pub(super) const SIDE: u32 = 64;
/// Images whose distances are held at once.
const ROWS: usize = 64;
/// Below this length a row says nothing.
const EPSILON: f64 = 1e-12;

/// What some images look like, a row each.
pub(super) struct Looks {
    /// What the judge's heads read, `[images, width]`; none without a judge.
    features: Option<Tensor>,
    /// What the judge answers.
    pub(super) logits: Vec<Vec<f32>>,
    /// The pixels of the reduced image without their mean, of length 1, `[images, pixels]`.
    pixels: Tensor,
}

/// Gives the images at some places.
type Load<'a> = dyn Fn(&[usize]) -> Result<Vec<Frame>, DataError> + 'a;

impl Looks {
    /// Looks at square images.
    pub(super) fn of_frames(
        judge: Option<&Classifier>,
        frames: &[Frame],
        device: &Device,
    ) -> Result<Self, EvaluateError> {
        let load = |places: &[usize]| -> Result<Vec<Frame>, DataError> {
            Ok(places.iter().map(|place| frames[*place].clone()).collect())
        };
        Self::of(judge, frames.len(), &load, device, &mut |_| (), &CancelToken::new())
    }

    /// Looks at radiographs of a data set; `on_seen` hears how many were.
    pub(super) fn of_samples(
        judge: Option<&Classifier>,
        dataset: &Dataset,
        samples: &[&Sample],
        device: &Device,
        on_seen: &mut dyn FnMut(u64),
        cancel: &CancelToken,
    ) -> Result<Self, EvaluateError> {
        let side = judge.map_or(SIDE, |judge| judge.config().sample_size as u32);
        let load = |places: &[usize]| {
            places
                .par_iter()
                .map(|place| {
                    let pixels = dataset.square(samples[*place], side)?;
                    Ok(Frame { width: side, height: side, pixels })
                })
                .collect::<Result<Vec<_>, DataError>>()
        };
        Self::of(judge, samples.len(), &load, device, on_seen, cancel)
    }

    fn of(
        judge: Option<&Classifier>,
        count: usize,
        load: &Load,
        device: &Device,
        on_seen: &mut dyn FnMut(u64),
        cancel: &CancelToken,
    ) -> Result<Self, EvaluateError> {
        let places: Vec<usize> = (0..count).collect();
        let (mut features, mut logits, mut pixels) = (Vec::new(), Vec::new(), Vec::new());
        for places in places.chunks(BATCH) {
            if cancel.is_cancelled() {
                return Err(DataError::Cancelled.into());
            }
            let frames = load(places)?;
            pixels.push(rows(&frames, SIDE, device)?);
            if let Some(judge) = judge {
                let embedded =
                    judge.embed(&images(&frames, judge.config().sample_size, device)?)?;
                logits.extend(judge.answer(&embedded)?.to_vec2::<f32>()?);
                features.push(embedded);
            }
            on_seen(places.last().map_or(0, |place| place + 1) as u64);
        }
        if pixels.is_empty() {
            return Err(
                DataError::Sources { cause: "there are no images to look at".into() }.into()
            );
        }
        let pixels = unit(&centred(&Tensor::cat(&pixels, 0)?)?)?;
        let features = if features.is_empty() { None } else { Some(Tensor::cat(&features, 0)?) };
        Ok(Self { features, logits, pixels })
    }

    /// How many images were looked at.
    pub(super) fn len(&self) -> usize {
        self.pixels.dims().first().copied().unwrap_or(0)
    }

    /// Mean and covariance of the features of the first `limit` images; none without a judge.
    pub(super) fn gaussian(&self, limit: usize) -> Result<Option<Gaussian>, EvaluateError> {
        let Some(features) = &self.features else { return Ok(None) };
        let (count, width) = features.dims2()?;
        let values = features.narrow(0, 0, count.min(limit))?.flatten_all()?.to_vec1::<f32>()?;
        Ok(Some(Gaussian::of(&values, width)?))
    }

    /// Of each image the nearest of `others` by its pixels: 1 − correlation.
    pub(super) fn nearest_by_pixels(&self, others: &Self) -> Result<Vec<Nearest>, EvaluateError> {
        Ok(nearest(&self.pixels, &others.pixels)?)
    }

    /// Of each image the nearest of `others` by the judge's features: 1 − cosine, seen from the mean of `others`.
    /// None without a judge.
    pub(super) fn nearest_by_features(
        &self,
        others: &Self,
    ) -> Result<Option<Vec<Nearest>>, EvaluateError> {
        let Some((own, of_others)) = self.features.as_ref().zip(others.features.as_ref()) else {
            return Ok(None);
        };
        let mean = of_others.mean_keepdim(0)?;
        let from_mean = |features: &Tensor| unit(&features.broadcast_sub(&mean)?);
        Ok(Some(nearest(&from_mean(own)?, &from_mean(of_others)?)?))
    }
}

/// Which of the others an image is nearest to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Nearest {
    /// Its place among the others.
    pub(super) place: usize,
    /// 0 where nothing differs, up to 2.
    pub(super) distance: f64,
}

/// Of each row of `own` the row of `others` with the greatest cosine; all are of length 1.
fn nearest(own: &Tensor, others: &Tensor) -> candle_core::Result<Vec<Nearest>> {
    let others = others.t()?.contiguous()?;
    let mut found = Vec::new();
    let count = own.dim(0)?;
    for first in (0..count).step_by(ROWS) {
        let cosines = own.narrow(0, first, ROWS.min(count - first))?.matmul(&others)?;
        for row in cosines.to_vec2::<f32>()? {
            let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            let Some((place, cosine)) = best else { continue };
            found.push(Nearest { place, distance: (1.0 - f64::from(*cosine)).max(0.0) });
        }
    }
    Ok(found)
}

/// Square images as a judge or a segmenter takes them, `[images, 1, size, size]` between −1 and 1.
pub(super) fn images(
    frames: &[Frame],
    size: usize,
    device: &Device,
) -> candle_core::Result<Tensor> {
    rows(frames, size as u32, device)?.affine(2.0, -1.0)?.reshape((frames.len(), 1, size, size))
}

/// `[images, side²]` between 0 and 1.
fn rows(frames: &[Frame], side: u32, device: &Device) -> candle_core::Result<Tensor> {
    let values: Vec<Vec<f32>> =
        frames.par_iter().map(|frame| frame.resized(side, side).pixels).collect();
    Tensor::from_vec(values.concat(), (frames.len(), (side * side) as usize), device)
}

fn centred(rows: &Tensor) -> candle_core::Result<Tensor> {
    rows.broadcast_sub(&rows.mean_keepdim(D::Minus1)?)
}

fn unit(rows: &Tensor) -> candle_core::Result<Tensor> {
    let length = (rows.sqr()?.sum_keepdim(D::Minus1)? + EPSILON)?.sqrt()?;
    rows.broadcast_div(&length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;

    fn frame(of: impl Fn(u32, u32) -> f32) -> Frame {
        let pixels = (0..SIDE * SIDE).map(|place| of(place % SIDE, place / SIDE)).collect();
        Frame { width: SIDE, height: SIDE, pixels }
    }

    #[test]
    fn the_nearest_by_pixels_is_the_same_picture_in_whatever_contrast() {
        let across = frame(|x, _| x as f32 / 63.0);
        let down = frame(|_, y| y as f32 / 63.0);
        let look = |frames: &[Frame]| Looks::of_frames(None, frames, &Device::Cpu).unwrap();
        let others = look(&[down.clone(), across.clone()]);
        let pale = frame(|x, _| 0.4 + 0.1 * x as f32 / 63.0);
        let slant = frame(|x, y| (x + y) as f32 / 126.0);
        let found = look(&[pale, down, slant]).nearest_by_pixels(&others).unwrap();
        assert_eq!((found[0].place, found[1].place), (1, 0));
        assert!(found[0].distance < 1e-5 && found[1].distance < 1e-5, "{found:?}");
        // A slant correlates with either by 1/√2.
        assert!((found[2].distance - (1.0 - 0.5f64.sqrt())).abs() < 1e-4, "{found:?}");
        assert!(others.nearest_by_features(&others).unwrap().is_none());
        assert!(others.gaussian(2).unwrap().is_none());
        assert_eq!(others.len(), 2);
        // Rows beyond those that are held at once.
        let many: Vec<Frame> = (0..ROWS as u32 + 3)
            .map(|n| frame(|x, _| f32::from(u8::from(x == n % SIDE))))
            .collect();
        let many = look(&many);
        let found = many.nearest_by_pixels(&many).unwrap();
        assert_eq!(found.len(), ROWS + 3);
        assert_eq!(found[5].place % SIDE as usize, 5);
    }
}
