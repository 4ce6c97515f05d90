//! Resampling of 8-bit images as Pillow does it, to the last bit.
//!
//! Pillow filters rows first and columns then, with weights in fixed point of 22 fractional bits, and rounds
//! to 8 bits between (its `Resample.c`). An encoder was trained on such images, and its processor gives it
//! such images.

/// How a resampled value is made of its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    Bilinear,
    Bicubic,
    Lanczos,
}

impl Filter {
    /// By Pillow's number.
    pub(super) fn numbered(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Lanczos),
            2 => Some(Self::Bilinear),
            3 => Some(Self::Bicubic),
            _ => None,
        }
    }

    /// How far it reaches, in pixels of the smaller image.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The weight at the distance `x`.
    fn weight(self, x: f64) -> f64 {
        let x = x.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            // Keys' cubic with a = −0.5.
            Self::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
            Self::Lanczos if x < 3.0 => sinc(x) * sinc(x / 3.0),
            Self::Bicubic | Self::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
}

/// Fractional bits of a weight: 8 bits of a value, 2 for what a filter overshoots, and 22 are 32.
const PRECISION: u32 = 22;

/// The source of one resampled value along an axis.
struct Window {
    first: usize,
    /// In fixed point.
    weights: Vec<i32>,
}

/// The windows of every value when `from` values become `to`.
fn windows(from: usize, to: usize, filter: Filter) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    // Reduction widens the filter, so that nothing aliases.
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    let window = |index: usize| {
        let centre = (index as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let weights: Vec<f64> = (first..end)
            .map(|source| filter.weight((source as f64 - centre + 0.5) / stretch))
            .collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: f64| {
            let weight = if sum == 0.0 { weight } else { weight / sum };
            (weight * f64::from(1_u32 << PRECISION)).round() as i32
        };
        Window { first, weights: weights.into_iter().map(fixed).collect() }
    };
    (0..to).map(window).collect()
}

/// One value out of a window; `at` gives the window's values.
fn filtered(window: &Window, at: impl Fn(usize) -> u8) -> u8 {
    let half = 1_i64 << (PRECISION - 1);
    let sum = window.weights.iter().enumerate().fold(half, |sum, (index, weight)| {
        sum + i64::from(*weight) * i64::from(at(window.first + index))
    });
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// `pixels` of `width × height`, row by row, as `to_width × to_height`. No side may be zero.
pub(super) fn resample(
    pixels: &[u8],
    (width, height): (usize, usize),
    (to_width, to_height): (usize, usize),
    filter: Filter,
) -> Vec<u8> {
    let columns = windows(width, to_width, filter);
    let narrowed: Vec<u8> = if width == to_width {
        pixels.to_vec()
    } else {
        let rows = pixels.chunks_exact(width);
        rows.flat_map(|row| columns.iter().map(|window| filtered(window, |x| row[x]))).collect()
    };
    if height == to_height {
        return narrowed;
    }
    let rows = windows(height, to_height, filter);
    let values = rows.iter().flat_map(|window| {
        let narrowed = &narrowed;
        (0..to_width).map(move |x| filtered(window, |y| narrowed[y * to_width + x]))
    });
    values.collect()
}
