//! What is read is what was recorded.

use super::super::{Clip, Limits, SpeechError};
use super::{Form, RECORDINGS, amplitude, fixture, tone, wav};

fn read(bytes: &[u8]) -> Result<Clip, SpeechError> {
    Clip::read(bytes, Limits::default())
}

/// The middle, away from what encoders do at the ends: whole turns of 440 Hz.
fn middle(clip: &Clip) -> &[f32] {
    &clip.samples()[2_000..2_000 + 4_000]
}

#[test]
fn every_form_of_wav_gives_its_samples() {
    let sine = tone(440.0, 16_000, 0.5);
    for (form, tolerance) in [
        (Form::Unsigned8, 1e-2),
        (Form::Signed16, 1e-4),
        (Form::Signed24, 1e-6),
        (Form::Signed32, 1e-6),
        // Six channels that are summed and divided round once.
        (Form::Float32, 1e-7),
    ] {
        for channels in [1, 2, 6] {
            let clip = read(&wav(&sine, 16_000, channels, form, false)).unwrap();
            assert_eq!(clip.samples().len(), sine.len());
            for (ours, sample) in clip.samples().iter().zip(&sine) {
                assert!((ours - sample).abs() <= tolerance, "{form:?}, {channels} channels");
            }
        }
    }
}

#[test]
fn rates_become_16_khz_and_nothing_folds_back() {
    for rate in [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000] {
        let clip = read(&wav(&tone(440.0, rate, 0.6), rate, 1, Form::Float32, false)).unwrap();
        assert!((clip.seconds() - 0.6).abs() < 0.001, "{rate}: {} s", clip.seconds());
        let found = amplitude(middle(&clip), 440.0);
        assert!((found - 0.5).abs() < 0.005, "{rate}: amplitude {found}");
        // Without a filter 15,560 Hz would come out as 440.
        if rate >= 44_100 {
            let high = wav(&tone(15_560.0, rate, 0.6), rate, 1, Form::Float32, false);
            let found = match read(&high) {
                Ok(clip) => amplitude(middle(&clip), 440.0),
                Err(error) => {
                    assert!(error.to_string().contains("silent"), "{error}");
                    0.0
                }
            };
            assert!(found < 1e-3, "{rate}: {found} came back");
        }
    }
}

#[test]
fn what_recorders_and_browsers_write_is_heard() {
    for name in RECORDINGS {
        let clip = read(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!((clip.seconds() - 0.6).abs() < 0.05, "{name}: {} s", clip.seconds());
        let found = amplitude(middle(&clip), 440.0);
        // ffmpeg makes two channels of one at 3 dB less each; opusdec reads 0.350 from the stereo file and
        // 0.494 from the one at a low rate.
        let stereo = matches!(name, "opus_stereo.ogg" | "vorbis.ogg");
        let expected = if stereo { 0.5 / 2f64.sqrt() } else { 0.5 };
        assert!((found - expected).abs() < 0.01, "{name}: amplitude {found}");
        let other = amplitude(middle(&clip), 1_000.0);
        assert!(other < 0.02, "{name}: {other} at 1 kHz");
    }
}

#[test]
fn what_cannot_be_used_says_why() {
    let sine = tone(440.0, 16_000, 0.5);
    let good = wav(&sine, 16_000, 1, Form::Signed16, false);
    let silent = wav(&vec![0.0; 16_000], 16_000, 1, Form::Signed16, false);
    let not_a_number = wav(&vec![f32::NAN; 8_000], 16_000, 1, Form::Float32, false);
    for (bytes, cause) in [
        (Vec::new(), "empty"),
        (b"ID3\x04 a song".to_vec(), "WAV, OGG or WebM"),
        (good[..good.len() - 100].to_vec(), "cut off"),
        (good[..30].to_vec(), "cut off"),
        (silent, "silent"),
        // Two channels against each other are silence once they are one.
        (wav(&sine, 16_000, 2, Form::Signed16, true), "silent"),
        (not_a_number, "not a number"),
        (wav(&sine[..800], 16_000, 1, Form::Signed16, false), "shorter than"),
        (wav(&[], 16_000, 1, Form::Signed16, false), "no sound"),
        (wav(&sine, 4_000, 1, Form::Signed16, false), "8,000 to 192,000"),
        (wav(&sine, 16_000, 12, Form::Signed16, false), "channels"),
    ] {
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.starts_with("audio: ") && error.contains(cause), "{cause}: {error}");
    }
    // The first element of the segment, whose name would be of nine and of five bytes.
    for first in [0x00, 0x08] {
        let mut bytes = fixture("live.webm");
        bytes[48] = first;
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains("element without a name"), "{error}");
    }
    for name in RECORDINGS {
        let bytes = fixture(name);
        let error = read(&bytes[..bytes.len() - 40]).unwrap_err().to_string();
        assert!(error.contains("cut off"), "{name}: {error}");
    }
}

#[test]
fn limits_are_kept_before_and_while_decoding() {
    let limits = Limits { bytes: 1 << 20, seconds: 1 };
    let long = wav(&tone(440.0, 16_000, 1.5), 16_000, 1, Form::Signed16, false);
    let second = wav(&tone(440.0, 16_000, 1.0), 16_000, 1, Form::Signed16, false);
    assert!(Clip::read(&second, limits).is_ok());
    for (limits, cause) in [
        (limits, "longer than 1 seconds"),
        (Limits { bytes: 100, seconds: 60 }, "more than 100 bytes"),
    ] {
        match Clip::read(&long, limits).unwrap_err() {
            SpeechError::TooLarge(said) => assert!(said.contains(cause), "{said}"),
            other => panic!("{other}"),
        }
    }
    let none = Limits { bytes: 1 << 20, seconds: 0 };
    assert!(matches!(Clip::read(&fixture("opus.webm"), none), Err(SpeechError::TooLarge(_))));
}

#[test]
fn long_sound_is_cut_where_it_is_quiet_and_nothing_is_lost() {
    let mut samples = tone(440.0, 16_000, 3.0);
    // A breath at 0.9 s, inside the last sixth of the first second.
    samples[14_000..15_200].fill(0.0);
    let clip = Clip::from_samples(samples.clone(), 16_000, Limits::default()).unwrap();
    let windows = clip.windows(16_000);
    assert!((14_000..=15_200).contains(&windows[0].len()), "cut at {}", windows[0].len());
    assert!(windows.iter().all(|window| !window.is_empty() && window.len() <= 16_000));
    assert_eq!(windows.concat(), samples);

    // A microphone that is off in the end adds no window.
    samples.resize(3 * 16_000 + 16_000, 0.0);
    let clip = Clip::from_samples(samples.clone(), 16_000, Limits::default()).unwrap();
    let heard = clip.windows(16_000).concat();
    assert!((3 * 16_000..samples.len()).contains(&heard.len()), "{} samples", heard.len());
    assert_eq!(heard, samples[..heard.len()]);
}
