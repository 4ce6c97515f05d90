//! Sound as the network takes it: one channel, 16,000 samples a second, within limits.

mod container;
mod opus;
mod resample;
mod whole;

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::SpeechError;

/// Samples a second that Whisper was trained on.
pub const SAMPLE_RATE: u32 = 16_000;

/// Sound quieter than this everywhere is taken for a microphone that was off: −60 dB of full scale.
const SILENCE: f32 = 1e-3;
/// The shortest sound that can hold a word, in samples: a tenth of a second.
const SHORTEST: usize = SAMPLE_RATE as usize / 10;

/// How much sound is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Seconds of sound.
    pub seconds: u32,
}

impl Default for Limits {
    /// A minute, and what a minute takes as uncompressed stereo of 24 bits at 48 kHz.
    fn default() -> Self {
        Self { bytes: 18 << 20, seconds: 60 }
    }
}

/// What a container gives before it is made mono and resampled.
struct Decoded {
    /// Samples of all channels mixed into one, −1 to 1.
    mono: Vec<f32>,
    /// Samples a second.
    rate: u32,
}

/// Mono sound at [`SAMPLE_RATE`], −1 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    samples: Vec<f32>,
}

impl Clip {
    /// Reads a WAV (PCM of 8 to 32 bits, float), OGG (Vorbis, Opus) or WebM (Opus, Vorbis) file.
    ///
    /// # Errors
    /// [`SpeechError::TooLarge`] beyond `limits`, found while decoding; [`SpeechError::Unsupported`]
    /// for another container or codec; [`SpeechError::Audio`] where the file is empty, cut off,
    /// damaged, silent or too short.
    pub fn read(bytes: &[u8], limits: Limits) -> Result<Self, SpeechError> {
        if bytes.is_empty() {
            return Err(SpeechError::audio("the file is empty"));
        }
        if bytes.len() > limits.bytes {
            return Err(SpeechError::TooLarge(format!(
                "the file has more than {} bytes",
                limits.bytes
            )));
        }
        // The decoders of others read bytes from anywhere, and a codec is a large state machine: a
        // panic in one must refuse the file and not end a server's thread. Nothing outlives it.
        catch_unwind(AssertUnwindSafe(|| Self::read_whole(bytes, limits)))
            .unwrap_or_else(|_| Err(SpeechError::audio("the file is damaged: its codec gave up")))
    }

    fn read_whole(bytes: &[u8], limits: Limits) -> Result<Self, SpeechError> {
        let container = whole::container(bytes)?;
        let decoded = container::decode(bytes, container, limits)?;
        Self::from_samples(decoded.mono, decoded.rate, limits)
    }

    /// Mono samples, −1 to 1, at `rate` a second.
    ///
    /// # Errors
    /// As [`Self::read`]; also where a sample is no number.
    pub fn from_samples(samples: Vec<f32>, rate: u32, limits: Limits) -> Result<Self, SpeechError> {
        container::check_rate(rate)?;
        if samples.len() as u64 > u64::from(limits.seconds) * u64::from(rate) {
            return Err(too_long(limits));
        }
        if samples.iter().any(|sample| !sample.is_finite()) {
            return Err(SpeechError::audio("a sample is not a number"));
        }
        let samples = resample::to_16_khz(samples, rate)?;
        if samples.len() < SHORTEST {
            return Err(SpeechError::audio("is shorter than a tenth of a second"));
        }
        if is_silent(&samples) {
            return Err(SpeechError::audio("is silent: check the microphone"));
        }
        Ok(Self { samples })
    }

    /// The samples.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// How long it is.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(SAMPLE_RATE)
    }

    /// The clip in stretches of at most `longest` samples, each cut where it is quietest in the last
    /// sixth, so that no word is cut in two. Stretches in which nothing sounds are left out: Whisper
    /// hears thanks in silence.
    pub(super) fn windows(&self, longest: usize) -> Vec<&[f32]> {
        /// Samples over which loudness is measured: a tenth of a second.
        const BREATH: usize = SAMPLE_RATE as usize / 10;
        let mut windows = Vec::new();
        let mut rest = self.samples.as_slice();
        while rest.len() > longest {
            let first = longest - longest / 6;
            let loudness = |at: usize| -> f32 {
                rest[at..(at + BREATH).min(rest.len())].iter().map(|sample| sample * sample).sum()
            };
            let quietest = (first..longest.saturating_sub(BREATH).max(first + 1))
                .step_by(BREATH / 4)
                .min_by(|a, b| loudness(*a).total_cmp(&loudness(*b)))
                .unwrap_or(first);
            let (window, after) = rest.split_at((quietest + BREATH / 2).min(longest));
            windows.push(window);
            rest = after;
        }
        windows.push(rest);
        windows.retain(|window| !is_silent(window));
        windows
    }
}

fn is_silent(samples: &[f32]) -> bool {
    samples.iter().all(|sample| sample.abs() < SILENCE)
}

fn too_long(limits: Limits) -> SpeechError {
    SpeechError::TooLarge(format!("is longer than {} seconds", limits.seconds))
}
