//! The right side of a product, in the order in which tiles read it.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use super::tile::{COLUMNS, Element, LANES};

/// A vector's worth of steps, as the processor loads it.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line([u32; LANES]);

impl Line {
    pub(super) const ZERO: Self = Self([0; LANES]);

    /// The numbers that lines hold.
    pub(super) fn numbers<E: Element>(lines: &[Self]) -> &[E] {
        // SAFETY: lines are plain numbers without gaps, aligned for an element of two or four bytes, and every
        // bit pattern is one.
        #[allow(unsafe_code)]
        unsafe {
            lines.align_to::<E>().1
        }
    }

    /// As [`Self::numbers`], to be written.
    pub(super) fn numbers_mut<E: Element>(lines: &mut [Self]) -> &mut [E] {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        unsafe {
            lines.align_to_mut::<E>().1
        }
    }
}

/// What becomes of columns that fill no whole panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    /// Every panel but the last has 48 columns.
    Full,
    /// Where one vector would be left, it shares with the panel before: a tile of one vector waits for its rows.
    Even,
}

/// A matrix `[depth, columns]` in panels of 48 columns, the last ones as narrow as whole vectors allow. A panel
/// holds step behind step, a step holds its numbers for every column. What is missing at the edges is zero.
pub(super) struct Panels<E> {
    columns: usize,
    depth: usize,
    /// Panels of 48 columns; those behind them have `rest` vectors each.
    full: usize,
    rest: usize,
    lines: Vec<Line>,
    element: PhantomData<E>,
}

/// Values of the depth that are packed at a time: what they fill stays in the nearest cache.
const BLOCK: usize = 64;

impl<E: Element> Panels<E> {
    /// The matrix of `value(column, k)`.
    pub(super) fn new(
        split: Split,
        columns: usize,
        depth: usize,
        value: impl Fn(usize, usize) -> E + Sync,
    ) -> Self {
        Self::packed(split, columns, depth, |numbers, columns, width| {
            for start in (0..depth).step_by(BLOCK) {
                let end = (start + BLOCK).min(depth);
                for (offset, column) in columns.clone().enumerate() {
                    for k in start..end {
                        let place = (k / E::PER_STEP * width + offset) * E::PER_STEP;
                        numbers[place + k % E::PER_STEP] = value(column, k);
                    }
                }
            }
        })
    }

