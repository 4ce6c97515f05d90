//! Convolutions of 3 × 3 with a quarter of the products: Winograd's minimal filtering (Lavin and Gray, arXiv 1509.09308).
//!
//! A tile of 4 × 4 answers sees 6 × 6 pixels. Both those and the kernel are written in six values of each direction, as
//! a polynomial is by its values at six points; there, a convolution is a product value by value, and so 36 products
//! with matrices stand for 16 × 9. What that costs is the way there and back, which is paid once for each pixel and
//! answer, and the products for each pair of channels.
//!
//! Weights are written in the points where they are used, a panel at a time: written out they would fill four times the
//! memory.

mod convolution;
mod tiling;
mod transform;
mod weight_gradient;

pub(super) use convolution::convolve;
pub(super) use tiling::Tiling;
pub(super) use weight_gradient::gradient_of_weight;

/// Answers of a tile, along a side.
const OUT: usize = 4;
/// Pixels that a tile sees, along a side; and points.
const IN: usize = 6;
/// Taps of the kernel, along a side.
const TAPS: usize = 3;
/// Points of a tile.
const POINTS: usize = IN * IN;
