//! The mark that no eye sees: spread over the low cosines of a whole image, found by who has the key.
//!
//! An image is looked at as a sum of cosines over its whole width and height (a discrete cosine transform of
//! type II). A cosine of so many half waves stays itself when the image is resized, whatever the size; JPEG
//! keeps the low ones; a window multiplies them all by the same number. Each cosine of the band is raised or
//! lowered a little, as the key draws (spread spectrum: Cox, Kilian, Leighton and Shamoon, IEEE Transactions on
//! Image Processing 6, 1997), less where the image is smooth and the mark could be seen.
//!
//! Who looks needs no original. Every cosine is divided by what its neighbours weigh, so that no rib and no
//! lung field outweighs the others, and then held against the key's signs. Over keys drawn at random, what
//! comes out of any image that was made without the key exceeds t with a probability of at most
//! 2 exp(-t²/2) (Hoeffding 1963, theorem 2). It is a bound, and no model of radiographs is in it.

mod activity;
mod cosines;
mod key;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use crate::dicom::Frame;

use self::activity::visibility;
use self::cosines::{Coefficients, MOST, analyse, synthesise};
pub use self::key::{Key, KeyError, SHORTEST_SECRET};

/// Name of this way of marking, for provenance: another band, weight or order of signs is another name.
pub const SCHEME: &str = "skiagraph-dct-1";
/// The largest probability of a false alarm for one image that was not marked with the key.
pub const FALSE_ALARM: f64 = 1e-6;
/// The shortest side of an image that can be marked, in pixels.
pub const SHORTEST_SIDE: u32 = 32;

/// Half waves across the image, by their root sum of squares, of the lowest and of the highest cosine. Below
/// lies the anatomy that all images of a view share; above, what half the size of a small image loses.
const BAND: (f64, f64) = (16.0, 56.0);
/// The share of an image's pixels, along a side, up to which cosines are read: those near the end of what so few
/// pixels can hold are what resizing wears out.
const RESOLVED: f64 = 0.9;
/// Neighbours to either side that say how much a cosine weighs.
const NEIGHBOURS: usize = 2;
/// What a cosine weighs at least: a flat image has none, and rounding is not read for one.
const FAINTEST: f64 = 1e-9;
/// The score to which an image is marked, far enough beyond the threshold for what it goes through later.
const GOAL: f64 = 12.0;
/// Peak signal-to-noise ratios in decibels from which and to which the mark is made stronger.
const PSNR: (f64, f64) = (54.0, 42.5);
/// Factor from one strength to the next.
const STRONGER: f64 = 1.05;

/// What was found in an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// How far the image agrees with the key, in standard deviations of an image that knows nothing of it.
    /// Negative where black and white are exchanged.
    pub score: f64,
    /// Whether the image bears the mark: the score lies beyond [`threshold`], on either side.
    pub found: bool,
    /// The largest probability of such a score, or a greater one, without the mark.
    pub false_alarm: f64,
}

/// The score beyond which the mark is there: for [`FALSE_ALARM`], about 5.39.
pub fn threshold() -> f64 {
    static THRESHOLD: OnceLock<f64> = OnceLock::new();
    *THRESHOLD.get_or_init(|| (2.0 * (2.0 / FALSE_ALARM).ln()).sqrt())
}

/// The frame with the mark of `key` in it; none where a side is shorter than [`SHORTEST_SIDE`], the pixels are not
/// as many as the sides say, or the mark would not be found again in eight bits: no image is said to bear what it
/// does not.
///
/// The same frame and key give the same marked frame.
pub fn embed(frame: &Frame, key: &Key) -> Option<Frame> {
    if frame.width.min(frame.height) < SHORTEST_SIDE {
        return None;
    }
    let host = analyse(frame)?;
    let band = Band::of(frame);
    let signs = key.signs();
    let mut mark =
        synthesise(&band.mark(&host, &signs), frame.width as usize, frame.height as usize);
    for (value, seen) in mark.iter_mut().zip(visibility(frame)) {
        *value *= seen;
    }
    // Of mean square 1, so that a strength is a root mean squared error.
    let power = mark.iter().map(|value| value * value).sum::<f64>() / mark.len() as f64;
    let scale = 1.0 / power.sqrt().max(f64::MIN_POSITIVE);
    for value in &mut mark {
        *value *= scale;
    }
    let added =
        analyse(&Frame { pixels: mark.iter().map(|value| *value as f32).collect(), ..*frame })?;
    let [weakest, strongest] = [PSNR.0, PSNR.1].map(|decibels| 10.0_f64.powf(-decibels / 20.0));
    let mut strength = weakest;
    while strength * STRONGER <= strongest {
        let marked: Coefficients =
            host.iter().zip(&added).map(|(host, added)| host + strength * added).collect();
        if band.score(&marked, &signs) >= GOAL {
            break;
        }
        strength *= STRONGER;
    }
    let pixels = frame
        .pixels
        .iter()
        .zip(&mark)
        .map(|(pixel, mark)| (f64::from(*pixel) + strength * mark).clamp(0.0, 1.0) as f32);
    let marked = Frame { pixels: pixels.collect(), ..*frame };
    // What was clamped or is rounded away was not seen above.
    let written = marked.pixels.iter().map(|pixel| (pixel * 255.0).round() / 255.0);
    let written = Frame { pixels: written.collect(), ..*frame };
    detect(&written, key)?.found.then_some(marked)
}

