//! What an adapter does to one layer: its factors, their scale, and the change of the weight.

use std::collections::BTreeMap;

use candle_core::{DType, Result, Tensor};

use super::names::Parameter;

/// The largest rank that is believed.
pub(super) const MOST_RANK: usize = 16_384;

/// A matrix, as it is or as a product of two, with a core between them where it changes a convolution
/// (a Tucker decomposition, Hyeon-Woo et al., arXiv 2108.06098, appendix A).
#[derive(Debug, Clone)]
pub(super) enum Matrix {
    /// `[out, in]` or `[out, in, k, k]`.
    Whole(Tensor),
    /// `[out, r]` and `[r, in]`, or `[r, in · k · k]`.
    Product(Tensor, Tensor),
    /// `[r, out]`, `[r, in]`, and the core `[r, r, k, k]`.
    Core(Tensor, Tensor, Tensor),
}

/// How a layer's change is put together.
#[derive(Debug, Clone)]
pub(super) enum Factors {
    /// Low rank (Hu et al., arXiv 2106.09685): up · down.
    Lora {
        /// `[r, in]` or `[r, in, k, k]`.
        down: Tensor,
        /// `[out, r]` or `[out, r, 1, 1]`.
        up: Tensor,
        /// `[r, r, k, k]` between a down and an up of 1 × 1.
        middle: Option<Tensor>,
        /// `[out]`, added to the answer.
        bias: Option<Tensor>,
    },
    /// The Hadamard product of two (LoHa; Hyeon-Woo et al., arXiv 2108.06098).
    Hadamard(Matrix, Matrix),
    /// The Kronecker product of two (LoKr; Yeh et al., arXiv 2309.14859).
    Kronecker(Matrix, Matrix),
}

/// Over which axis of the weight a magnitude goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Output,
    Input,
}

/// What an adapter does to one layer.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) factors: Factors,
    /// α as the file or the configuration gives it; without one the product acts as it is.
    pub(super) alpha: Option<f64>,
    /// The rank by which α is divided, where a configuration names it.
    pub(super) rank: Option<usize>,
    /// α is divided by √rank (Kalajdzievski, arXiv 2312.03732).
    pub(super) rank_stabilised: bool,
    /// The length of each row of the changed weight (DoRA; Liu et al., arXiv 2402.09353).
    pub(super) magnitude: Option<Tensor>,
    /// The magnitude is in LyCORIS's form, whose shape tells its axis.
    pub(super) lycoris_magnitude: bool,
}

/// Its tensors by what they are.
pub(super) type Parts = BTreeMap<Parameter, Tensor>;

impl Factors {
    /// Puts the tensors of one layer together.
    ///
    /// # Errors
    /// What is missing, or of another shape than the others.
    pub(super) fn new(mut parts: Parts) -> std::result::Result<Self, String> {
        use Parameter as P;
        let factors = if parts.contains_key(&P::Down) || parts.contains_key(&P::Up) {
            let down = take(&mut parts, P::Down, "the factor down (lora_A)")?;
            let up = take(&mut parts, P::Up, "the factor up (lora_B)")?;
            let (middle, bias) = (parts.remove(&P::Middle), parts.remove(&P::UpBias));
            Self::Lora { down, up, middle, bias }
        } else if parts.keys().any(|part| (P::HadamardA1..=P::HadamardCore2).contains(part)) {
            Self::Hadamard(
                product(&mut parts, [P::HadamardA1, P::HadamardB1, P::HadamardCore1], "hada_w1")?,
                product(&mut parts, [P::HadamardA2, P::HadamardB2, P::HadamardCore2], "hada_w2")?,
            )
        } else if parts.keys().any(|part| (P::Kronecker1..=P::KroneckerCore2).contains(part)) {
            let first = match parts.remove(&P::Kronecker1) {
                Some(whole) => Matrix::Whole(whole),
                None => matrix(&mut parts, P::KroneckerA1, P::KroneckerB1, None, "lokr_w1")?,
            };
            let names = [P::KroneckerA2, P::KroneckerB2, P::KroneckerCore2];
            let second = if let Some(whole) = parts.remove(&P::Kronecker2) {
                Matrix::Whole(whole)
            } else {
                product(&mut parts, names, "lokr_w2")?
            };
            Self::Kronecker(first, second)
        } else {
            return Err("has no factors".into());
        };
        match parts.keys().next() {
            None => Ok(factors),
            Some(part) => Err(format!("has a part that does not belong to the others: {part:?}")),
        }
    }

