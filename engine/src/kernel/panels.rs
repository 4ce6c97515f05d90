//! The right side of a product, in the order in which tiles read it.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use super::tile::{COLUMNS, Element, LANES};
use super::turn::turn;

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

    /// The bytes that lines hold.
    pub(super) fn bytes(lines: &[Self]) -> &[u8] {
        // SAFETY: as above, for bytes.
        #[allow(unsafe_code)]
        unsafe {
            lines.align_to().1
        }
    }

    /// As [`Self::bytes`], to be written.
    pub(super) fn bytes_mut(lines: &mut [Self]) -> &mut [u8] {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        unsafe {
            lines.align_to_mut().1
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

    /// The number at `column` and `k`.
    pub(super) fn get(&self, column: usize, k: usize) -> E {
        let (panel, offset) = self.place(column);
        let width = self.vectors(panel) * LANES;
        let place = (k / E::PER_STEP * width + offset) * E::PER_STEP + k % E::PER_STEP;
        Line::numbers::<E>(self.panel(panel))[place]
    }

    /// The panel of a column, and where it stands there.
    fn place(&self, column: usize) -> (usize, usize) {
        let behind = column.checked_sub(self.full * COLUMNS).filter(|_| self.rest > 0);
        let panel =
            behind.map_or(column / COLUMNS, |column| self.full + column / (self.rest * LANES));
        (panel, column - first_column(self.full, self.rest, panel))
    }

    /// Numbers of `panel` that lie behind each other, those of `steps`; and from one step to the next.
    pub(super) fn steps_of(&self, panel: usize, steps: Range<usize>) -> (&[E], usize) {
        (Line::numbers(self.part(panel, steps)), self.vectors(panel) * LANES * E::PER_STEP)
    }

    /// All steps of `panel`.
    fn panel(&self, panel: usize) -> &[Line] {
        let start = first_column(self.full, self.rest, panel) / LANES * self.steps();
        &self.lines[start..start + self.steps() * self.vectors(panel)]
    }

    /// Some steps of `panel`.
    fn part(&self, panel: usize, steps: Range<usize>) -> &[Line] {
        let vectors = self.vectors(panel);
        &self.panel(panel)[steps.start * vectors..steps.end * vectors]
    }
}

/// The right side of a product.
pub(super) trait Right<E: Element>: Sync {
    fn columns(&self) -> usize;

    fn depth(&self) -> usize;

    /// Panels of 48 columns, and the vectors of those behind them.
    fn shares(&self) -> (usize, usize);

    /// Steps of `panel` as they lie in memory, where they do.
    fn lines(&self, panel: usize, steps: Range<usize>) -> Option<&[Line]>;

    /// Writes steps of `panel` out.
    fn write(&self, panel: usize, steps: Range<usize>, out: &mut [Line]);

    /// Writes steps of `panel` out in single precision, as steps of one number.
    fn write_single(&self, panel: usize, steps: Range<usize>, out: &mut [f32]);

    /// Steps of a panel.
    fn steps(&self) -> usize {
        self.depth().div_ceil(E::PER_STEP)
    }

    /// How many panels there are.
    fn count(&self) -> usize {
        let (full, rest) = self.shares();
        full + (self.columns().div_ceil(LANES) - 3 * full).div_ceil(rest.max(1))
    }

    /// Vectors of a step of `panel`.
    fn vectors(&self, panel: usize) -> usize {
        let (full, rest) = self.shares();
        if panel < full { 3 } else { rest }
    }

    /// The columns of `panel`.
    fn columns_of(&self, panel: usize) -> Range<usize> {
        let (full, rest) = self.shares();
        let first = first_column(full, rest, panel);
        first..(first + self.vectors(panel) * LANES).min(self.columns())
    }
}

impl<E: Element> Right<E> for Panels<E> {
    fn columns(&self) -> usize {
        self.columns
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn shares(&self) -> (usize, usize) {
        (self.full, self.rest)
    }

    fn lines(&self, panel: usize, steps: Range<usize>) -> Option<&[Line]> {
        Some(self.part(panel, steps))
    }

    fn write(&self, panel: usize, steps: Range<usize>, out: &mut [Line]) {
        out.copy_from_slice(self.part(panel, steps));
    }

    fn write_single(&self, panel: usize, steps: Range<usize>, out: &mut [f32]) {
        let step = self.vectors(panel) * LANES * E::PER_STEP;
        let numbers = Line::numbers(self.part(panel, steps));
        for (numbers, out) in numbers.chunks_exact(step).zip(out.chunks_exact_mut(step)) {
            E::part(numbers, out);
        }
    }
}

/// The weight of a convolution `[taps × in, out]` as its gradient's product wants it: `[taps × out, in]`, with the kernel
/// turned by half a turn. It is read out of the panels as it is needed, for a second copy of a model's weights would
/// need as much memory again.
pub(super) struct Turned<'a, E> {
    panels: &'a Panels<E>,
    /// Columns: what comes in.
    input: usize,
    taps: usize,
}

impl<'a, E: Element> Turned<'a, E> {
    pub(super) fn new(panels: &'a Panels<E>, taps: usize) -> Self {
        Self { panels, input: panels.depth / taps, taps }
    }

    /// Calls `block` for every run of `depths` that lies in one panel: with the columns' numbers of that panel, from the
    /// first column of `panel` on, each `width` numbers behind the last; and with where the run begins there, its
    /// length, and where it begins in `depths`.
    fn runs(
        &self,
        panel: usize,
        depths: Range<usize>,
        mut block: impl FnMut(Source<'_, E>, usize),
    ) {
        let output = self.panels.columns;
        let first = self.columns_of(panel).start;
        let mut depth = depths.start;
        while depth < depths.end.min(self.depth()) {
            let (tap, column) = (self.taps - 1 - depth / output, depth % output);
            let (from, offset) = self.panels.place(column);
            let columns = self.panels.columns_of(from);
            let length = (columns.end - column).min(depths.end - depth);
            let width = self.panels.vectors(from) * LANES;
            let numbers = Line::numbers(self.panels.panel(from));
            let source = Source { numbers, width, offset, length, first: tap * self.input + first };
            block(source, depth - depths.start);
            depth += length;
        }
    }
}

/// A run of columns in a panel.
struct Source<'a, E> {
    numbers: &'a [E],
    /// Columns of the panel.
    width: usize,
    /// The first column, and how many there are.
    offset: usize,
    length: usize,
    /// The depth of the first number of each.
    first: usize,
}

impl<E: Element> Source<'_, E> {
    /// The number at the depth `first + k` of column `offset + column`.
    fn get(&self, column: usize, k: usize) -> E {
        let k = self.first + k;
        let step = k / E::PER_STEP * self.width + self.offset + column;
        self.numbers[step * E::PER_STEP + k % E::PER_STEP]
    }
}

