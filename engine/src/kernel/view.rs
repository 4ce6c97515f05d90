//! Contiguous slices out of tensors and storages, and the way back.

use std::borrow::Cow;

use candle_core::{CpuStorage, DType, Layout, Result, Shape, Storage, Tensor, bail};

use super::scattered::Scattered;
use super::tile::Element;

/// The number type in which the kernels of this room apply to tensors: all on the CPU, all of one type.
pub(super) fn element(tensors: &[&Tensor]) -> Option<DType> {
    let dtype = tensors.first()?.dtype();
    let ours = tensors.iter().all(|tensor| tensor.device().is_cpu() && tensor.dtype() == dtype);
    (ours && matches!(dtype, DType::F32 | DType::BF16)).then_some(dtype)
}

/// Runs `$body` with `$element` as the type of the numbers of `$dtype`.
macro_rules! with_element {
    ($dtype:expr, $element:ident => $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                type $element = f32;
                $body
            }
            candle_core::DType::BF16 => {
                type $element = half::bf16;
                $body
            }
            other => candle_core::bail!("a CPU kernel was handed numbers of {other:?}"),
        }
    };
}
pub(super) use with_element;

/// Whether the tensors live on the CPU as `f32`, where some kernels of this room apply alone.
pub(super) fn on_cpu(tensors: &[&Tensor]) -> bool {
    element(tensors) == Some(DType::F32)
}

/// The slice that a contiguous layout covers.
pub(super) fn slice<'a, E: Element>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [E]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&E::cpu_storage_as_slice(storage)?[start..end]),
        None => bail!("a kernel was handed a tensor that is not contiguous"),
    }
}

/// Lends the tensor's values, row-major, to `read`.
pub(super) fn with_slice<E: Element, R>(
    tensor: &Tensor,
    read: impl FnOnce(&[E]) -> Result<R>,
) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => read(slice(storage, layout)?),
        _ => bail!("a CPU kernel was handed a tensor of another device"),
    }
}

/// Numbers in single precision: themselves, or a copy.
pub(super) fn single<E: Element>(values: &[E]) -> Cow<'_, [f32]> {
    if let Some(values) = E::singles(values) {
        return values.into();
    }
    let mut out = vec![0f32; values.len()];
    E::spread(values, &mut out);
    out.into()
}

/// The tensor's values in single precision.
pub(super) fn singles(tensor: &Tensor) -> Result<Vec<f32>> {
    with_element!(tensor.dtype(), E => with_slice::<E, _>(tensor, |values| {
        Ok(values.iter().map(|value| value.single()).collect())
    }))
}

/// A tensor of `values` in the shape and on the device of `like`.
pub(super) fn tensor_like<E: Element>(values: Vec<E>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, like.shape(), like.device())
}

/// What a custom operation's forward answers.
pub(super) fn answer<E: Element>(values: Vec<E>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (E::to_cpu_storage_owned(values), shape.into())
}

/// Single precision as another.
pub(super) fn rounded<E: Element>(values: Vec<f32>) -> Vec<E> {
    values.into_iter().map(E::from_single).collect()
}

/// `length` numbers that `write` puts into memory that nobody cleared before.
///
/// # Safety
/// `write` must write every one of them.
#[allow(unsafe_code)]
pub(super) unsafe fn written<E: Element>(
    length: usize,
    write: impl FnOnce(&Scattered<E>),
) -> Vec<E> {
    let mut values: Vec<E> = Vec::with_capacity(length);
    // SAFETY: the capacity was just made, and what lies there is only written to.
    let scattered = unsafe { Scattered::of(values.as_mut_ptr(), length) };
    write(&scattered);
    // SAFETY: the caller vouches that every place was written; numbers need no drop.
    unsafe { values.set_len(length) };
    values
}
