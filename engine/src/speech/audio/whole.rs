//! Which container a file is, and whether it is all there: decoders take a file that was cut off for
//! one that ends.

use super::super::error::SpeechError;

/// A container of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// RIFF WAVE.
    Wav,
    /// Ogg (RFC 3533).
    Ogg,
    /// WebM, a profile of Matroska (RFC 9559).
    WebM,
}

/// The container of `bytes`, by its first bytes, after a look at its end.
pub(super) fn container(bytes: &[u8]) -> Result<Container, SpeechError> {
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE") {
        wav(bytes)?;
        Ok(Container::Wav)
    } else if bytes.starts_with(b"OggS") {
        ogg(bytes)?;
        Ok(Container::Ogg)
    } else if bytes.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]) {
        webm(bytes)?;
        Ok(Container::WebM)
    } else {
        Err(SpeechError::Unsupported("must be a WAV, OGG or WebM file".to_owned()))
    }
}

fn cut_off() -> SpeechError {
    SpeechError::audio("the file is cut off")
}

/// Walks the chunks up to `data`, whose length must be there.
fn wav(bytes: &[u8]) -> Result<(), SpeechError> {
    let mut at = 12usize;
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let Some(end) = (at + 8).checked_add(length) else { return Err(cut_off()) };
        if &head[..4] == b"data" {
            return match length {
                0 => Err(SpeechError::audio("holds no sound")),
                _ if end > bytes.len() => Err(cut_off()),
                _ => Ok(()),
            };
        }
        // Chunks begin at even positions.
        at = end + length % 2;
    }
    Err(cut_off())
}

/// Walks the pages (RFC 3533, section 6): the last must be whole and say that it is the last.
fn ogg(bytes: &[u8]) -> Result<(), SpeechError> {
    /// Bytes of a page's head before its segment table.
    const HEAD: usize = 27;
    /// Header type flag: last page of a stream.
    const LAST: u8 = 4;
    let mut at = 0usize;
    let mut ended = false;
    while at < bytes.len() {
        let head = bytes.get(at..at + HEAD).ok_or_else(cut_off)?;
        if !head.starts_with(b"OggS") {
            return Err(SpeechError::audio(
                "the file is damaged: an Ogg page is not where it should be",
            ));
        }
        ended = head[5] & LAST != 0;
        let segments = head[26] as usize;
        let table = bytes.get(at + HEAD..at + HEAD + segments).ok_or_else(cut_off)?;
        at += HEAD + segments + table.iter().map(|length| *length as usize).sum::<usize>();
    }
    if at > bytes.len() || !ended { Err(cut_off()) } else { Ok(()) }
}

/// Looks at the segment's length. Browsers write WebM live and leave it open; then the blocks are walked.
fn webm(bytes: &[u8]) -> Result<(), SpeechError> {
    /// The identifier of the segment, which holds everything else.
    const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];
    let (length, width) = ebml_length(bytes, 4).ok_or_else(cut_off)?;
    let segment = length
        .and_then(|length| usize::try_from(length).ok())
        .and_then(|length| length.checked_add(4 + width))
        .ok_or_else(cut_off)?;
    match bytes.get(segment..segment.saturating_add(4)) {
        None => return Err(cut_off()),
        Some(name) if name != SEGMENT => {
            return Err(SpeechError::audio("the file is damaged: WebM without a segment"));
        }
        Some(_) => (),
    }
    let (length, width) = ebml_length(bytes, segment + 4).ok_or_else(cut_off)?;
    let inside = segment + 4 + width;
    match length {
        None => open_segment(bytes, inside),
        Some(length) if length > (bytes.len() - inside) as u64 => Err(cut_off()),
        Some(_) => Ok(()),
    }
}

/// Walks what stands in a segment of open length from `at` on: the last element must end where the file
/// ends. Clusters are entered, for theirs is open as well.
fn open_segment(bytes: &[u8], mut at: usize) -> Result<(), SpeechError> {
    /// The identifier of a cluster, which holds blocks of sound.
    const CLUSTER: [u8; 4] = [0x1F, 0x43, 0xB6, 0x75];
    /// Bytes of a name at most (RFC 9559, section 4.2).
    const WIDEST_NAME: usize = CLUSTER.len();
    while at < bytes.len() {
        let name_width = bytes[at].leading_zeros() as usize + 1;
        if name_width > WIDEST_NAME {
            return Err(SpeechError::audio("the file is damaged: a WebM element without a name"));
        }
        let is_cluster = bytes[at..].starts_with(&CLUSTER);
        let (length, width) = ebml_length(bytes, at + name_width).ok_or_else(cut_off)?;
        at += name_width + width;
        if is_cluster {
            continue;
        }
        let Some(length) = length else {
            return Err(SpeechError::audio("the file is damaged: an element without an end"));
        };
        at = usize::try_from(length)
            .ok()
            .and_then(|length| at.checked_add(length))
            .ok_or_else(cut_off)?;
    }
    if at == bytes.len() { Ok(()) } else { Err(cut_off()) }
}

/// A length as EBML writes it (RFC 8794, section 6), and how many bytes it takes; `None` inside for
/// one that is left open.
fn ebml_length(bytes: &[u8], at: usize) -> Option<(Option<u64>, usize)> {
    let width = bytes.get(at)?.leading_zeros() as usize + 1;
    if width > 8 {
        return None;
    }
    let all =
        bytes.get(at..at + width)?.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let open = (1u64 << (7 * width)) - 1;
    let length = all & open;
    Some(((length != open).then_some(length), width))
}
