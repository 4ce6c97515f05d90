//! Large images through an autoencoder tile by tile, as diffusers' `AutoencoderKL` cuts and blends them.

use candle_core::{DType, Device, Result, Tensor};

/// How a map is cut, and what a tile becomes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiles {
    /// Sides of a tile that goes in.
    pub(super) side: usize,
    /// Sides of what comes out of a whole one.
    pub(super) out_side: usize,
}

impl Tiles {
    /// `through` for every tile of `x` `[batch, channels, h, w]`, blended where tiles overlap; at once where
    /// no side is longer than a tile.
    pub(super) fn each(
        self,
        x: &Tensor,
        through: &dyn Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        if height <= self.side && width <= self.side {
            return through(x);
        }
        // A quarter overlaps.
        let stride = (self.side * 3 / 4).max(1);
        let blend = self.out_side / 4;
        let kept = self.out_side - blend;
        let mut above: Vec<Tensor> = Vec::new();
        let mut rows = Vec::new();
        for top in (0..height).step_by(stride) {
            let band = x.narrow(2, top, self.side.min(height - top))?;
            let mut row: Vec<Tensor> = Vec::new();
            let mut strip = Vec::new();
            for (column, left) in (0..width).step_by(stride).enumerate() {
                let mut tile = through(&band.narrow(3, left, self.side.min(width - left))?)?;
                if let Some(above) = above.get(column) {
                    tile = blended(above, &tile, 2, blend)?;
                }
                if let Some(before) = row.last() {
                    tile = blended(before, &tile, 3, blend)?;
                }
                let (_, _, tile_height, tile_width) = tile.dims4()?;
                let part = tile.narrow(2, 0, kept.min(tile_height))?;
                strip.push(part.narrow(3, 0, kept.min(tile_width))?);
                row.push(tile);
            }
            rows.push(Tensor::cat(&strip, 3)?);
            above = row;
        }
        Tensor::cat(&rows, 2)
    }
}

/// `tile`, which begins as the end of `before` and becomes itself over `extent` places of `dimension`.
fn blended(before: &Tensor, tile: &Tensor, dimension: usize, extent: usize) -> Result<Tensor> {
    let (length, own) = (before.dim(dimension)?, tile.dim(dimension)?);
    let extent = extent.min(length).min(own);
    if extent == 0 {
        return Ok(tile.clone());
    }
    let share = shares(extent, dimension, tile.dtype(), tile.device())?;
    let old = before.narrow(dimension, length - extent, extent)?;
    let new = tile.narrow(dimension, 0, extent)?;
    let mixed = (&old + (new - &old)?.broadcast_mul(&share)?)?;
    if own == extent {
        return Ok(mixed);
    }
    Tensor::cat(&[&mixed, &tile.narrow(dimension, extent, own - extent)?], dimension)
}

/// From 0 up, along `dimension` of four.
fn shares(extent: usize, dimension: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    let values: Vec<f32> = (0..extent).map(|place| place as f32 / extent as f32).collect();
    let mut shape = [1; 4];
    shape[dimension] = extent;
    Tensor::from_vec(values, &shape[..], device)?.to_dtype(dtype)
}
