//! What a container holds, decoded packet by packet.

use std::io::Cursor;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use super::super::error::SpeechError;
use super::opus::{self, Opus};
use super::whole::Container;
use super::{Decoded, Limits, too_long};

/// Channels that are mixed into one, at most.
const MOST_CHANNELS: usize = 8;
/// Samples a second: from the telephone's to the studio's.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

enum Decoder {
    Opus(Box<Opus>),
    Other(Box<dyn AudioDecoder>),
}

/// Refuses a rate that nothing records.
pub(super) fn check_rate(rate: u32) -> Result<(), SpeechError> {
    if RATES.contains(&rate) {
        Ok(())
    } else {
        Err(SpeechError::Unsupported("must have 8,000 to 192,000 samples a second".to_owned()))
    }
}

fn fault(error: &Error) -> SpeechError {
    match error {
        Error::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            SpeechError::audio("the file is cut off")
        }
        Error::Unsupported(what) => {
            SpeechError::Unsupported(format!("holds what is not read: {what}"))
        }
        // Also the variants that a later version of the library may add.
        other => SpeechError::audio(format!("the file is damaged: {other}")),
    }
}

/// Decodes the first track of sound in `bytes`, and stops where `limits` are passed.
pub(super) fn decode(
    bytes: &[u8],
    container: Container,
    limits: Limits,
) -> Result<Decoded, SpeechError> {
    let source = Box::new(Cursor::new(bytes.to_vec()));
    let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
    let mut hint = Hint::new();
    hint.with_extension(match container {
        Container::Wav => "wav",
        Container::Ogg => "ogg",
        Container::WebM => "webm",
    });
    let mut reader = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|error| fault(&error))?;
    let track = reader
        .default_track(TrackType::Audio)
        .ok_or_else(|| SpeechError::audio("holds no track of sound"))?;
    let (id, expected) = (track.id, track.num_frames);
    let Some(CodecParameters::Audio(parameters)) = track.codec_params.clone() else {
        return Err(SpeechError::Unsupported("holds sound in an unknown codec".to_owned()));
    };
    let (decoder, rate, skip) = if parameters.codec == CODEC_ID_OPUS {
        let head = parameters.extra_data.as_deref().unwrap_or_default();
        let (decoder, skip) = Opus::new(head)?;
        (Decoder::Opus(Box::new(decoder)), opus::RATE, skip)
    } else {
        let rate =
            parameters.sample_rate.ok_or_else(|| SpeechError::audio("says no sample rate"))?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
            .map_err(|error| fault(&error))?;
        (Decoder::Other(decoder), rate, 0)
    };
    check_rate(rate)?;
    if let Some(channels) = &parameters.channels {
        check_channels(channels.count())?;
    }
    let most = (u64::from(limits.seconds) * u64::from(rate)) as usize;
    let mut mono = packets(reader.as_mut(), id, decoder, rate, most + skip, limits, container)?;
    mono.drain(..skip.min(mono.len()));
    if container == Container::Wav
        && expected.is_some_and(|expected| (mono.len() as u64) < expected)
    {
        return Err(SpeechError::audio("the file is cut off"));
    }
    if mono.is_empty() {
        return Err(SpeechError::audio("holds no sound"));
    }
    Ok(Decoded { mono, rate })
}

fn check_channels(channels: usize) -> Result<(), SpeechError> {
    if (1..=MOST_CHANNELS).contains(&channels) {
        Ok(())
    } else {
        Err(SpeechError::Unsupported(format!("must have 1 to {MOST_CHANNELS} channels")))
    }
}

/// Every packet of track `id`, its channels mixed into one; `most` samples at most.
fn packets(
    reader: &mut dyn FormatReader,
    id: u32,
    mut decoder: Decoder,
    rate: u32,
    most: usize,
    limits: Limits,
    container: Container,
) -> Result<Vec<f32>, SpeechError> {
    let mut mono = Vec::new();
    let mut scratch: Vec<f32> = Vec::new();
    // A chain of streams ends with its first: a recording is one.
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // A live recording ends in the middle of a cluster of open length; that its last block is whole
            // was seen before.
            Err(Error::IoError(cause))
                if container == Container::WebM
                    && cause.kind() == std::io::ErrorKind::UnexpectedEof =>
            {
                break;
            }
            Err(error) => return Err(fault(&error)),
        };
        if packet.track_id != id {
            continue;
        }
        match &mut decoder {
            Decoder::Opus(opus) => {
                let channels = opus.channels();
                mix(opus.packet(&packet.data)?, channels, &mut mono);
            }
            Decoder::Other(other) => {
                let decoded = other.decode(&packet).map_err(|error| fault(&error))?;
                let channels = decoded.spec().channels().count();
                check_channels(channels)?;
                if decoded.spec().rate() != rate {
                    return Err(SpeechError::Unsupported("changes its sample rate".to_owned()));
                }
                decoded.copy_to_vec_interleaved(&mut scratch);
                mix(&scratch, channels, &mut mono);
            }
        }
        if mono.len() > most {
            return Err(too_long(limits));
        }
    }
    Ok(mono)
}

/// The mean of the channels.
fn mix(interleaved: &[f32], channels: usize, mono: &mut Vec<f32>) {
    let share = 1.0 / channels.max(1) as f32;
    mono.extend(
        interleaved.chunks_exact(channels.max(1)).map(|frame| frame.iter().sum::<f32>() * share),
    );
}
