//! Training images in memory.

use candle_core::{Device, Tensor, bail};
use half::f16;
use rayon::prelude::*;

use super::planes::{batches, only};
use super::{DataError, Dataset, Framing, Sample, Size, Split};

/// The training images of some samples, decoded once and kept in half precision.
pub struct Images {
    /// Of every image its size, and where its pixels begin.
    places: Vec<(Size, usize)>,
    values: Vec<f16>,
}

impl Images {
    /// Loads the square images of a split, the first `limit` at most.
    ///
    /// # Errors
    /// Where a frame does not load, or the split is empty.
    pub fn load(
        dataset: &Dataset,
        split: Split,
        size: usize,
        limit: usize,
    ) -> Result<Self, DataError> {
        Self::of(dataset, &dataset.some(split, limit)?, size)
    }

    /// Loads the square images of some samples.
    ///
    /// # Errors
    /// Where a frame does not load.
    pub fn of(dataset: &Dataset, samples: &[&Sample], size: usize) -> Result<Self, DataError> {
        Self::framed(dataset, samples, &Framing::Square(size))
    }

    /// Loads the images of some samples, each in its size.
    ///
    /// # Errors
    /// Where a frame does not load.
    pub fn framed(
        dataset: &Dataset,
        samples: &[&Sample],
        framing: &Framing,
    ) -> Result<Self, DataError> {
        let images = samples
            .par_iter()
            .map(|sample| {
                let image = dataset.framed(sample, framing)?;
                Ok(image.pixels.into_iter().map(f16::from_f32).collect::<Vec<_>>())
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        let mut start = 0;
        let places = samples.iter().map(|sample| {
            let place = (framing.size(sample), start);
            start += place.0.area();
            place
        });
        Ok(Self { places: places.collect(), values: images.concat() })
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// A split that loads has at least one image.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The size of an image: the same for images that go into one batch.
    pub fn size(&self, image: usize) -> Size {
        self.places[image].0
    }

    /// Every image once, in batches of one size and at most `most` images.
    pub fn batches(&self, most: usize) -> Vec<Vec<usize>> {
        batches(self.places.iter().map(|(size, _)| *size), most)
    }

    /// `[indices, 1, height, width]` between −1 and 1.
    ///
    /// # Errors
    /// Where there is none, or they differ in size.
    pub fn tensor(&self, indices: &[usize], device: &Device) -> candle_core::Result<Tensor> {
        let Some(size) = only(indices.iter().map(|index| self.size(*index))) else {
            bail!("a batch of no image, or of several sizes")
        };
        let values: Vec<f32> = indices
            .iter()
            .map(|index| self.places[*index].1)
            .flat_map(|start| &self.values[start..start + size.area()])
            .map(|value| value.to_f32() * 2.0 - 1.0)
            .collect();
        Tensor::from_vec(values, (indices.len(), 1, size.height, size.width), device)
    }
}

impl Sample {
    /// The group that a balanced draw shares out evenly: age and findings.
    pub fn group(&self) -> String {
        format!("{:?} {}", self.age_group, self.findings.join("+"))
    }
}
