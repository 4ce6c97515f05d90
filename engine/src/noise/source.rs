//! Where a sampling gets its noise.

use candle_core::{Result, Tensor};

/// Draws from the standard normal distribution, one after the other.
pub trait NoiseSource {
    /// The next draw, in the shape, number type and device of `like`.
    fn next(&mut self, like: &Tensor) -> Result<Tensor>;
}
