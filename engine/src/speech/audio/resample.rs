//! From any rate to 16,000 samples a second.

use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler};

use super::super::error::SpeechError;
use super::SAMPLE_RATE;

/// Frames at a time; what it is changes speed alone.
const CHUNK: usize = 1024;

/// `samples` at `rate` as samples at 16 kHz, of the same duration. What 16 kHz cannot hold is filtered
/// out first, or it would come back as another tone.
pub(super) fn to_16_khz(samples: Vec<f32>, rate: u32) -> Result<Vec<f32>, SpeechError> {
    if rate == SAMPLE_RATE || samples.is_empty() {
        return Ok(samples);
    }
    let fault = |cause: &dyn std::fmt::Display| {
        SpeechError::Unsupported(format!(
            "cannot be brought from {rate} Hz to {SAMPLE_RATE} Hz: {cause}"
        ))
    };
    let mut resampler =
        Fft::<f32>::new(rate as usize, SAMPLE_RATE as usize, CHUNK, 1, FixedSync::Both)
            .map_err(|cause| fault(&cause))?;
    let frames = samples.len();
    let input = InterleavedOwned::new_from(samples, 1, frames).map_err(|cause| fault(&cause))?;
    let output = resampler.process_all(&input, frames, None).map_err(|cause| fault(&cause))?;
    Ok(output.take_data())
}
