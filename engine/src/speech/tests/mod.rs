#![allow(clippy::unwrap_used, clippy::panic)]

mod damaged;
mod models;
mod sound;

use std::path::PathBuf;

/// A recording of `tests/fixtures`, made by the script there.
fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/speech/tests/fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

/// Every recording that is no WAV.
const RECORDINGS: [&str; 6] =
    ["opus.ogg", "opus_stereo.ogg", "vorbis.ogg", "opus.webm", "live.webm", "voice.ogg"];

/// How a sample is written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Unsigned8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
}

/// A WAV file of `samples`, each frame's channels alike but for their sign where `opposed`.
fn wav(samples: &[f32], rate: u32, channels: u16, form: Form, opposed: bool) -> Vec<u8> {
    let (tag, bits): (u16, u16) = match form {
        Form::Unsigned8 => (1, 8),
        Form::Signed16 => (1, 16),
        Form::Signed24 => (1, 24),
        Form::Signed32 => (1, 32),
        Form::Float32 => (3, 32),
    };
    let mut data = Vec::new();
    for sample in samples {
        for channel in 0..channels {
            let sample = if opposed && channel % 2 == 1 { -sample } else { *sample };
            let scaled = |largest: f32| (f64::from(sample) * f64::from(largest)).round() as i32;
            match form {
                Form::Unsigned8 => data.push((scaled(127.0) + 128) as u8),
                Form::Signed16 => data.extend((scaled(32_767.0) as i16).to_le_bytes()),
                Form::Signed24 => data.extend(&scaled(8_388_607.0).to_le_bytes()[..3]),
                Form::Signed32 => data.extend(scaled(2_147_483_520.0).to_le_bytes()),
                Form::Float32 => data.extend(sample.to_le_bytes()),
            }
        }
    }
    let block = channels * bits / 8;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    file.extend(tag.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(block)).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

/// `seconds` of a sine, half of full scale.
fn tone(hertz: f64, rate: u32, seconds: f64) -> Vec<f32> {
    let count = (seconds * f64::from(rate)) as usize;
    (0..count)
        .map(|n| {
            let turn = std::f64::consts::TAU * hertz * n as f64 / f64::from(rate);
            (0.5 * turn.sin()) as f32
        })
        .collect()
}

/// The amplitude of `hertz` in `samples` at 16 kHz.
fn amplitude(samples: &[f32], hertz: f64) -> f64 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let turn = std::f64::consts::TAU * hertz * n as f64 / 16_000.0;
        real += f64::from(*sample) * turn.cos();
        imaginary += f64::from(*sample) * turn.sin();
    }
    2.0 * real.hypot(imaginary) / samples.len() as f64
}
