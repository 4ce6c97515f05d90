//! RLE Lossless (PS3.5 annex G) of one frame, both ways.
//!
//! Our own, since that of dicom-rs writes none, trusts the offsets and lengths it reads, and panics on
//! others.

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

/// Encodes a frame of 16-bit words, the high bytes' segment first. Runs end with their row (G.3.1).
pub(super) fn encode(values: &[u16], columns: usize) -> Vec<u8> {
    let segment = |shift: u32| -> Vec<u8> {
        let mut coded = Vec::new();
        for row in values.chunks(columns.max(1)) {
            let bytes: Vec<u8> = row.iter().map(|value| (value >> shift) as u8).collect();
            pack(&bytes, &mut coded);
        }
        // Segments have even length.
        coded.resize(coded.len().next_multiple_of(2), 0);
        coded
    };
    let (high, low) = (segment(8), segment(0));
    let mut header = [0_u32; 16];
    header[..3].copy_from_slice(&[2, 64, 64 + high.len() as u32]);
    let mut stream: Vec<u8> = header.iter().flat_map(|value| value.to_le_bytes()).collect();
    stream.extend(high);
    stream.extend(low);
    stream
}

/// PackBits (G.3.1). Two equal bytes are a run of their own only where no literals stand before them:
/// within literals they would cost a byte more.
fn pack(bytes: &[u8], coded: &mut Vec<u8>) {
    let run_at =
        |at: usize| bytes[at..].iter().take(128).take_while(|byte| **byte == bytes[at]).count();
    let mut at = 0;
    while at < bytes.len() {
        let run = run_at(at);
        if run > 1 {
            coded.extend([(257 - run) as u8, bytes[at]]);
            at += run;
            continue;
        }
        let start = at;
        while at < bytes.len() && at - start < 128 && run_at(at) < 3 {
            at += 1;
        }
        coded.push((at - start - 1) as u8);
        coded.extend(&bytes[start..at]);
    }
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
    fn packing_follows_the_annex_and_comes_back() {
        let packed = |bytes: &[u8]| {
            let mut coded = Vec::new();
            pack(bytes, &mut coded);
            coded
        };
        assert_eq!(packed(&[5, 6, 7, 7, 7, 9]), [1, 5, 6, 254, 7, 0, 9]);
        assert_eq!(packed(&[7, 7, 5, 5, 6]), [255, 7, 255, 5, 0, 6]);
        assert_eq!(packed(&[1, 5, 5, 6]), [3, 1, 5, 5, 6]);
        assert_eq!(packed(&[9; 300]), [129, 9, 129, 9, 213, 9]);
        let values: Vec<u16> =
            (0..400_u16).map(|at| if at % 7 < 4 { at / 50 * 257 } else { at * 163 }).collect();
        let expected: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(decode(&encode(&values, 40), 400, 2).unwrap(), expected);
        assert_eq!(encode(&values, 40).len() % 2, 0);
        // A run would go over the end of a row.
        assert_eq!(encode(&[7; 4], 2)[64..], [255, 0, 255, 0, 255, 7, 255, 7]);
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
