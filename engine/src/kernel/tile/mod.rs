//! The innermost product: eight rows by up to 48 columns, summed over a run of steps.
//!
//! A step is four bytes of a row: one `f32`, or two `bf16` that are multiplied and added together ([`int8`] has whole
//! numbers in them). So
//! every path has the same loop, and what is left to it is one broadcast and one product.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(super) mod int8;
mod portable;

use half::bf16;

use super::isa::Isa;
use super::simd::dispatch;

/// Rows of a tile.
pub(super) const ROWS: usize = 8;
/// Lanes of a vector of columns.
pub(super) const LANES: usize = 16;
/// Columns of a tile at most: three vectors.
pub(super) const COLUMNS: usize = 3 * LANES;

/// The sums of a tile, a row behind the other.
#[repr(C, align(64))]
#[derive(Clone)]
pub(super) struct Tile(pub(super) [[f32; COLUMNS]; ROWS]);

impl Tile {
    pub(super) const ZERO: Self = Self([[0.0; COLUMNS]; ROWS]);

    /// The rows of tiles that lie behind each other.
    pub(super) fn rows(tiles: &[Self]) -> &[[f32; COLUMNS]] {
        // SAFETY: a tile is its rows, of a size that its alignment divides, so nothing lies between them.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts(tiles.as_ptr().cast(), tiles.len() * ROWS)
        }
    }

    /// As [`Self::rows`], to be written.
    pub(super) fn rows_mut(tiles: &mut [Self]) -> &mut [[f32; COLUMNS]] {
        // SAFETY: as above, and the tiles are borrowed alone.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts_mut(tiles.as_mut_ptr().cast(), tiles.len() * ROWS)
        }
    }
}

/// `tile[r][c] += Σ rows[r][step] · panel[step][c]` over `steps` (at least one), for the first `16 × vectors` columns.
/// A step of the panel begins `stride` bytes behind the one before it.
///
/// # Safety
/// Every pointer in `rows` must lead to `steps` readable steps of four bytes, `panel` to `16 × vectors` of them at every
/// stride, `vectors` must be 1, 2 or 3, and the processor must have what the path needs.
pub(super) type Run = unsafe fn(
    rows: &[*const u32; ROWS],
    steps: usize,
    panel: *const u32,
    stride: usize,
    vectors: usize,
    tile: &mut Tile,
);

/// A number that products are made of.
pub(super) trait Element: candle_core::WithDType + Default {
    /// Numbers of a step.
    const PER_STEP: usize;

    /// The number in single precision.
    fn single(self) -> f32;

    /// The nearest number to one in single precision.
    fn from_single(value: f32) -> Self;

    /// The numbers themselves, where they are in single precision.
    fn singles(numbers: &[Self]) -> Option<&[f32]>;

    /// Writes numbers out in single precision.
    fn spread(numbers: &[Self], out: &mut [f32]);

    /// Writes a panel's step out in single precision, as steps of one number.
    fn part(step: &[Self], out: &mut [f32]);

    /// An even number of rows as steps of a product's right side, 48 columns wide: the rows themselves, or `copy` of
    /// them, which has as many numbers.
    fn steps<'a>(rows: &'a [[f32; COLUMNS]], copy: &'a mut [Self]) -> &'a [Self];

    /// The loop of a path; none where it goes by that of `f32`, in which the numbers are written out.
    fn run(isa: Isa) -> Option<Run>;
}

/// The loop of a path for single precision.
pub(super) fn run_single(isa: Isa) -> Run {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Vnni | Isa::Avx512Bf16 => avx512::single,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::single,
        _ => portable::single,
    }
}

dispatch! {
    fn spread_brain(numbers: &[bf16], out: &mut [f32]) {
        for (out, number) in out.iter_mut().zip(numbers) {
            *out = number.single();
        }
    }
}

dispatch! {
    /// Rounds rows, two by two as steps.
    fn round_brain(rows: &[[f32; COLUMNS]], out: &mut [bf16]) {
        let (pairs, steps) = (rows.as_chunks::<2>().0, out.as_chunks_mut::<{ 2 * COLUMNS }>().0);
        for ([first, second], step) in pairs.iter().zip(steps) {
            for ((first, second), step) in first.iter().zip(second).zip(step.as_chunks_mut().0) {
                *step = [bf16::from_single(*first), bf16::from_single(*second)];
            }
        }
    }
}

dispatch! {
    fn part_brain(step: &[bf16], out: &mut [f32]) {
        let (first, second) = out.split_at_mut(step.len() / 2);
        for ((first, second), pair) in first.iter_mut().zip(second).zip(step.chunks_exact(2)) {
            *first = pair[0].single();
            *second = pair[1].single();
        }
    }
}

impl Element for f32 {
    const PER_STEP: usize = 1;

    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn single(self) -> f32 {
        self
    }

    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn from_single(value: f32) -> Self {
        value
    }

    fn singles(numbers: &[Self]) -> Option<&[f32]> {
        Some(numbers)
    }

    fn spread(numbers: &[Self], out: &mut [f32]) {
        out.copy_from_slice(numbers);
    }

    fn part(step: &[Self], out: &mut [f32]) {
        out.copy_from_slice(step);
    }

    fn steps<'a>(rows: &'a [[f32; COLUMNS]], _copy: &'a mut [Self]) -> &'a [Self] {
        rows.as_flattened()
    }

    fn run(isa: Isa) -> Option<Run> {
        Some(run_single(isa))
    }
}

impl Element for bf16 {
    const PER_STEP: usize = 2;

    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn single(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    /// The nearest, ties to even; NaN stays one.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn from_single(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        let quiet = (bits >> 16) | 0x40;
        Self::from_bits(if value.is_nan() { quiet } else { rounded } as u16)
    }

    fn singles(_numbers: &[Self]) -> Option<&[f32]> {
        None
    }

    fn spread(numbers: &[Self], out: &mut [f32]) {
        spread_brain(numbers, out);
    }

    fn part(step: &[Self], out: &mut [f32]) {
        part_brain(step, out);
    }

    fn steps<'a>(rows: &'a [[f32; COLUMNS]], copy: &'a mut [Self]) -> &'a [Self] {
        let copy = &mut copy[..rows.len() * COLUMNS];
        round_brain(rows, copy);
        copy
    }

    fn run(isa: Isa) -> Option<Run> {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => Some(avx512::brain),
            _ => None,
        }
    }
}
