//! A weight in bytes, as panels.

use std::ops::Range;

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

use super::Groups;
use crate::kernel::panels::{Line, Right, Split, columns_of_panels, shared_out};
use crate::kernel::simd::dispatch;
use crate::kernel::tile::LANES;
use crate::kernel::tile::int8::{self, Form};
use crate::kernel::weight::sizes;

/// The largest number of eight bits that has a negative.
const LARGEST: f32 = 127.0;

/// A weight `[out, in, taps]` in bytes with a scale for each output, symmetric about zero: what goes in comes out within
/// half a scale, which is 1/254 of the output's largest weight.
pub(in crate::kernel) struct Int8 {
    dims: Vec<usize>,
    pub(super) groups: Groups,
    form: Form,
    /// For each output, what a byte of its weights is worth.
    pub(super) scales: Vec<f32>,
    pub(super) panels: Vec<Panel>,
}

/// The weights of up to 48 outputs: step behind step, as [`crate::kernel::panels::Panels`] has them, the taps outermost.
pub(super) struct Panel {
    pub(super) columns: Range<usize>,
    lines: Vec<Line>,
    /// For each tap and group what a sum over it starts with in each column; nothing where that is zero.
    starts: Vec<i32>,
}

impl Int8 {
    /// The bytes of `weight`, whose numbers are finite, in a form.
    pub(in crate::kernel) fn new(weight: &[f32], dims: &[usize], form: Form) -> Self {
        let (output, input, taps) = sizes(dims);
        assert_eq!(weight.len(), output * input * taps, "the weight does not fill its slice");
        let scales: Vec<f32> = weight
            .par_chunks((input * taps).max(1))
            .map(|row| row.iter().fold(0f32, |most, value| most.max(value.abs())) / LARGEST)
            .collect();
        let groups = Groups::of(input);
        let columns: Vec<_> = columns_of_panels(Split::Even, output).collect();
        let pack = |columns: Range<usize>| {
            let width = columns.len().next_multiple_of(LANES);
            let mut lines = vec![Line::ZERO; taps * groups.run * width / size_of::<Line>()];
            let bytes = Line::bytes_mut(&mut lines);
            for (offset, column) in columns.clone().enumerate() {
                // A weight that is nothing but zeros stays so.
                let inverse = if scales[column] > 0.0 { 1.0 / scales[column] } else { 0.0 };
                for channel in 0..input {
                    let values = &weight[(column * input + channel) * taps..][..taps];
                    for (tap, value) in values.iter().enumerate() {
                        let byte = (value * inverse).round_ties_even().clamp(-LARGEST, LARGEST);
                        bytes[place(form, tap * groups.run + channel, offset, width)] =
                            byte as i8 as u8;
                    }
                }
            }
            let starts = starts(form, groups, taps, width, bytes);
            Panel { columns, lines, starts }
        };
        let panels = columns.into_par_iter().map(pack).collect();
        Self { dims: dims.to_vec(), groups, form, scales, panels }
    }

    pub(in crate::kernel) fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The form that the left side must have, too.
    pub(in crate::kernel) fn form(&self) -> Form {
        self.form
    }

    pub(super) fn taps(&self) -> usize {
        sizes(&self.dims).2
    }

    /// The weight that the bytes stand for.
    pub(in crate::kernel) fn tensor(&self) -> Result<Tensor> {
        let (output, input, taps) = sizes(&self.dims);
        let mut values = Vec::with_capacity(output * input * taps);
        for panel in &self.panels {
            let (bytes, width) = (Line::bytes(&panel.lines), panel.width());
            for (offset, column) in panel.columns.clone().enumerate() {
                for channel in 0..input {
                    values.extend((0..taps).map(|tap| {
                        let k = tap * self.groups.run + channel;
                        let byte = bytes[place(self.form, k, offset, width)] as i8;
                        f32::from(byte) * self.scales[column]
                    }));
                }
            }
        }
        Tensor::from_vec(values, &self.dims[..], &Device::Cpu)
    }
}

