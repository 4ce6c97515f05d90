//! The noise of one image: all of it from one seed.

use candle_core::{Result, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::device::normal;
use crate::noise::NoiseSource;

/// Name of the random generator, for provenance: ChaCha8 as `rand_chacha` seeds it from 64 bits, turned
/// into normal numbers by Box and Muller's method.
pub const RANDOM_GENERATOR: &str = "chacha8-box-muller";

/// Draws of one seed, in the order in which they are asked for.
pub struct Seeded(ChaCha8Rng);

impl Seeded {
    /// The first draw of `seed` is the next.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }
}

impl NoiseSource for Seeded {
    /// Drawn on the host, whatever the device: the same seed gives the same image everywhere.
    fn next(&mut self, like: &Tensor) -> Result<Tensor> {
        let values = normal(&mut self.0, like.elem_count());
        Tensor::from_vec(values, like.shape(), like.device())?.to_dtype(like.dtype())
    }
}

/// Draws of several seeds at once: what each row gets is what its seed alone gives.
pub(super) struct Several(Vec<Seeded>);

impl Several {
    /// A row for each of `seeds`.
    pub(super) fn new(seeds: impl Iterator<Item = u64>) -> Self {
        Self(seeds.map(Seeded::new).collect())
    }
}

impl NoiseSource for Several {
    /// `like` has a row for each seed.
    fn next(&mut self, like: &Tensor) -> Result<Tensor> {
        let rows = self.0.iter_mut().enumerate();
        let rows = rows.map(|(row, source)| source.next(&like.narrow(0, row, 1)?));
        Tensor::cat(&rows.collect::<Result<Vec<_>>>()?, 0)
    }
}