impl<E: Element> Right<E> for Turned<'_, E> {
    fn columns(&self) -> usize {
        self.input
    }

    fn depth(&self) -> usize {
        self.taps * self.panels.columns
    }

    fn shares(&self) -> (usize, usize) {
        shared_out(Split::Even, self.input)
    }

    fn lines(&self, _panel: usize, _steps: Range<usize>) -> Option<&[Line]> {
        None
    }

    fn write(&self, panel: usize, steps: Range<usize>, out: &mut [Line]) {
        if E::PER_STEP == 1 {
            return self.write_single(panel, steps, Line::numbers_mut(out));
        }
        let width = self.vectors(panel) * LANES;
        let columns = self.columns_of(panel).len();
        let out = Line::numbers_mut::<E>(out);
        out.fill(E::default());
        let depths = steps.start * E::PER_STEP..steps.end * E::PER_STEP;
        self.runs(panel, depths, |source, start| {
            for place in 0..source.length {
                let k = start + place;
                let row = &mut out[k / E::PER_STEP * width * E::PER_STEP..];
                for column in 0..columns {
                    row[column * E::PER_STEP + k % E::PER_STEP] = source.get(place, column);
                }
            }
        });
    }

    fn write_single(&self, panel: usize, steps: Range<usize>, out: &mut [f32]) {
        let width = self.vectors(panel) * LANES;
        let columns = self.columns_of(panel).len();
        if columns < width || !self.depth().is_multiple_of(E::PER_STEP) {
            out.fill(0.0);
        }
        let depths = steps.start * E::PER_STEP..steps.end * E::PER_STEP;
        self.runs(panel, depths, |source, start| {
            let out = &mut out[start * width..];
            if let Some(numbers) = E::singles(source.numbers) {
                let numbers = &numbers[source.first * source.width + source.offset..];
                let row = |k| &numbers[k * source.width..];
                turn(source.length, columns, row, out, width);
                return;
            }
            for (place, out) in out.chunks_exact_mut(width).take(source.length).enumerate() {
                for (column, out) in out[..columns].iter_mut().enumerate() {
                    *out = source.get(place, column).single();
                }
            }
        });
    }
}

/// The first column of panel `index`, of which `full` have 48 columns and others `rest` vectors.
fn first_column(full: usize, rest: usize, index: usize) -> usize {
    index.min(full) * COLUMNS + index.saturating_sub(full) * rest * LANES
}

/// Panels of 48 columns, and the vectors of those behind them.
pub(super) fn shared_out(split: Split, columns: usize) -> (usize, usize) {
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
