//! Between planes, as images and latents are kept, and maps, as layers take them.

use candle_core::{Result, Tensor};

/// Planes `[batch, channels, h, w]` as a map `[batch, h, w, channels]`.
///
/// # Errors
/// Where they have not four dimensions.
pub fn to_map(planes: &Tensor) -> Result<Tensor> {
    planes.permute((0, 2, 3, 1))?.contiguous()
}

/// A map `[batch, h, w, channels]` as planes `[batch, channels, h, w]`.
///
/// # Errors
/// Where it has not four dimensions.
pub fn to_planes(map: &Tensor) -> Result<Tensor> {
    map.permute((0, 3, 1, 2))?.contiguous()
}
