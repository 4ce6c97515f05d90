//! What the network hears: the logarithm of the sound's energy in bands of the mel scale.
//!
//! The figures of transformers' `WhisperFeatureExtractor`: windows of 25 ms every 10 ms, bands by
//! Slaney's formulas (Auditory Toolbox, 1998), base-10 logarithm, eight decades at most, scaled.

use candle_core::{Device, Result, Tensor};
use realfft::RealFftPlanner;

use super::audio::SAMPLE_RATE;

/// Samples of a window: 25 ms.
const WINDOW: usize = 400;
/// Samples from a window to the next: 10 ms.
pub(super) const HOP: usize = 160;
/// Frequencies of a window's spectrum.
const FREQUENCIES: usize = WINDOW / 2 + 1;
/// Energy below which everything is the same silence.
const FLOOR: f64 = 1e-10;

/// Turns samples into mel bands. It is made once for a model.
pub struct MelSpectrogram {
    bands: usize,
    /// `bands × FREQUENCIES`, row by row.
    filters: Vec<f64>,
    /// Hann's window.
    window: Vec<f64>,
    transform: std::sync::Arc<dyn realfft::RealToComplex<f64>>,
}

impl MelSpectrogram {
    /// For `bands` bands: 80, or 128 in the largest models.
    pub fn new(bands: usize) -> Self {
        let window = (0..WINDOW)
            .map(|n| 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / WINDOW as f64).cos())
            .collect();
        let transform = RealFftPlanner::new().plan_fft_forward(WINDOW);
        Self { bands, filters: filters(bands), window, transform }
    }

    /// `samples` at 16 kHz, padded with silence or cut to `length` samples, as
    /// `[1, bands, length / 160]`.
    ///
    /// # Errors
    /// Where `length` is shorter than a window.
    pub fn compute(&self, samples: &[f32], length: usize, device: &Device) -> Result<Tensor> {
        if length < WINDOW {
            candle_core::bail!("a spectrogram needs {WINDOW} samples at least")
        }
        let padded = reflected(samples, length);
        let frames = length / HOP;
        let mut spectrum = self.transform.make_output_vec();
        let mut scratch = self.transform.make_scratch_vec();
        let mut frame = vec![0.0; WINDOW];
        let mut values = vec![0f64; self.bands * frames];
        let mut power = [0f64; FREQUENCIES];
        for index in 0..frames {
            let part = &padded[index * HOP..index * HOP + WINDOW];
            for (value, (sample, weight)) in frame.iter_mut().zip(part.iter().zip(&self.window)) {
                *value = sample * weight;
            }
            self.transform
                .process_with_scratch(&mut frame, &mut spectrum, &mut scratch)
                .map_err(candle_core::Error::wrap)?;
            for (power, value) in power.iter_mut().zip(&spectrum) {
                *power = value.norm_sqr();
            }
            for (band, filter) in self.filters.chunks_exact(FREQUENCIES).enumerate() {
                let energy: f64 =
                    filter.iter().zip(&power).map(|(weight, power)| weight * power).sum();
                values[band * frames + index] = energy.max(FLOOR).log10();
            }
        }
        let loudest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let values: Vec<f32> = values
            .into_iter()
            .map(|value| ((value.max(loudest - 8.0) + 4.0) / 4.0) as f32)
            .collect();
        Tensor::from_vec(values, (1, self.bands, frames), device)
    }
}

/// `samples` in `length`, with half a window before and after that mirrors what lies inside.
fn reflected(samples: &[f32], length: usize) -> Vec<f64> {
    let half = WINDOW / 2;
    let at = |index: usize| samples.get(index).map_or(0.0, |sample| f64::from(*sample));
    let mut padded = Vec::with_capacity(length + WINDOW);
    padded.extend((1..=half).rev().map(at));
    padded.extend((0..length).map(at));
    padded.extend((0..half).map(|index| at(length - 2 - index)));
    padded
}

/// Hertz to mel: linear to 1,000 Hz, logarithmic above.
fn mel_of(hertz: f64) -> f64 {
    if hertz < 1000.0 {
        hertz * 3.0 / 200.0
    } else {
        15.0 + (hertz / 1000.0).ln() * 27.0 / 6.4f64.ln()
    }
}

/// The inverse of [`mel_of`].
fn hertz_of(mel: f64) -> f64 {
    if mel < 15.0 { mel * 200.0 / 3.0 } else { 1000.0 * (6.4f64.ln() / 27.0 * (mel - 15.0)).exp() }
}

/// Triangles between neighbouring bands, each of the same area.
fn filters(bands: usize) -> Vec<f64> {
    let highest = f64::from(SAMPLE_RATE) / 2.0;
    let edge = |index: usize| hertz_of(mel_of(highest) * index as f64 / (bands + 1) as f64);
    let mut filters = Vec::with_capacity(bands * FREQUENCIES);
    for band in 0..bands {
        let (low, middle, high) = (edge(band), edge(band + 1), edge(band + 2));
        filters.extend((0..FREQUENCIES).map(|frequency| {
            let hertz = highest * frequency as f64 / (FREQUENCIES - 1) as f64;
            let rising = (hertz - low) / (middle - low);
            let falling = (high - hertz) / (high - middle);
            rising.min(falling).max(0.0) * 2.0 / (high - low)
        }));
    }
    filters
}
