//! Whether a change fits a layer: looked at by shapes alone, before anything is computed.

use candle_core::Tensor;

use super::change::{Axis, Change, Factors, MOST_RANK, Matrix};

/// `None` where the product is no number of elements.
fn count(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |product, side| product.checked_mul(*side))
}

/// Rows, and what lies behind them, of a tensor of two axes or more, none of them empty.
fn sides(x: &Tensor) -> Option<(usize, usize)> {
    let (first, others) = x.dims().split_first()?;
    let flat = count(others)?;
    (!others.is_empty() && *first > 0 && flat > 0).then_some((*first, flat))
}

impl Change {
    /// Whether the change is one of a weight of the shape `base`, `[out, in]` or `[out, in, k, k]`.
    ///
    /// # Errors
    /// What does not fit, with both shapes.
    pub(super) fn check(&self, base: &[usize]) -> Result<(), String> {
        let (Some(output), Some(input)) = (base.first(), base.get(1..).and_then(count)) else {
            return Err("the layer has no weight of rows and columns".into());
        };
        let wrong = |name: &str, x: &Tensor| {
            format!("{name} is {:?}, and the layer's weight {base:?}", x.dims())
        };
        match &self.factors {
            Factors::Lora { down, up, middle, bias } => {
                let (rank, columns) = sides(down).ok_or_else(|| wrong("lora_A", down))?;
                let (rows, up_rank) = sides(up).ok_or_else(|| wrong("lora_B", up))?;
                let inner = match middle {
                    None => rank,
                    Some(middle) => {
                        let fits = base.len() == 4
                            && middle.dims().get(2..) == base.get(2..)
                            && middle.dims().get(1) == Some(&rank);
                        match middle.dims().first() {
                            Some(inner) if fits => *inner,
                            _ => return Err(wrong("lora_mid", middle)),
                        }
                    }
                };
                let wanted = if middle.is_some() { base[1] } else { input };
                if columns != wanted {
                    return Err(wrong("lora_A", down));
                }
                if rows != *output || up_rank != inner {
                    return Err(wrong("lora_B", up));
                }
                if let Some(bias) = bias.as_ref().filter(|bias| bias.dims() != [*output]) {
                    return Err(wrong("the bias of lora_B", bias));
                }
            }
            Factors::Hadamard(first, second) => {
                for (name, matrix) in [("hada_w1", first), ("hada_w2", second)] {
                    if matrix.extent(base) != Some((*output, input)) {
                        return Err(matrix.wrong(name, base));
                    }
                }
            }
            Factors::Kronecker(first, second) => {
                let extent = first.extent(base).zip(second.extent(base));
                let product = extent
                    .and_then(|((a, c), (b, d))| Some((a.checked_mul(b)?, c.checked_mul(d)?)));
                if product != Some((*output, input)) {
                    return Err(format!(
                        "{}; {}",
                        first.wrong("lokr_w1", base),
                        second.wrong("lokr_w2", base)
                    ));
                }
            }
        }
        match &self.magnitude {
            Some(magnitude) if self.axis(base).is_none() => Err(wrong("the magnitude", magnitude)),
            _ => Ok(()),
        }
    }

    /// Over which axis of `base` the magnitude goes; `None` where it fits neither.
    pub(super) fn axis(&self, base: &[usize]) -> Option<Axis> {
        let (magnitude, output) = (self.magnitude.as_ref()?, *base.first()?);
        let dims = magnitude.dims();
        // PEFT writes [out] or, for convolutions, [1, out, 1, 1].
        if !self.lycoris_magnitude || dims.first() == Some(&output) {
            return (magnitude.elem_count() == output).then_some(Axis::Output);
        }
        // LyCORIS writes [out, 1, 1, 1], and before its version 3 [1, in, 1, 1].
        let fits = |length: Option<&usize>| {
            dims.first() == Some(&1)
                && dims.get(1) == length
                && length == Some(&magnitude.elem_count())
        };
        if fits(base.get(1)) {
            Some(Axis::Input)
        } else {
            fits(Some(&output)).then_some(Axis::Output)
        }
    }

    /// # Errors
    /// Where rank, α or scale are none that a change can have.
    pub(super) fn check_numbers(&self) -> Result<(), String> {
        if let Some(alpha) = self.alpha.filter(|alpha| !alpha.is_finite()) {
            return Err(format!("alpha is {alpha}, and must be a number"));
        }
        for rank in [self.rank, self.factors.rank()].into_iter().flatten() {
            if !(1..=MOST_RANK).contains(&rank) {
                return Err(format!("the rank is {rank}, and must lie between 1 and {MOST_RANK}"));
            }
        }
        Ok(())
    }
}

impl Matrix {
    /// Rows and flat columns of the matrix for a weight of the shape `base`; `None` where its parts do
    /// not fit each other.
    fn extent(&self, base: &[usize]) -> Option<(usize, usize)> {
        match self {
            Self::Whole(whole) => sides(whole),
            Self::Product(a, b) => {
                let ((rows, rank), (inner, columns)) = (sides(a)?, sides(b)?);
                (rank == inner && a.rank() == 2 && b.rank() == 2).then_some((rows, columns))
            }
            Self::Core(a, b, core) => {
                let ((i, rows), (j, columns)) = (sides(a)?, sides(b)?);
                let kernel = base.get(2..)?;
                let fits = core.rank() == 4
                    && core.dims().get(..2) == Some(&[i, j])
                    && core.dims().get(2..) == Some(kernel)
                    && a.rank() == 2
                    && b.rank() == 2;
                if fits { Some((rows, columns.checked_mul(count(kernel)?)?)) } else { None }
            }
        }
    }

    fn wrong(&self, name: &str, base: &[usize]) -> String {
        let parts = match self {
            Self::Whole(whole) => format!("{name} is {:?}", whole.dims()),
            Self::Product(a, b) => format!("{name}_a and _b are {:?} and {:?}", a.dims(), b.dims()),
            Self::Core(a, b, core) => {
                let (a, b, core) = (a.dims(), b.dims(), core.dims());
                format!("{name}_a, _b and its core are {a:?}, {b:?} and {core:?}")
            }
        };
        format!("{parts}, and the layer's weight {base:?}")
    }
}