    /// The matrix whose row `k` begins with the `columns` numbers of `row(k)`.
    pub(super) fn of<'a>(
        split: Split,
        columns: usize,
        depth: usize,
        row: impl Fn(usize) -> &'a [E] + Sync,
    ) -> Self {
        Self::packed(split, columns, depth, |numbers, columns, width| {
            for (step, numbers) in numbers.chunks_exact_mut(width * E::PER_STEP).enumerate() {
                for part in 0..E::PER_STEP.min(depth - step * E::PER_STEP) {
                    let row = &row(step * E::PER_STEP + part)[columns.clone()];
                    if E::PER_STEP == 1 {
                        numbers[..row.len()].copy_from_slice(row);
                    } else {
                        for (place, value) in
                            numbers[part..].iter_mut().step_by(E::PER_STEP).zip(row)
                        {
                            *place = *value;
                        }
                    }
                }
            }
        })
    }

    /// Panels that `fill(numbers, columns, width)` fills, each with its columns and the width of a step.
    fn packed(
        split: Split,
        columns: usize,
        depth: usize,
        fill: impl Fn(&mut [E], Range<usize>, usize) + Sync,
    ) -> Self {
        let (full, rest) = shared_out(split, columns);
        let lines = vec![Line::ZERO; depth.div_ceil(E::PER_STEP) * columns.div_ceil(LANES)];
        let mut panels = Self { columns, depth, full, rest, lines, element: PhantomData };
        let steps = panels.steps();
        if steps == 0 || columns == 0 {
            return panels;
        }
        let (wide, narrow) = panels.lines.split_at_mut(full * 3 * steps);
        let wide = wide.par_chunks_mut(3 * steps);
        let narrow = narrow.par_chunks_mut((rest * steps).max(1));
        wide.chain(narrow).enumerate().for_each(|(index, lines)| {
            let width = lines.len() / steps * LANES;
            let first = first_column(full, rest, index);
            fill(Line::numbers_mut(lines), first..(first + width).min(columns), width);
        });
        panels
    }

    /// The transpose of `rows` `[columns, depth]`: a linear layer's weight.
    pub(super) fn of_rows(rows: &[E], columns: usize, depth: usize) -> Self {
        assert_eq!(rows.len(), columns * depth, "the matrix does not fill its slice");
        Self::new(Split::Even, columns, depth, |column, k| rows[column * depth + k])
    }

    /// `rows` `[depth, columns]` as they are: a linear layer's weight on the way back.
    pub(super) fn of_columns(rows: &[E], columns: usize, depth: usize) -> Self {
        assert_eq!(rows.len(), columns * depth, "the matrix does not fill its slice");
        Self::of(Split::Even, columns, depth, |k| &rows[k * columns..])
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Steps of a panel.
    pub(super) fn steps(&self) -> usize {
        self.depth.div_ceil(E::PER_STEP)
    }

    /// How many panels there are.
    pub(super) fn count(&self) -> usize {
        self.full + (self.columns.div_ceil(LANES) - 3 * self.full).div_ceil(self.rest.max(1))
    }

    /// Vectors of a step of panel `index`.
    pub(super) fn vectors(&self, index: usize) -> usize {
        if index < self.full { 3 } else { self.rest }
    }

    /// The columns of panel `index`.
    pub(super) fn columns_of(&self, index: usize) -> Range<usize> {
        let first = first_column(self.full, self.rest, index);
        first..(first + self.vectors(index) * LANES).min(self.columns)
    }

    /// Panel `index` from step `first` on.
    pub(super) fn steps_from(&self, index: usize, first: usize) -> &[Line] {
        let start = first_column(self.full, self.rest, index) / LANES * self.steps();
        let vectors = self.vectors(index);
        &self.lines[start + first * vectors..start + self.steps() * vectors]
    }

    /// The number at `column` and `k`.
    pub(super) fn get(&self, column: usize, k: usize) -> E {
        let behind = (column / COLUMNS).checked_sub(self.full);
        let index = behind.map_or(column / COLUMNS, |_| {
            self.full + (column - self.full * COLUMNS) / (self.rest * LANES)
        });
        let width = self.vectors(index) * LANES;
        let offset = column - first_column(self.full, self.rest, index);
        let place = (k / E::PER_STEP * width + offset) * E::PER_STEP + k % E::PER_STEP;
        Line::numbers::<E>(self.steps_from(index, 0))[place]
    }
}

/// The first column of panel `index`, of which `full` have 48 columns and others `rest` vectors.
fn first_column(full: usize, rest: usize, index: usize) -> usize {
    index.min(full) * COLUMNS + index.saturating_sub(full) * rest * LANES
}

/// Panels of 48 columns, and the vectors of those behind them.
fn shared_out(split: Split, columns: usize) -> (usize, usize) {
    let vectors = columns.div_ceil(LANES);
    match (vectors / 3, vectors % 3) {
        (full @ 1.., 1) if split == Split::Even => (full - 1, 2),
        (full, rest) => (full, rest),
    }
}

/// The columns of each panel that so many columns are shared out over.
pub(super) fn columns_of_panels(
    split: Split,
    columns: usize,
) -> impl Iterator<Item = Range<usize>> {
    let (full, rest) = shared_out(split, columns);
    let wide = (0..full).map(move |index| index * COLUMNS..((index + 1) * COLUMNS).min(columns));
    let narrow = (full * COLUMNS..columns).step_by((rest * LANES).max(1));
    wide.chain(narrow.map(move |first| first..(first + rest * LANES).min(columns)))
}
