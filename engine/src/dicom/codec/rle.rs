//! RLE Lossless (PS3.5 annex G) of one frame.
//!
//! Our own, since that of dicom-rs trusts the offsets and lengths it reads, and panics on others.

use crate::dicom::DicomError;

/// Decodes a frame of `pixels` values of `bytes_a_pixel` bytes, into little-endian words.
///
/// Segments hold one byte of every pixel each, the highest first.
pub(super) fn decode(
    stream: &[u8],
    pixels: usize,
    bytes_a_pixel: usize,
) -> Result<Vec<u8>, DicomError> {
    let damaged = |cause: String| DicomError::PixelData { cause };
    let header: Vec<usize> = stream
        .get(..64)
        .ok_or_else(|| damaged("the RLE header is truncated".to_owned()))?
        .chunks_exact(4)
        .map(|raw| u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]) as usize)
        .collect();
    if header[0] != bytes_a_pixel {
        return Err(damaged(format!(
            "{} RLE segments for {bytes_a_pixel} bytes a pixel",
            header[0]
        )));
    }
    // A run is two bytes and gives at most 128 pixels: what cannot be there takes no memory.
    if stream.len().saturating_mul(128) < pixels {
        return Err(damaged(format!("{} RLE bytes cannot hold {pixels} pixels", stream.len())));
    }
    let mut decoded = vec![0; pixels * bytes_a_pixel];
    for segment in 0..bytes_a_pixel {
        let start = header[1 + segment];
        let last = segment + 1 == bytes_a_pixel;
        let end = if last { stream.len() } else { header[2 + segment] };
        let coded = stream
            .get(start..end)
            .filter(|_| start >= 64)
            .ok_or_else(|| damaged(format!("RLE segment {} lies outside", segment + 1)))?;
        let bytes = unpack(coded, pixels).ok_or_else(|| {
            damaged(format!("RLE segment {} ends before the last pixel", segment + 1))
        })?;
        let place = bytes_a_pixel - 1 - segment;
        for (pixel, byte) in decoded.chunks_exact_mut(bytes_a_pixel).zip(bytes) {
            pixel[place] = byte;
        }
    }
    Ok(decoded)
}

/// PackBits (PS3.5 G.3.2), or `None` when the bytes end before `count` are there.
fn unpack(coded: &[u8], count: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(count);
    let mut at = 0;
    while bytes.len() < count {
        let control = *coded.get(at)?;
        at += 1;
        match control {
            0..=127 => {
                let length = usize::from(control) + 1;
                bytes.extend_from_slice(coded.get(at..at + length)?);
                at += length;
            }
            128 => {}
            129..=255 => {
                let length = 257 - usize::from(control);
                bytes.resize(bytes.len() + length, *coded.get(at)?);
                at += 1;
            }
        }
    }
    bytes.truncate(count);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn runs_and_literals_follow_the_annex() {
        // Two literals, three times 7, nothing, one literal.
        assert_eq!(unpack(&[1, 5, 6, 254, 7, 128, 0, 9], 6).unwrap(), [5, 6, 7, 7, 7, 9]);
        assert_eq!(unpack(&[254, 7], 2).unwrap(), [7, 7]);
        assert_eq!(unpack(&[254, 7], 4), None);
        assert_eq!(unpack(&[5, 1, 2], 3), None);
        assert_eq!(unpack(&[254], 1), None);
    }

    #[test]
    fn damaged_headers_are_errors() {
        let mut stream = vec![0; 64];
        assert!(decode(&stream[..60], 4, 1).is_err());
        assert!(decode(&stream, 4, 1).is_err(), "no segments");
        stream[0] = 1;
        for start in [0, 63, 65, 255] {
            stream[4] = start;
            assert!(decode(&stream, 4, 1).is_err(), "segment at {start}");
        }
        stream[4] = 64;
        stream.extend([253, 7]);
        assert_eq!(decode(&stream, 4, 1).unwrap(), [7; 4]);
        assert!(decode(&stream, 1 << 40, 1).is_err());
    }
}