/// Looks for the mark of `key`; nothing is found out where the frame has no pixels, or not as many as its sides say.
pub fn detect(frame: &Frame, key: &Key) -> Option<Detection> {
    Spectrum::of(frame).map(|spectrum| spectrum.detect(key))
}

/// What there is to be seen of marks in an image, whatever the key: for who looks with several.
#[derive(Debug, Clone)]
pub struct Spectrum {
    band: Band,
    coefficients: Coefficients,
}

impl Spectrum {
    /// Of a frame; none where [`detect`] finds out nothing.
    pub fn of(frame: &Frame) -> Option<Self> {
        Some(Self { coefficients: analyse(frame)?, band: Band::of(frame) })
    }

    /// Looks for the mark of `key`.
    pub fn detect(&self, key: &Key) -> Detection {
        let score = self.band.score(&self.coefficients, &key.signs());
        // Hoeffding 1963, theorem 2, for both sides.
        let false_alarm = (2.0 * (-0.5 * score * score).exp()).min(1.0);
        Detection { score, found: score.abs() > threshold(), false_alarm }
    }
}

/// The cosines of an image in which the mark lies, by their place in [`Coefficients`]: how much each counts, the square
/// of its half waves, and nothing outside. Radiographs weigh less the finer they are looked at, so a mark of the
/// same strength is the plainer there.
#[derive(Debug, Clone)]
struct Band(Vec<f64>);

impl Band {
    fn of(frame: &Frame) -> Self {
        let most = |side: u32| RESOLVED * f64::from(side);
        let (columns, rows) = (most(frame.width), most(frame.height));
        let counts = |down: f64, across: f64| {
            let squares = down * down + across * across;
            let inside = (BAND.0..=BAND.1).contains(&squares.sqrt());
            if inside && across < columns && down < rows { squares } else { 0.0 }
        };
        let place = |index: usize| counts((index / MOST + 1) as f64, (index % MOST + 1) as f64);
        Self((0..MOST * MOST).map(place).collect())
    }

    /// The signs of a mark, each as strong as its cosine is weak in the host: what agrees best with the signs
    /// for an error of the same size.
    fn mark(&self, host: &[f64], signs: &[f64]) -> Coefficients {
        let strength = |index: usize| {
            if self.0[index] > 0.0 { signs[index] / self.weight(host, index) } else { 0.0 }
        };
        (0..host.len()).map(strength).collect()
    }

    /// The correlation of `coefficients` with `signs`, in standard deviations over signs drawn at random.
    fn score(&self, coefficients: &[f64], signs: &[f64]) -> f64 {
        let (mut sum, mut squares) = (0.0, 0.0);
        for (index, counts) in self.0.iter().enumerate() {
            if *counts > 0.0 {
                let even = counts * coefficients[index] / self.weight(coefficients, index);
                sum += signs[index] * even;
                squares += even * even;
            }
        }
        if squares > 0.0 { sum / squares.sqrt() } else { 0.0 }
    }

    /// The root mean square of a cosine and its neighbours in the band.
    fn weight(&self, coefficients: &[f64], index: usize) -> f64 {
        let near =
            |place: usize| place.saturating_sub(NEIGHBOURS)..=(place + NEIGHBOURS).min(MOST - 1);
        let (mut squares, mut count) = (0.0, 0.0);
        for down in near(index / MOST) {
            for across in near(index % MOST) {
                let neighbour = down * MOST + across;
                if self.0[neighbour] > 0.0 {
                    squares += coefficients[neighbour] * coefficients[neighbour];
                    count += 1.0;
                }
            }
        }
        FAINTEST + (squares / f64::max(count, 1.0)).sqrt()
    }
}
