//! Planes of images that may differ in size.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor, bail};

/// Planes of a split's images, `[images, channels, h, w]` of every size; a batch is of one size.
#[derive(Clone)]
pub struct Planes {
    groups: Vec<Tensor>,
    /// Of every image its group, and its row there.
    places: Vec<(usize, usize)>,
}

impl Planes {
    /// Planes of images of one size.
    pub fn of_one_size(values: Tensor) -> Self {
        let places = (0..values.dims()[0]).map(|row| (0, row)).collect();
        Self { groups: vec![values], places }
    }

    /// Planes of single images, each `[1, channels, h, w]`, in their order.
    ///
    /// # Errors
    /// Where two of one size have other channels.
    pub fn of_images(images: &[Tensor]) -> Result<Self> {
        let groups = by_key(images.iter().map(|image| image.dims()[2..].to_vec()));
        let joined = groups.into_values().map(|numbers| {
            let own: Vec<&Tensor> = numbers.iter().map(|number| &images[*number]).collect();
            Ok((numbers, Tensor::cat(&own, 0)?))
        });
        Ok(Self::new(joined.collect::<Result<_>>()?))
    }

    /// `groups` name their images, which are 0, 1, … together, in the order of their rows.
    pub(super) fn new(groups: Vec<(Vec<usize>, Tensor)>) -> Self {
        let count = groups.iter().map(|(images, _)| images.len()).sum();
        let mut places = vec![(0, 0); count];
        for (group, (images, _)) in groups.iter().enumerate() {
            for (row, image) in images.iter().enumerate() {
                places[*image] = (group, row);
            }
        }
        Self { groups: groups.into_iter().map(|(_, values)| values).collect(), places }
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// A split that loads has at least one image.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The number of an image's size: the same for images that go into one batch.
    pub fn group(&self, image: usize) -> usize {
        self.places[image].0
    }

    /// Every image once, in batches of one size and at most `most` images.
    pub fn batches(&self, most: usize) -> Vec<Vec<usize>> {
        batches(self.places.iter().map(|(group, _)| *group), most)
    }

    /// `[indices, channels, h, w]`.
    ///
    /// # Errors
    /// Where there is none, or they differ in size.
    pub fn batch(&self, indices: &[usize]) -> Result<Tensor> {
        let groups = indices.iter().map(|index| self.group(*index));
        let Some(group) = only(groups) else { bail!("a batch of no image, or of several sizes") };
        let rows: Vec<u32> = indices.iter().map(|index| self.places[*index].1 as u32).collect();
        let values = &self.groups[group];
        values.index_select(&Tensor::new(rows, values.device())?, 0)
    }
}

/// What all of `keys` are.
pub(super) fn only<K: PartialEq>(mut keys: impl Iterator<Item = K>) -> Option<K> {
    let first = keys.next()?;
    keys.all(|key| key == first).then_some(first)
}

/// The numbers of `keys` by what they are, in order.
pub(super) fn by_key<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, Vec<usize>> {
    let mut groups: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (number, key) in keys.enumerate() {
        groups.entry(key).or_default().push(number);
    }
    groups
}

/// The same in batches of at most `most`.
pub(super) fn batches<K: Ord>(keys: impl Iterator<Item = K>, most: usize) -> Vec<Vec<usize>> {
    let groups = by_key(keys);
    groups.values().flat_map(|images| images.chunks(most).map(<[usize]>::to_vec)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use candle_core::Device;

    use super::*;

    #[test]
    fn an_image_is_found_in_its_group_and_batches_do_not_mix() {
        let tensor = |values: &[f32], side: usize| {
            Tensor::from_slice(values, (values.len() / side, 1, 1, side), &Device::Cpu).unwrap()
        };
        let planes = Planes::new(vec![
            (vec![1, 4], tensor(&[10.0, 11.0, 40.0, 41.0], 2)),
            (vec![0, 2, 3], tensor(&[0.0, 20.0, 30.0], 1)),
        ]);
        assert_eq!(planes.len(), 5);
        let values = |indices: &[usize]| {
            let batch = planes.batch(indices).unwrap();
            batch.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(values(&[4, 1, 4]), [40.0, 41.0, 10.0, 11.0, 40.0, 41.0]);
        assert_eq!(values(&[3, 0]), [30.0, 0.0]);
        assert!(planes.batch(&[0, 1]).is_err() && planes.batch(&[]).is_err());
        assert_eq!(planes.batches(2), [vec![1, 4], vec![0, 2], vec![3]]);
        let single = [tensor(&[5.0], 1), tensor(&[6.0, 7.0], 2), tensor(&[8.0], 1)];
        let single = Planes::of_images(&single).unwrap().batch(&[2, 0]).unwrap();
        assert_eq!(single.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [8.0, 5.0]);
        let one = Planes::of_one_size(tensor(&[1.0, 2.0, 3.0], 1));
        assert_eq!(one.batches(2), [vec![0, 1], vec![2]]);
    }
}
