//! Attention without a stored score matrix on NVIDIA's GPUs (Dao, arXiv 2307.08691), where it can be had.

use candle_core::{Result, Tensor};

/// Softmax attention of `q` `[batch, n, inner]` over `k` and `v` `[batch, m, inner]`, split into `heads`; nothing
/// where it cannot be had, and the caller composes it of other operations.
///
/// It can where the program was built with the feature `flash-attn`, for 16-bit floats on a GPU without a mask, in
/// heads of a multiple of 8 up to 256, and where no gradient is asked for: candle-flash-attn has none.
///
/// # Errors
/// Where the shapes do not fit together.
#[cfg(feature = "flash-attn")]
pub(super) fn flash_attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    mask: Option<&Tensor>,
) -> Result<Option<Tensor>> {
    use candle_core::DType;

    let (batch, n, inner) = q.dims3()?;
    let width = inner / heads.max(1);
    let tracked = [q, k, v].into_iter().any(Tensor::track_op);
    let fits = q.device().is_cuda()
        && matches!(q.dtype(), DType::BF16 | DType::F16)
        && width.is_multiple_of(8)
        && width <= 256;
    if mask.is_some() || tracked || !fits {
        return Ok(None);
    }
    let split = |x: &Tensor| x.reshape((batch, x.dim(1)?, heads, width))?.contiguous();
    let scale = 1.0 / (width as f32).sqrt();
    let y = candle_flash_attn::flash_attn(&split(q)?, &split(k)?, &split(v)?, scale, false)?;
    Ok(Some(y.reshape((batch, n, inner))?))
}

/// Nothing: the program was built without `flash-attn`.
///
/// # Errors
/// None.
#[cfg(not(feature = "flash-attn"))]
#[expect(clippy::unnecessary_wraps, reason = "as it is where there is one")]
pub(super) fn flash_attention(
    _q: &Tensor,
    _k: &Tensor,
    _v: &Tensor,
    _heads: usize,
    _mask: Option<&Tensor>,
) -> Result<Option<Tensor>> {
    Ok(None)
}