impl Panel {
    /// Columns with those that fill the last vector.
    pub(super) fn width(&self) -> usize {
        self.columns.len().next_multiple_of(LANES)
    }

    /// Some groups under `tap`, of those that a run is cut into.
    pub(super) fn part(&self, groups: Groups, tap: usize, part: Range<usize>) -> int8::Panel<'_> {
        let (width, run) = (self.width(), tap * groups.run);
        let (numbers, group) = (groups.numbers(part.clone()), tap * groups.count());
        let bytes = (run + numbers.start) * width..(run + numbers.end) * width;
        let starts = (group + part.start) * width..(group + part.end) * width;
        int8::Panel {
            bytes: &Line::bytes(&self.lines)[bytes],
            starts: self.starts.get(starts).unwrap_or_default(),
            vectors: width / LANES,
        }
    }
}

/// Where the byte of the depth `k` stands in a panel of `width` columns.
fn place(form: Form, k: usize, offset: usize, width: usize) -> usize {
    let each = form.per_step();
    (k / each * width + offset) * each + k % each
}

/// What takes away again that the left side's bytes are 128 too large.
fn starts(form: Form, groups: Groups, taps: usize, width: usize, bytes: &[u8]) -> Vec<i32> {
    if form == Form::Pairs {
        return Vec::new();
    }
    let mut starts = Vec::with_capacity(taps * groups.count() * width);
    for tap in 0..taps {
        for group in 0..groups.count() {
            starts.extend((0..width).map(|offset| {
                let byte = |k: usize| bytes[place(form, tap * groups.run + k, offset, width)];
                -128 * groups
                    .numbers(group..group + 1)
                    .map(|k| i32::from(byte(k) as i8))
                    .sum::<i32>()
            }));
        }
    }
    starts
}

/// The weight in single precision, for products that are none of bytes.
impl Right<f32> for Int8 {
    fn columns(&self) -> usize {
        self.dims[0]
    }

    fn depth(&self) -> usize {
        self.taps() * self.dims[1]
    }

    fn shares(&self) -> (usize, usize) {
        shared_out(Split::Even, self.dims[0])
    }

    fn lines(&self, _panel: usize, _steps: Range<usize>) -> Option<&[Line]> {
        None
    }

    fn write(&self, panel: usize, steps: Range<usize>, out: &mut [Line]) {
        self.write_single(panel, steps, Line::numbers_mut(out));
    }

    fn write_single(&self, panel: usize, steps: Range<usize>, out: &mut [f32]) {
        let panel = &self.panels[panel];
        let (width, each, input) = (panel.width(), self.form.per_step(), self.dims[1]);
        let mut scales = [0.0; 3 * LANES];
        scales[..panel.columns.len()].copy_from_slice(&self.scales[panel.columns.clone()]);
        let bytes = Line::bytes(&panel.lines);
        for (k, out) in steps.zip(out.chunks_exact_mut(width)) {
            let k = k / input * self.groups.run + k % input;
            let step = &bytes[k / each * each * width..][..each * width];
            if each == 2 {
                scaled_of_pairs(step, k % each, &scales, out);
            } else {
                scaled_of_quads(step, k % each, &scales, out);
            }
        }
    }
}

dispatch! {
    fn scaled_of_pairs(step: &[u8], part: usize, scales: &[f32], out: &mut [f32]) {
        scaled::<2>(step, part, scales, out);
    }
}

dispatch! {
    fn scaled_of_quads(step: &[u8], part: usize, scales: &[f32], out: &mut [f32]) {
        scaled::<4>(step, part, scales, out);
    }
}

/// The numbers at `part` of a step, for every column.
#[inline(always)]
#[allow(clippy::inline_always)]
fn scaled<const EACH: usize>(step: &[u8], part: usize, scales: &[f32], out: &mut [f32]) {
    let step = step.as_chunks::<EACH>().0;
    for ((out, step), scale) in out.iter_mut().zip(step).zip(scales) {
        *out = f32::from(step[part] as i8) * scale;
    }
}
