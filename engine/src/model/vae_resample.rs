//! How the autoencoder's maps change their size.

use candle_core::{D, Result, Tensor, bail};

use crate::nn::{Conv2d, Weights, add, channels_to_space, space_to_channels, upsample_nearest};

/// A change of size by two.
pub(super) enum Resample {
    /// To half the size, as diffusers does it.
    Down(Conv2d),
    /// To twice the size, as diffusers does it.
    Up(Conv2d),
    /// To half the size and so many channels, with a shortcut from places to channels.
    ResidualDown(Conv2d, usize),
    /// To twice the size and so many channels, with a shortcut from channels to places.
    ResidualUp(Conv2d, usize),
}

impl Resample {
    /// From a map of `width` channels; diffusers' leaves the channels as they are, a residual one makes them
    /// `next`.
    pub(super) fn down(
        width: usize,
        next: usize,
        residual: bool,
        weights: &Weights,
    ) -> Result<Self> {
        // Both pad right and below before a convolution without padding.
        if residual {
            return Ok(Self::ResidualDown(Conv2d::new(width, next, 3, 2, 0, weights)?, next));
        }
        Ok(Self::Down(Conv2d::new(width, width, 3, 2, 0, weights)?))
    }

    /// As [`Self::down`], the other way.
    pub(super) fn up(width: usize, next: usize, residual: bool, weights: &Weights) -> Result<Self> {
        if residual {
            // At the smaller size, and spread out after: as many products, a quarter of the places to fetch.
            return Ok(Self::ResidualUp(Conv2d::new(width, 4 * next, 3, 1, 1, weights)?, next));
        }
        Ok(Self::Up(Conv2d::new(width, width, 3, 1, 1, weights)?))
    }

    /// `[b, h, w, width]` to `[b, h/2, w/2, next]` or `[b, 2h, 2w, next]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let padded = || x.pad_with_zeros(1, 0, 1)?.pad_with_zeros(2, 0, 1);
        match self {
            Self::Down(conv) => conv.forward(&padded()?),
            Self::Up(conv) => {
                let (_, height, width, _) = x.dims4()?;
                conv.forward(&upsample_nearest(x, 2 * height, 2 * width)?)
            }
            Self::ResidualDown(conv, next) => {
                add(&conv.forward(&padded()?)?, &averaged(&space_to_channels(x, 2)?, *next)?)
            }
            Self::ResidualUp(conv, next) => {
                channels_to_space(&add(&conv.forward(x)?, &repeated(x, 4 * next)?)?, 2)
            }
        }
    }
}

/// The channels of `x` in `width` groups of neighbours, each averaged.
pub(super) fn averaged(x: &Tensor, width: usize) -> Result<Tensor> {
    let (batch, height, columns, channels) = x.dims4()?;
    if width == 0 || !channels.is_multiple_of(width) {
        bail!("{channels} channels are not averaged to {width}");
    }
    x.reshape((batch, height, columns, width, channels / width))?.mean(D::Minus1)
}

/// Each channel of `x` as often as makes `width`.
pub(super) fn repeated(x: &Tensor, width: usize) -> Result<Tensor> {
    let (batch, height, columns, channels) = x.dims4()?;
    if channels == 0 || !width.is_multiple_of(channels) {
        bail!("{channels} channels are not repeated to {width}");
    }
    x.unsqueeze(4)?
        .broadcast_as((batch, height, columns, channels, width / channels))?
        .contiguous()?
        .reshape((batch, height, columns, width))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use candle_core::Device;

    use super::*;

    #[test]
    fn shortcuts_average_neighbours_and_repeat_them() {
        let x = Tensor::new(&[1f32, 3.0, 5.0, 9.0], &Device::Cpu).unwrap();
        let x = x.reshape((1, 1, 1, 4)).unwrap();
        let flat = |x: Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(flat(averaged(&x, 2).unwrap()), [2.0, 7.0]);
        let twice = [1.0, 1.0, 3.0, 3.0, 5.0, 5.0, 9.0, 9.0];
        assert_eq!(flat(repeated(&x, 8).unwrap()), twice);
        // What was repeated averages to itself.
        assert_eq!(flat(averaged(&repeated(&x, 12).unwrap(), 4).unwrap()), flat(x.clone()));
        assert!(averaged(&x, 3).is_err() && repeated(&x, 6).is_err());
    }
}