    /// The rank that the tensors show; `None` where no factor has one.
    pub(super) fn rank(&self) -> Option<usize> {
        let of = |matrix: &Matrix| match matrix {
            Matrix::Whole(_) => None,
            Matrix::Product(_, b) | Matrix::Core(_, b, _) => b.dims().first().copied(),
        };
        match self {
            Self::Lora { down, .. } => down.dims().first().copied(),
            Self::Hadamard(first, second) | Self::Kronecker(first, second) => {
                of(first).or_else(|| of(second))
            }
        }
    }
}

fn take(parts: &mut Parts, part: Parameter, name: &str) -> std::result::Result<Tensor, String> {
    parts.remove(&part).ok_or_else(|| format!("lacks {name}"))
}

fn product(
    parts: &mut Parts,
    [a, b, core]: [Parameter; 3],
    name: &str,
) -> std::result::Result<Matrix, String> {
    let core = parts.remove(&core);
    matrix(parts, a, b, core, name)
}

fn matrix(
    parts: &mut Parts,
    a: Parameter,
    b: Parameter,
    core: Option<Tensor>,
    name: &str,
) -> std::result::Result<Matrix, String> {
    let left = take(parts, a, &format!("{name}_a"))?;
    let right = take(parts, b, &format!("{name}_b"))?;
    Ok(match core {
        Some(core) => Matrix::Core(left, right, core),
        None => Matrix::Product(left, right),
    })
}

impl Change {
    /// By what the product of the factors is multiplied.
    pub(super) fn scale(&self) -> f64 {
        // LyCORIS takes a product of two whole matrices as it is, whatever its α; PEFT's
        // configuration names a rank all the same.
        let (Some(alpha), Some(rank)) = (self.alpha, self.rank.or_else(|| self.factors.rank()))
        else {
            return 1.0;
        };
        let rank = rank as f64;
        if self.rank_stabilised { alpha / rank.sqrt() } else { alpha / rank }
    }

    /// The factors down and up of a change of plain low rank, for a weight of the shape `base`:
    /// `[r, in]` and `[out, r]`, or `[r, in, k, k]` and `[out, r, 1, 1]`. `None` for any other.
    pub(super) fn low_rank(&self, base: &[usize]) -> Result<Option<(Tensor, Tensor)>> {
        let Factors::Lora { up, bias: None, .. } = &self.factors else {
            return Ok(None);
        };
        if self.magnitude.is_some() {
            return Ok(None);
        }
        let down = self.composed()?;
        let rank = down.dim(0)?;
        let mut shapes = (base.to_vec(), base.to_vec());
        shapes.0[0] = rank;
        shapes.1[1] = rank;
        for side in &mut shapes.1[2..] {
            *side = 1;
        }
        Ok(Some((down.reshape(shapes.0)?, up.reshape(shapes.1)?)))
    }

    /// The factor down with the one in the middle inside it, `[r, in, k, k]`, in its type.
    pub(super) fn composed(&self) -> Result<Tensor> {
        match &self.factors {
            Factors::Lora { down, middle: Some(middle), .. } => {
                below(&single(middle)?, &single(down)?)?.to_dtype(down.dtype())
            }
            Factors::Lora { down, .. } => Ok(down.clone()),
            Factors::Hadamard(..) | Factors::Kronecker(..) => {
                candle_core::bail!("not a change of low rank")
            }
        }
    }

