//! Training images in memory.

use candle_core::{Device, Tensor};
use half::f16;
use rayon::prelude::*;

use super::{DataError, Dataset, Sample, Split};

/// The square training images of a split, decoded once and kept in half precision.
pub struct Images {
    size: usize,
    values: Vec<f16>,
}

impl Images {
    /// Loads the images of a split, the first `limit` at most.
    ///
    /// # Errors
    /// Where a frame does not load, or the split is empty.
    pub fn load(
        dataset: &Dataset,
        split: Split,
        size: usize,
        limit: usize,
    ) -> Result<Self, DataError> {
        let mut samples = dataset.samples(split);
        samples.truncate(limit);
        if samples.is_empty() {
            return Err(DataError::Sources {
                cause: format!(
                    "the data set has no images to {}",
                    if split == Split::Train { "train on" } else { "validate with" }
                ),
            });
        }
        Self::of(dataset, &samples, size)
    }

    /// Loads the images of some samples.
    ///
    /// # Errors
    /// Where a frame does not load.
    pub fn of(dataset: &Dataset, samples: &[&Sample], size: usize) -> Result<Self, DataError> {
        let squares = samples
            .par_iter()
            .map(|sample| {
                let square = dataset.square(sample, size as u32)?;
                Ok(square.into_iter().map(f16::from_f32).collect::<Vec<_>>())
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        Ok(Self { size, values: squares.concat() })
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.values.len() / (self.size * self.size)
    }

    /// A split that loads has at least one image.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// `[indices, 1, size, size]` between −1 and 1.
    pub fn tensor(&self, indices: &[usize], device: &Device) -> candle_core::Result<Tensor> {
        let pixels = self.size * self.size;
        let values: Vec<f32> = indices
            .iter()
            .flat_map(|index| &self.values[index * pixels..(index + 1) * pixels])
            .map(|value| value.to_f32() * 2.0 - 1.0)
            .collect();
        Tensor::from_vec(values, (indices.len(), 1, self.size, self.size), device)
    }
}

impl Sample {
    /// The group that a balanced draw shares out evenly: age and findings.
    pub fn group(&self) -> String {
        format!("{:?} {}", self.age_group, self.findings.join("+"))
    }
}
