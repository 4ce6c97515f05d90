//! Which images a step sees, and its random numbers: functions of seed and step alone, so that a
//! run that was stopped goes on exactly as if it had not been.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The random source of a step for one purpose.
pub(super) fn source(seed: u64, step: u64, purpose: &str) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(step.to_le_bytes());
    hash.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}

/// Draws images with replacement, from groups whose share is set by `balance`; those of a batch are of one bucket.
#[derive(Clone)]
pub(super) struct Draw {
    buckets: Vec<Bucket>,
    /// Running totals of the buckets' shares, up to 1.
    shares: Vec<f64>,
    seed: u64,
}

/// The images of a bucket.
#[derive(Clone)]
struct Bucket {
    groups: Vec<Vec<usize>>,
    /// Running totals of the groups' shares, up to 1.
    shares: Vec<f64>,
}

impl Draw {
    /// `labels` gives the group of each image. With a balance of 0 every image is as likely, with 1
    /// every group; between, a group's share goes with its size to the power of 1 − balance.
    pub(super) fn new(labels: impl Iterator<Item = String>, balance: f64, seed: u64) -> Self {
        Self::in_buckets(labels.map(|label| (0, label)), balance, seed)
    }

    /// As [`Self::new`], of images with the number of their bucket: every image is as likely as it would be
    /// without buckets, and a bucket as likely as its images together.
    pub(super) fn in_buckets(
        images: impl Iterator<Item = (usize, String)>,
        balance: f64,
        seed: u64,
    ) -> Self {
        let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
        let mut by_bucket: BTreeMap<usize, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
        for (index, (bucket, label)) in images.enumerate() {
            *sizes.entry(label.clone()).or_default() += 1;
            by_bucket.entry(bucket).or_default().entry(label).or_default().push(index);
        }
        let weight = |label: &String, images: &Vec<usize>| {
            let size = sizes[label] as f64;
            size.powf(1.0 - balance) * (images.len() as f64 / size)
        };
        let (mut buckets, mut weights) = (Vec::new(), Vec::new());
        for groups in by_bucket.into_values() {
            let own: Vec<f64> =
                groups.iter().map(|(label, images)| weight(label, images)).collect();
            weights.push(own.iter().sum::<f64>());
            let groups = groups.into_values().collect();
            buckets.push(Bucket { groups, shares: running(&own) });
        }
        Self { buckets, shares: running(&weights), seed }
    }

    /// The images of a step.
    pub(super) fn batch(&self, step: u64, size: usize) -> Vec<usize> {
        let mut random = source(self.seed, step, "batch");
        let bucket = match self.buckets.as_slice() {
            [one] => one,
            several => &several[drawn(&self.shares, &mut random)],
        };
        (0..size)
            .map(|_| {
                let group = &bucket.groups[drawn(&bucket.shares, &mut random)];
                group[random.random_range(0..group.len())]
            })
            .collect()
    }
}

/// The running totals of `weights` as shares of their sum.
fn running(weights: &[f64]) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    let mut reached = 0.0;
    let add = |weight: &f64| {
        reached += weight / total;
        reached
    };
    weights.iter().map(add).collect()
}

/// The number of a share, as likely as it is large.
fn drawn(shares: &[f64], random: &mut impl Rng) -> usize {
    let point: f64 = random.random();
    shares.partition_point(|share| *share < point).min(shares.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bucket and label of each image; no bucket has a label to itself.
    const IMAGES: [(usize, &str); 10] = [
        (0, "a"),
        (1, "a"),
        (0, "b"),
        (2, "a"),
        (0, "a"),
        (1, "b"),
        (0, "a"),
        (2, "a"),
        (0, "b"),
        (0, "a"),
    ];

    fn draw(balance: f64) -> Draw {
        let images = IMAGES.iter().map(|(bucket, label)| (*bucket, (*label).to_owned()));
        Draw::in_buckets(images, balance, 3)
    }

    #[test]
    fn a_batch_is_of_one_bucket_and_every_image_as_likely_as_without() {
        for balance in [0.0, 0.5, 1.0] {
            let draw = draw(balance);
            let steps = 20_000;
            let mut counts = [0usize; IMAGES.len()];
            for step in 0..steps {
                let batch = draw.batch(step, 4);
                assert!(batch.iter().all(|image| IMAGES[*image].0 == IMAGES[batch[0]].0));
                for image in batch {
                    counts[image] += 1;
                }
            }
            // Seven images of a, three of b.
            let (a, b) = (7f64.powf(1.0 - balance), 3f64.powf(1.0 - balance));
            for (image, count) in counts.into_iter().enumerate() {
                let own = if IMAGES[image].1 == "a" { a / 7.0 } else { b / 3.0 };
                let expected = own / (a + b);
                let found = count as f64 / (4 * steps) as f64;
                assert!((found - expected).abs() < 0.01, "{balance} {image}: {found}, {expected}");
            }
        }
    }

    #[test]
    fn a_step_draws_the_same_images_again() {
        let (one, two) = (draw(0.5), draw(0.5));
        assert!((0..50).all(|step| one.batch(step, 5) == two.batch(step, 5)));
        assert!((0..50).any(|step| one.batch(step, 5) != one.batch(step + 1, 5)));
    }
}
