//! Where a mark is seen least.

use crate::dicom::Frame;

/// The share of a mark that stays where the image is flat.
const FLAT: f64 = 0.15;
/// The standard deviation of grey values around a pixel from which on all of it stays.
const BUSY: f64 = 0.05;
/// Pixels around one that are looked at, to either side: of a small image …
const SMALL_RADIUS: usize = 3;
/// … and the part of the shorter side of a large one.
const LARGE_RADIUS: usize = 128;

/// How much of a mark each pixel bears, [`FLAT`] to 1: noise hides in what varies, and is seen on flat ground
/// (texture masking).
pub(super) fn visibility(frame: &Frame) -> Vec<f64> {
    let (width, height) = (frame.width as usize, frame.height as usize);
    let radius = (width.min(height) / LARGE_RADIUS).max(SMALL_RADIUS);
    let values = Sums::of(frame, |value| value);
    let squares = Sums::of(frame, |value| value * value);
    let mut visibility = Vec::with_capacity(width * height);
    for row in 0..height {
        let rows = row.saturating_sub(radius)..(row + radius + 1).min(height);
        for column in 0..width {
            let columns = column.saturating_sub(radius)..(column + radius + 1).min(width);
            let count = (rows.len() * columns.len()) as f64;
            let mean = values.within(&rows, &columns) / count;
            let variance = squares.within(&rows, &columns) / count - mean * mean;
            let busy = variance.max(0.0).sqrt() / BUSY;
            visibility.push((FLAT + (1.0 - FLAT) * busy).min(1.0));
        }
    }
    visibility
}

/// Sums over all that lies above and to the left (an integral image: Crow, SIGGRAPH 1984).
struct Sums {
    width: usize,
    sums: Vec<f64>,
}

impl Sums {
    fn of(frame: &Frame, value: impl Fn(f64) -> f64) -> Self {
        let width = frame.width as usize + 1;
        let mut sums = vec![0.0; width * (frame.height as usize + 1)];
        for (row, pixels) in frame.pixels.chunks_exact(width - 1).enumerate() {
            let mut line = 0.0;
            for (column, pixel) in pixels.iter().enumerate() {
                line += value(f64::from(*pixel));
                let at = (row + 1) * width + column + 1;
                sums[at] = sums[at - width] + line;
            }
        }
        Self { width, sums }
    }

    fn within(&self, rows: &std::ops::Range<usize>, columns: &std::ops::Range<usize>) -> f64 {
        let at = |row: usize, column: usize| self.sums[row * self.width + column];
        at(rows.end, columns.end) + at(rows.start, columns.start)
            - at(rows.start, columns.end)
            - at(rows.end, columns.start)
    }
}
