//! What a compressed stream says of itself, before it is decoded.
//!
//! A codec takes memory for the size that its own stream states, which need not be the header's.

use dicom_dictionary_std::uids;

use super::{DicomError, Header};

/// Transfer syntaxes whose pixel data is a JPEG stream.
const JPEG: [&str; 4] = [
    uids::JPEG_BASELINE8_BIT,
    uids::JPEG_EXTENDED12_BIT,
    uids::JPEG_LOSSLESS,
    uids::JPEG_LOSSLESS_SV1,
];
/// Transfer syntaxes whose pixel data is a JPEG 2000 code stream.
const JPEG_2000: [&str; 2] = [uids::JPEG2000_LOSSLESS, uids::JPEG2000];

/// Size and depth as a stream states them.
#[derive(Debug, PartialEq, Eq)]
struct Stated {
    columns: u32,
    rows: u32,
    components: u32,
    bits: u32,
}

/// Checks that a decoder for the transfer syntax is here, and that the stream states the header's
/// size.
pub(super) fn check(
    transfer_syntax: &str,
    stream: &[u8],
    header: &Header,
    bytes_a_pixel: usize,
) -> Result<(), DicomError> {
    let unusable = |cause: String| DicomError::PixelData { cause };
    let stated = if JPEG.contains(&transfer_syntax) {
        jpeg(stream)
    } else if JPEG_2000.contains(&transfer_syntax) {
        jpeg_2000(stream)
    } else if transfer_syntax == uids::RLE_LOSSLESS {
        // RLE states no size, and its decoder takes the header's.
        return Ok(());
    } else {
        return Err(DicomError::Unsupported {
            cause: format!("no decoder for transfer syntax {transfer_syntax}"),
        });
    };
    let Stated { columns, rows, components, bits } =
        stated.ok_or_else(|| unusable("the compressed stream has no frame header".to_owned()))?;
    if (columns, rows, components) != (header.columns, header.rows, 1) {
        return Err(unusable(format!(
            "the compressed stream holds {columns} × {rows} pixels of {components} components, the \
             header says {} × {} of 1",
            header.columns, header.rows
        )));
    }
    // JPEG 2000 decoders give words of any width; those of JPEG give bytes up to eight bits.
    let fits = match bytes_a_pixel {
        1 => bits <= 8,
        _ => (9..=16).contains(&bits) || (bits <= 8 && JPEG_2000.contains(&transfer_syntax)),
    };
    if !fits {
        return Err(unusable(format!(
            "the compressed stream has {bits} bits a pixel, the header allocates {}",
            bytes_a_pixel * 8
        )));
    }
    Ok(())
}

/// The frame header of a JPEG stream (ITU-T T.81 B.2.2).
fn jpeg(stream: &[u8]) -> Option<Stated> {
    let byte = |at: usize| stream.get(at).map(|byte| u32::from(*byte));
    let short = |at: usize| Some(byte(at)? << 8 | byte(at + 1)?);
    let mut at = 2;
    loop {
        if byte(at)? != 0xFF {
            return None;
        }
        match byte(at + 1)? {
            0xFF => at += 1,
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Some(Stated {
                    columns: short(at + 7)?,
                    rows: short(at + 5)?,
                    components: byte(at + 9)?,
                    bits: byte(at + 4)?,
                });
            }
            0x01 | 0xD0..=0xD8 => at += 2,
            0xD9 | 0xDA => return None,
            _ => at += 2 + short(at + 2)? as usize,
        }
    }
}

/// The SIZ marker of a JPEG 2000 code stream (ITU-T T.800 A.5.1).
fn jpeg_2000(stream: &[u8]) -> Option<Stated> {
    // SIZ comes right after the start of the code stream; a JP2 box structure may stand before.
    let start = stream.windows(4).position(|window| window == [0xFF, 0x4F, 0xFF, 0x51])? + 4;
    let long = |at: usize| {
        let raw = stream.get(start + at..start + at + 4)?;
        Some(u32::from_be_bytes([raw[0], raw[1], raw[2], raw[3]]))
    };
    let byte = |at: usize| stream.get(start + at).map(|byte| u32::from(*byte));
    Some(Stated {
        columns: long(4)?.checked_sub(long(12)?)?,
        rows: long(8)?.checked_sub(long(16)?)?,
        components: byte(36)? << 8 | byte(37)?,
        // The highest bit says whether values are signed.
        bits: (byte(38)? & 0x7F) + 1,
    })
}
