//! Whether a picture has the greys of a radiograph.

use super::{Doubt, DoubtKind};
use crate::dicom::Frame;

/// Share of the picture's middle that may be wholly black or wholly white. Of 5,999 radiographs (Kermany et al.; ChestX-ray14)
/// none has more than 0.19.
const MOST_CLIPPED: f64 = 0.25;
/// Between the twentieth and the last but one twentieth of the greys, at least. Of the same radiographs one in a thousand
/// has less.
const LEAST_CONTRAST: f32 = 0.15;

/// Looks at the middle of the picture, four fifths a side: collimation and burned-in borders lie outside.
pub(super) fn doubts(frame: &Frame) -> Vec<Doubt> {
    let mut greys = middle(frame);
    if greys.is_empty() {
        return Vec::new();
    }
    let count = greys.len() as f64;
    let share =
        |holds: fn(&f32) -> bool| greys.iter().filter(|grey| holds(grey)).count() as f64 / count;
    let (black, white) = (share(|grey| *grey <= 0.0), share(|grey| *grey >= 1.0));
    let mut found = Vec::new();
    for (share, what) in [(black, "black"), (white, "white")] {
        if share > MOST_CLIPPED {
            found.push(Doubt::new(
                DoubtKind::Exposure,
                format!(
                    "{:.0} % of the picture's middle is wholly {what}; {:.0} % may be",
                    100.0 * share,
                    100.0 * MOST_CLIPPED
                ),
            ));
        }
    }
    let at = |part: f64| ((greys.len() - 1) as f64 * part) as usize;
    let (low, high) = (at(0.05), at(0.95));
    let low = *greys.select_nth_unstable_by(low, f32::total_cmp).1;
    let high = *greys.select_nth_unstable_by(high, f32::total_cmp).1;
    if found.is_empty() && high - low < LEAST_CONTRAST {
        found.push(Doubt::new(
            DoubtKind::Exposure,
            format!(
                "nine tenths of the greys lie within {:.0} % of the range; {:.0} % are expected",
                100.0 * (high - low),
                100.0 * LEAST_CONTRAST
            ),
        ));
    }
    found
}

fn middle(frame: &Frame) -> Vec<f32> {
    let (width, height) = (frame.width as usize, frame.height as usize);
    let (left, top) = (width / 10, height / 10);
    frame
        .pixels
        .chunks_exact(width.max(1))
        .skip(top)
        .take(height - 2 * top)
        .flat_map(|row| &row[left..width - left])
        .copied()
        .collect()
}
