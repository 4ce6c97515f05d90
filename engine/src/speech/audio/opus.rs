//! Opus packets (RFC 6716) as samples.

use opus_decoder::OpusDecoder;

use super::super::error::SpeechError;

/// Opus counts in 48,000 samples a second, whatever was recorded.
pub(super) const RATE: u32 = 48_000;

/// An Opus stream of one or two channels.
pub(super) struct Opus {
    decoder: OpusDecoder,
    channels: usize,
    scratch: Vec<f32>,
}

impl Opus {
    /// A decoder for the stream that `head` describes (`OpusHead`, RFC 7845, section 5.1), and how
    /// many samples at its beginning are the encoder's own.
    pub(super) fn new(head: &[u8]) -> Result<(Self, usize), SpeechError> {
        let fault = || SpeechError::audio("the file is damaged: its Opus header is none");
        if !head.starts_with(b"OpusHead") {
            return Err(fault());
        }
        let (Some(&channels), Some(skip)) = (head.get(9), head.get(10..12)) else {
            return Err(fault());
        };
        if !(1..=2).contains(&channels) {
            return Err(SpeechError::Unsupported(
                "must have one or two channels of Opus".to_owned(),
            ));
        }
        let channels = usize::from(channels);
        let decoder = OpusDecoder::new(RATE, channels).map_err(|_| fault())?;
        let scratch = vec![0.0; OpusDecoder::MAX_FRAME_SIZE_48K * channels];
        let skip = usize::from(u16::from_le_bytes([skip[0], skip[1]]));
        Ok((Self { decoder, channels, scratch }, skip))
    }

    /// The samples of a packet, channels beside each other.
    pub(super) fn packet(&mut self, packet: &[u8]) -> Result<&[f32], SpeechError> {
        // An empty packet would be concealed as a lost one; a file loses none.
        if packet.is_empty() {
            return Ok(&[]);
        }
        let frames = self
            .decoder
            .decode_float(packet, &mut self.scratch, false)
            .map_err(|_| SpeechError::audio("the file is damaged: an Opus packet is none"))?;
        Ok(self.scratch.get(..frames * self.channels).unwrap_or_default())
    }

    /// Channels of the stream.
    pub(super) fn channels(&self) -> usize {
        self.channels
    }
}
