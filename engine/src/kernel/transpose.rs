//! Matrices with their axes exchanged.

use super::isa::Isa;

/// Rows and columns that are turned at a time.
const SIDE: usize = 8;

/// Writes `rows` × `columns` numbers, a row every `stride`, as `columns` rows, one every `width` of `out`.
pub(super) fn transpose(
    numbers: &[f32],
    [rows, columns]: [usize; 2],
    stride: usize,
    out: &mut [f32],
    width: usize,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(numbers.len() >= (rows - 1) * stride + columns, "the matrix is too short");
    assert!(out.len() >= (columns - 1) * width + rows, "there is no room for the transpose");
    let (whole_rows, whole_columns) = whole(numbers, [rows, columns], stride, out, width);
    for row in 0..rows {
        let first = if row < whole_rows { whole_columns } else { 0 };
        for column in first..columns {
            out[column * width + row] = numbers[row * stride + column];
        }
    }
}

/// The part that blocks of 8 × 8 cover, by the widest path that turns one; how many rows and columns that is.
fn whole(
    numbers: &[f32],
    [rows, columns]: [usize; 2],
    stride: usize,
    out: &mut [f32],
    width: usize,
) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    if Isa::best() >= Isa::Avx2 {
        let (rows, columns) = (rows / SIDE * SIDE, columns / SIDE * SIDE);
        for row in (0..rows).step_by(SIDE) {
            for column in (0..columns).step_by(SIDE) {
                let (from, to) = (row * stride + column, column * width + row);
                // SAFETY: the processor has AVX2; `transpose` saw that every whole block lies inside on both sides.
                #[allow(unsafe_code)]
                unsafe {
                    avx2::block(numbers.as_ptr().add(from), stride, out.as_mut_ptr().add(to), width);
                }
            }
        }
        return (rows, columns);
    }
    let _ = (numbers, rows, columns, stride, out, width);
    (0, 0)
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
        _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };

    use super::SIDE;

    /// # Safety
    /// Eight numbers must be readable at every one of eight strides of `from`, and writable at every one of eight
    /// widths of `to`.
    #[allow(unsafe_code)]
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn block(from: *const f32, stride: usize, to: *mut f32, width: usize) {
        // SAFETY: the caller vouches for every row.
        let rows: [_; SIDE] =
            std::array::from_fn(|row| unsafe { _mm256_loadu_ps(from.add(row * stride)) });
        // Pairs of rows, then fours, then the halves of both fours.
        let mut pairs = rows;
        for at in (0..SIDE).step_by(2) {
            pairs[at] = _mm256_unpacklo_ps(rows[at], rows[at + 1]);
            pairs[at + 1] = _mm256_unpackhi_ps(rows[at], rows[at + 1]);
        }
        let mut fours = pairs;
        for at in [0, 4] {
            fours[at] = _mm256_shuffle_ps::<0x44>(pairs[at], pairs[at + 2]);
            fours[at + 1] = _mm256_shuffle_ps::<0xee>(pairs[at], pairs[at + 2]);
            fours[at + 2] = _mm256_shuffle_ps::<0x44>(pairs[at + 1], pairs[at + 3]);
            fours[at + 3] = _mm256_shuffle_ps::<0xee>(pairs[at + 1], pairs[at + 3]);
        }
        for at in 0..SIDE / 2 {
            let low = _mm256_permute2f128_ps::<0x20>(fours[at], fours[at + 4]);
            let high = _mm256_permute2f128_ps::<0x31>(fours[at], fours[at + 4]);
            // SAFETY: the caller vouches for every column.
            unsafe {
                _mm256_storeu_ps(to.add(at * width), low);
                _mm256_storeu_ps(to.add((at + SIDE / 2) * width), high);
            }
        }
    }
}
