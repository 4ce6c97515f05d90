//! Matrices turned by a quarter: what was a row lies across.

use super::isa::Isa;
use super::panels::Line;
use super::tile::{Element, LANES, ROWS};

/// The transpose of `length` rows of `width` numbers: number `place` of row `index` becomes number `index` of row
/// `place` of `out`, whose rows begin `stride` numbers behind each other.
pub(super) fn turn<'a, E: Element>(
    width: usize,
    length: usize,
    row: impl Fn(usize) -> &'a [E],
    out: &mut [E],
    stride: usize,
) {
    turn_parts::<E, 1>(width, length, row, out, stride);
}

/// Up to 48 rows as the columns of a product's right side: whole vectors of them, step behind step. What is missing at
/// the edges is zero.
pub(super) fn pack<'a, E: Element>(
    width: usize,
    length: usize,
    row: impl Fn(usize) -> &'a [E],
    lines: &mut Vec<Line>,
) {
    let vectors = length.div_ceil(LANES);
    lines.clear();
    lines.resize(width.div_ceil(E::PER_STEP) * vectors, Line::ZERO);
    let (out, stride) = (Line::numbers_mut(lines), vectors * LANES * E::PER_STEP);
    match E::PER_STEP {
        1 => turn_parts::<E, 1>(width, length, row, out, stride),
        _ => turn_parts::<E, 2>(width, length, row, out, stride),
    }
}

/// As [`turn`], where `PART` numbers of a row stay together.
fn turn_parts<'a, E: Element, const PART: usize>(
    width: usize,
    length: usize,
    row: impl Fn(usize) -> &'a [E],
    out: &mut [E],
    stride: usize,
) {
    let steps = width / PART;
    for first in (0..length).step_by(ROWS) {
        let last = (first + ROWS).min(length);
        let rows: [&[E]; ROWS] =
            std::array::from_fn(|offset| &row((first + offset).min(last - 1))[..width]);
        let mut done = 0;
        if last - first == ROWS && size_of::<E>() * PART == 4 && steps > 0 {
            let out = &mut out[first * PART..(steps - 1) * stride + (first + ROWS) * PART];
            // SAFETY: a step is four bytes; every row has `steps` of them, and `out` was just seen to have room for
            // eight at every stride.
            #[allow(unsafe_code)]
            unsafe {
                let rows = rows.map(|row| row.as_ptr().cast());
                done = turn_steps(&rows, steps, out.as_mut_ptr().cast(), stride / PART);
            }
        }
        for place in done..width.div_ceil(PART) {
            let out = &mut out[place * stride + first * PART..][..(last - first) * PART];
            let from = place * PART..(place * PART + PART).min(width);
            for (row, out) in rows.iter().zip(out.chunks_exact_mut(PART)) {
                out[..from.len()].copy_from_slice(&row[from.clone()]);
            }
        }
    }
}

/// Turns steps of four bytes, as many as go by eights; how many.
///
/// # Safety
/// Every row must lead to `steps` of them, and `out` to room for eight at `steps` strides.
#[allow(unsafe_code)]
unsafe fn turn_steps(
    rows: &[*const f32; ROWS],
    steps: usize,
    out: *mut f32,
    stride: usize,
) -> usize {
    #[cfg(target_arch = "x86_64")]
    if Isa::best() >= Isa::Avx2 {
        let whole = steps / ROWS * ROWS;
        for first in (0..whole).step_by(ROWS) {
            // SAFETY: the processor was asked; the caller vouches for eight steps from the first on.
            unsafe { turn_eight(&rows.map(|row| row.add(first)), out.add(first * stride), stride) };
        }
        return whole;
    }
    let _ = (rows, steps, out, stride);
    0
}

/// Turns eight rows of eight.
///
/// # Safety
/// Every row must lead to eight numbers, and `out` to room for eight at eight strides.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
#[target_feature(enable = "avx2,fma")]
unsafe fn turn_eight(rows: &[*const f32; ROWS], out: *mut f32, stride: usize) {
    use std::arch::x86_64::{
        _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
        _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };
    // SAFETY: the caller vouches for what is read.
    let [a, b, c, d, e, f, g, h] = rows.map(|row| unsafe { _mm256_loadu_ps(row) });
    // Pairs of rows, then fours, in each half; then the halves.
    let pair = |x, y| (_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y));
    let ((a, b), (c, d), (e, f), (g, h)) = (pair(a, b), pair(c, d), pair(e, f), pair(g, h));
    let four = |x, y| (_mm256_shuffle_ps::<0x44>(x, y), _mm256_shuffle_ps::<0xee>(x, y));
    let ((a, b), (c, d)) = (four(a, c), four(b, d));
    let ((e, f), (g, h)) = (four(e, g), four(f, h));
    let low = |x, y| _mm256_permute2f128_ps::<0x20>(x, y);
    let high = |x, y| _mm256_permute2f128_ps::<0x31>(x, y);
    let turned = [
        low(a, e),
        low(b, f),
        low(c, g),
        low(d, h),
        high(a, e),
        high(b, f),
        high(c, g),
        high(d, h),
    ];
    for (index, row) in turned.into_iter().enumerate() {
        // SAFETY: the caller vouches for the room.
        unsafe { _mm256_storeu_ps(out.add(index * stride), row) };
    }
}
