//! The marker segments that streams of the JPEG family begin with (ITU-T T.81 B.1.1).

/// Two bytes at `at`, the higher first.
pub(super) fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// Walks over the segments of a stream, up to the first scan's entropy-coded bytes.
pub(super) struct Segments<'a> {
    stream: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    pub(super) fn new(stream: &'a [u8]) -> Self {
        Self { stream, at: 0 }
    }

    /// The next segment: the second byte of its marker, and what stands behind its length. Markers
    /// without a segment are passed over; `None` at the end of the image, or where there is none.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            if *self.stream.get(self.at)? != 0xFF {
                return None;
            }
            let marker = *self.stream.get(self.at + 1)?;
            match marker {
                // A byte of filling.
                0xFF => self.at += 1,
                0x01 | 0xD0..=0xD8 => self.at += 2,
                0xD9 => return None,
                _ => {
                    let length = usize::from(short(self.stream, self.at + 2)?);
                    let start = self.at + 4;
                    let end = (self.at + 2).checked_add(length).filter(|end| *end >= start)?;
                    let body = self.stream.get(start..end)?;
                    self.at = end;
                    return Some((marker, body));
                }
            }
        }
    }

    /// Everything behind the last segment.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.stream[self.at..]
    }
}