    /// `weight`, changed at `scale`; `base` is the layer's own, on which nothing acted before. Both in
    /// single precision. A magnitude is the length of the base's rows after this change alone, as in
    /// PEFT, where several act.
    pub(super) fn apply(&self, weight: &Tensor, base: &Tensor, scale: f64) -> Result<Tensor> {
        let delta = (self.dense(base.dims())? * scale)?;
        let changed = (weight + &delta)?;
        let (Some(magnitude), Some(axis)) = (&self.magnitude, self.axis(base.dims())) else {
            return Ok(changed);
        };
        let mut alone = (base + delta)?.sqr()?;
        let along = match axis {
            Axis::Output => 0,
            Axis::Input => 1,
        };
        for other in (0..base.rank()).filter(|other| *other != along) {
            alone = alone.sum_keepdim(other)?;
        }
        let norm = alone.sqrt()?;
        changed.broadcast_mul(&(single(magnitude)?.reshape(norm.shape())? / norm)?)
    }

    /// The change of a weight of the shape `base`, in single precision.
    pub(super) fn dense(&self, base: &[usize]) -> Result<Tensor> {
        let weight = match &self.factors {
            Factors::Lora { up, .. } => {
                rows(&single(up)?)?.matmul(&rows(&single(&self.composed()?)?)?)?
            }
            Factors::Hadamard(first, second) => {
                (first.dense()?.flatten_from(1)? * second.dense()?.flatten_from(1)?)?
            }
            Factors::Kronecker(first, second) => kronecker(&first.dense()?, &second.dense()?)?,
        };
        (weight.reshape(base)? * self.scale())?.contiguous()
    }
}

impl Matrix {
    /// `[out, in]` or `[out, in, …]`, in single precision.
    pub(super) fn dense(&self) -> Result<Tensor> {
        match self {
            Self::Whole(whole) => single(whole),
            Self::Product(a, b) => single(a)?.matmul(&single(b)?),
            Self::Core(a, b, core) => {
                // Σᵢⱼ core[i, j, k, l] · a[i, out] · b[j, in].
                let inner = below(&single(core)?, &single(b)?)?;
                let mut shape = inner.dims().to_vec();
                shape[0] = a.dim(1)?;
                single(a)?.t()?.contiguous()?.matmul(&rows(&inner)?)?.reshape(shape)
            }
        }
    }
}

/// `core` `[i, j, k, l]` over `down` `[j, in]` or `[j, in, 1, 1]`: `[i, in, k, l]`.
fn below(core: &Tensor, down: &Tensor) -> Result<Tensor> {
    let (i, j, height, width) = core.dims4()?;
    let down = rows(down)?;
    let input = down.dim(1)?;
    let core = core.permute((0, 2, 3, 1))?.contiguous()?.reshape((i * height * width, j))?;
    let inner = core.matmul(&down)?.reshape((i, height, width, input))?;
    inner.permute((0, 3, 1, 2))?.contiguous()
}

/// The Kronecker product of `[a, c]` and `[b, d, …]`: `[a · b, c · d, …]`, flat behind the first axis.
fn kronecker(first: &Tensor, second: &Tensor) -> Result<Tensor> {
    let (first, second) = (rows(first)?, rows(second)?);
    let ((a, c), (b, d)) = (first.dims2()?, second.dims2()?);
    let product = first.reshape((a, 1, c, 1))?.broadcast_mul(&second.reshape((1, b, 1, d))?)?;
    product.reshape((a * b, c * d))
}

/// A matrix of its first axis by all others.
pub(super) fn rows(x: &Tensor) -> Result<Tensor> {
    x.reshape((x.dim(0)?, ()))
}

fn single(x: &Tensor) -> Result<Tensor> {
    x.to_dtype(DType::F32)
}
