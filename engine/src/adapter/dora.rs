//! The rows' lengths of a weight that a low-rank product changes (DoRA; Liu et al., arXiv 2402.09353).

use candle_core::{DType, Result, Tensor};

use super::change::{Change, Factors, rows};
use crate::kernel::{self, Convolution};
use crate::nn::{Base, Operation};

/// What the rows' lengths are computed from, with every gradient: `‖W + sBA‖²` of a row is
/// `‖W‖² + 2s·B∘(WAᵀ) + s²·B(AAᵀ)∘B`, summed over the rank, so that nothing of the weight's size is
/// made. PEFT takes the lengths for constants (section 4.3 of the paper); here they are not.
pub(super) struct Norms {
    base: Base,
    /// `‖W‖²` row by row, `[out]`.
    squares: Tensor,
    /// `[r, in]` or `[r, in, k, k]`.
    down: Tensor,
    /// `[out, r]` or `[out, r, 1, 1]`.
    up: Tensor,
    scale: f64,
}

impl Norms {
    /// # Errors
    /// Where the change is not one of low rank.
    pub(super) fn new(base: &Base, change: &Change) -> Result<Self> {
        let Factors::Lora { up, .. } = &change.factors else {
            candle_core::bail!("not a change of low rank")
        };
        let weight = rows(&base.weight.tensor()?.to_dtype(DType::F32)?)?;
        Ok(Self {
            base: base.clone(),
            squares: weight.sqr()?.sum(1)?,
            down: change.composed()?.to_dtype(DType::F32)?,
            up: up.to_dtype(DType::F32)?,
            scale: change.scale(),
        })
    }

    /// The lengths, `[out]`.
    pub(super) fn of(&self) -> Result<Tensor> {
        let (down, up) = (rows(&self.down)?, rows(&self.up)?);
        let cross = self.down_along_rows()?.t()?.contiguous()?;
        let with_base = (&up * cross)?.sum(1)?;
        let own = (up.matmul(&down.matmul(&down.t()?.contiguous()?)?)? * &up)?.sum(1)?;
        let squares = ((&self.squares + (with_base * (2.0 * self.scale))?)?
            + (own * (self.scale * self.scale))?)?;
        // Rounding may lead a row that vanishes below zero.
        squares.maximum(f64::from(f32::MIN_POSITIVE))?.sqrt()
    }

    /// `AWᵀ`, `[r, out]`, by the layer's own kernel: of a convolution, its answer for factors that are
    /// maps as large as its kernel.
    fn down_along_rows(&self) -> Result<Tensor> {
        let weight = self.base.weight.to_dtype(DType::F32)?;
        match self.base.operation {
            Operation::Linear => kernel::linear(&rows(&self.down)?, &weight, None),
            Operation::Convolution(_) => {
                let maps = self.down.reshape(self.map_shape())?.permute((0, 2, 3, 1))?;
                let whole = Convolution { stride: 1, padding: 0 };
                rows(&kernel::conv2d(&maps.contiguous()?, &weight, None, whole)?)
            }
        }
    }

    fn map_shape(&self) -> Vec<usize> {
        let mut shape = self.base.weight.dims().to_vec();
        shape[0] = self.down.dims()[0];
        shape
    }
}
