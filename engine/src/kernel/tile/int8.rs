//! Tiles whose products are of bytes with a sign, summed as whole numbers of 32 bits over a group of steps, and then
//! scaled.
//!
//! A sum of whole numbers is exact, in whatever order: every path gives the same bits.

use super::{COLUMNS, LANES, ROWS, Tile, portable};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::kernel::isa::Isa;

/// How a path wants its numbers. A step is four bytes of a row either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kernel) enum Form {
    /// Two numbers of a row, in 16 bits each.
    Pairs,
    /// Four numbers of a row, in a byte each, 128 above what they are: the instruction takes one side without a sign. What
    /// that adds to a sum, the right side knows beforehand.
    Quads,
}

impl Form {
    /// The form of a path.
    pub(in crate::kernel) fn of(isa: Isa) -> Self {
        match isa {
            Isa::Portable | Isa::Avx2 | Isa::Avx512 => Self::Pairs,
            Isa::Avx512Vnni | Isa::Avx512Bf16 => Self::Quads,
        }
    }

    /// Numbers of a step.
    pub(in crate::kernel) fn per_step(self) -> usize {
        match self {
            Self::Pairs => 2,
            Self::Quads => 4,
        }
    }
}

/// `tile[r][c] += scales[r] · (start[c] + Σ rows[r][step] · panel[step][c])` over `steps` (at least one), for the first
/// `16 × vectors` columns; product and sum with the scales are rounded each by itself. A step of the panel holds as many
/// bytes for each column as a step of a row holds numbers. Pairs start with nothing.
///
/// # Safety
/// Every pointer in `rows` must lead to `steps` readable steps of four bytes, `panel` to as many steps of `16 × vectors`
/// columns, `start` to as many numbers unless the path is one of pairs, `vectors` must be 1, 2 or 3, and the processor must
/// have what the path needs.
type Run = unsafe fn(
    rows: &[*const u32; ROWS],
    steps: usize,
    panel: *const u8,
    vectors: usize,
    start: *const i32,
    scales: &[f32; ROWS],
    tile: &mut Tile,
);

fn run(isa: Isa, form: Form) -> Run {
    match (form, isa) {
        #[cfg(target_arch = "x86_64")]
        (Form::Quads, Isa::Avx512Vnni | Isa::Avx512Bf16) => avx512::bytes,
        #[cfg(target_arch = "x86_64")]
        (Form::Pairs, Isa::Avx2 | Isa::Avx512 | Isa::Avx512Vnni | Isa::Avx512Bf16) => avx2::pairs,
        (Form::Pairs, _) => portable::pairs,
        (Form::Quads, _) => portable::bytes,
    }
}

/// The sums of a group, a row behind the other.
#[repr(C, align(64))]
pub(super) struct IntTile(pub(super) [[i32; COLUMNS]; ROWS]);

impl IntTile {
    /// Every row with the numbers of `start` in its first columns.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    pub(super) fn starting(start: &[i32]) -> Self {
        let mut sums = Self([[0; COLUMNS]; ROWS]);
        for row in &mut sums.0 {
            row[..start.len()].copy_from_slice(start);
        }
        sums
    }

    /// `tile += scales × sums`.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    pub(super) fn add_to(&self, tile: &mut Tile, scales: &[f32; ROWS], vectors: usize) {
        for ((tile, sums), scale) in tile.0.iter_mut().zip(&self.0).zip(scales) {
            let (tile, sums) = (tile.as_chunks_mut::<LANES>().0, sums.as_chunks::<LANES>().0);
            for (tile, sums) in tile.iter_mut().zip(sums).take(vectors) {
                for (value, sum) in tile.iter_mut().zip(sums) {
                    // A group's sum has fewer than 24 bits.
                    *value += scale * *sum as f32;
                }
            }
        }
    }
}

/// The left side: eight rows as steps, each with a scale for every group.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Left<'a> {
    pub(in crate::kernel) rows: [&'a [u32]; ROWS],
    pub(in crate::kernel) scales: [&'a [f32]; ROWS],
}

/// The right side, as deep as the rows are long.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Panel<'a> {
    pub(in crate::kernel) bytes: &'a [u8],
    /// What the sums of each group start with, in each column; nothing for pairs.
    pub(in crate::kernel) starts: &'a [i32],
    pub(in crate::kernel) vectors: usize,
}

/// Adds to `tile` the products of eight rows with a panel, both of `form` and cut into groups of `length` steps, by the path
/// of `isa`.
pub(in crate::kernel) fn accumulate(
    (isa, form): (Isa, Form),
    length: usize,
    left: Left,
    panel: Panel,
    tile: &mut Tile,
) {
    let Panel { bytes, starts, vectors } = panel;
    let steps = left.rows[0].len();
    assert!(isa.is_available(), "the processor has no {}", isa.name());
    assert!((1..=3).contains(&vectors), "a tile is one to three vectors wide");
    assert!(left.rows.iter().all(|row| row.len() == steps), "rows of several lengths");
    let (width, groups) = (LANES * vectors, steps.div_ceil(length));
    let step = form.per_step() * width;
    assert!(bytes.len() == steps * step, "the panel is not as deep as the rows are long");
    assert!(form == Form::Pairs || starts.len() == groups * width, "sums have no start");
    assert!(left.scales.iter().all(|scales| scales.len() == groups), "a group has no scale");
    let run = run(isa, form);
    for group in 0..groups {
        let (first, end) = (group * length, ((group + 1) * length).min(steps));
        let scales = left.scales.map(|scales| scales[group]);
        // SAFETY: rows, panel and starts were just seen to hold every step of every group, of which this is one and not
        // empty; the path is available.
        #[allow(unsafe_code)]
        unsafe {
            let rows = left.rows.map(|row| row.as_ptr().add(first));
            let start = match form {
                Form::Pairs => std::ptr::null(),
                Form::Quads => starts.as_ptr().add(group * width),
            };
            let bytes = bytes.as_ptr().add(first * step);
            run(&rows, end - first, bytes, vectors, start, &scales, tile);
        }
    }
}
