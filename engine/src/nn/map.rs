//! Between planes, as images and latents are kept, and maps, as layers take them; and between the places of a map
//! and its channels.

use candle_core::{Result, Tensor, bail};

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

/// `[b, h, w, c]` to `[b, h/f, w/f, c·f·f]`: a square's places lie row by row beside each other, channel by channel
/// (Shi et al., arXiv 1609.05158, the other way round).
///
/// # Errors
/// Where a side is no multiple of `factor`.
pub fn space_to_channels(map: &Tensor, factor: usize) -> Result<Tensor> {
    if factor == 1 {
        return Ok(map.clone());
    }
    let (b, h, w, c) = map.dims4()?;
    if !h.is_multiple_of(factor) || !w.is_multiple_of(factor) {
        bail!("a map of {h} × {w} is not made of squares of {factor}");
    }
    map.reshape(&[b, h / factor, factor, w / factor, factor, c][..])?
        .permute(vec![0, 1, 3, 5, 2, 4])?
        .contiguous()?
        .reshape((b, h / factor, w / factor, c * factor * factor))
}

/// The inverse of [`space_to_channels`].
///
/// # Errors
/// Where the channels are no multiple of `factor`².
pub fn channels_to_space(map: &Tensor, factor: usize) -> Result<Tensor> {
    if factor == 1 {
        return Ok(map.clone());
    }
    let (b, h, w, c) = map.dims4()?;
    if !c.is_multiple_of(factor * factor) {
        bail!("{c} channels are not made of squares of {factor}");
    }
    let c = c / (factor * factor);
    map.reshape(&[b, h, w, c, factor, factor][..])?
        .permute(vec![0, 1, 4, 2, 5, 3])?
        .contiguous()?
        .reshape((b, h * factor, w * factor, c))
}
