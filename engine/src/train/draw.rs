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

/// Draws images with replacement, from groups whose share is set by `balance`.
#[derive(Clone)]
pub(super) struct Draw {
    groups: Vec<Vec<usize>>,
    /// Running totals of the groups' shares, up to 1.
    shares: Vec<f64>,
    seed: u64,
}

impl Draw {
    /// `labels` gives the group of each image. With a balance of 0 every image is as likely, with 1
    /// every group; between, a group's share goes with its size to the power of 1 − balance.
    pub(super) fn new(labels: impl Iterator<Item = String>, balance: f64, seed: u64) -> Self {
        let mut by_label: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, label) in labels.enumerate() {
            by_label.entry(label).or_default().push(index);
        }
        let groups: Vec<Vec<usize>> = by_label.into_values().collect();
        let weights: Vec<f64> =
            groups.iter().map(|group| (group.len() as f64).powf(1.0 - balance)).collect();
        let total: f64 = weights.iter().sum();
        let mut reached = 0.0;
        let shares = weights
            .iter()
            .map(|weight| {
                reached += weight / total;
                reached
            })
            .collect();
        Self { groups, shares, seed }
    }

    /// The images of a step.
    pub(super) fn batch(&self, step: u64, size: usize) -> Vec<usize> {
        let mut random = source(self.seed, step, "batch");
        (0..size)
            .map(|_| {
                let point: f64 = random.random();
                let group = self.shares.partition_point(|share| *share < point);
                let group = &self.groups[group.min(self.groups.len() - 1)];
                group[random.random_range(0..group.len())]
            })
            .collect()
    }
}
