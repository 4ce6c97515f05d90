//! Compressed streams: what one says of itself before it is decoded, and its values.
//!
//! A decoder takes memory for the size that its own stream states, which need not be the header's.
//! What a kept library reads, it reads; [`rle`], [`jpeg_ls`] and [`extended`] are our own.

mod extended;
mod jpeg_ls;
mod marker;
mod rle;

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_dictionary_std::uids;

use super::pixels::innermost;
use super::{DicomError, Header, uid};
use marker::{Segments, short};

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// JPEG with the discrete cosine transform, or lossless (ITU-T T.81).
    Jpeg,
    /// JPEG-LS (ITU-T T.87).
    JpegLs,
    /// JPEG 2000 (ITU-T T.800) and its high-throughput blocks (T.814).
    Jpeg2000,
    /// RLE Lossless (PS3.5 annex G).
    Rle,
    /// A deflated frame (PS3.5 A.4.13).
    Deflate,
    /// Nothing: bytes in fragments (PS3.5 A.4.11).
    Plain,
}

/// Transfer syntaxes of encapsulated pixel data that are read (PS3.6 table A-1).
const SYNTAXES: [(&str, Coding); 14] = [
    (uids::JPEG_BASELINE8_BIT, Coding::Jpeg),
    (uids::JPEG_EXTENDED12_BIT, Coding::Jpeg),
    (uids::JPEG_LOSSLESS, Coding::Jpeg),
    (uids::JPEG_LOSSLESS_SV1, Coding::Jpeg),
    (uids::JPEGLS_LOSSLESS, Coding::JpegLs),
    (uids::JPEGLS_NEAR_LOSSLESS, Coding::JpegLs),
    (uids::JPEG2000_LOSSLESS, Coding::Jpeg2000),
    (uids::JPEG2000, Coding::Jpeg2000),
    (uids::HTJ2K_LOSSLESS, Coding::Jpeg2000),
    (uids::HTJ2K_LOSSLESS_RPCL, Coding::Jpeg2000),
    (uids::HTJ2K, Coding::Jpeg2000),
    (uids::RLE_LOSSLESS, Coding::Rle),
    (uids::DEFLATED_IMAGE_FRAME_COMPRESSION, Coding::Deflate),
    (uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN, Coding::Plain),
];

/// Size and depth as a stream states them.
#[derive(Debug, PartialEq, Eq)]
struct Stated {
    columns: u32,
    rows: u32,
    components: u32,
    bits: u32,
}

fn unusable(cause: impl Into<String>) -> DicomError {
    DicomError::PixelData { cause: cause.into() }
}

/// How a transfer syntax compresses.
///
/// # Errors
/// [`DicomError::Unsupported`] where no decoder for it is here.
pub(super) fn coding(transfer_syntax: &str) -> Result<Coding, DicomError> {
    let known = SYNTAXES.iter().find(|(uid, _)| *uid == transfer_syntax);
    known.map(|(_, coding)| *coding).ok_or_else(|| no_decoder(transfer_syntax))
}

/// What is said of a transfer syntax that is not read.
pub(super) fn no_decoder(transfer_syntax: &str) -> DicomError {
    // What is no UID may be anything, and is not repeated.
    let name = if uid::is_valid(transfer_syntax) { transfer_syntax } else { "that is no UID" };
    DicomError::Unsupported { cause: format!("no decoder for transfer syntax {name}") }
}

/// The transfer syntaxes of [`coding`].
pub(super) fn transfer_syntaxes() -> impl Iterator<Item = &'static str> {
    SYNTAXES.iter().map(|(uid, _)| *uid)
}

/// The media type of one frame's stream (PS3.18 8.7.3.3).
pub(super) fn media_type(coding: Coding, transfer_syntax: &str) -> &'static str {
    match (coding, transfer_syntax) {
        (Coding::Jpeg, _) => "image/jpeg",
        (Coding::JpegLs, _) => "image/jls",
        (Coding::Jpeg2000, uids::JPEG2000 | uids::JPEG2000_LOSSLESS) => "image/jp2",
        (Coding::Jpeg2000, _) => "image/jphc",
        (Coding::Rle, _) => "image/dicom-rle",
        (Coding::Deflate | Coding::Plain, _) => "application/octet-stream",
    }
}

/// Checks that a frame's stream states the header's size, and no more bits than are allocated.
pub(super) fn check(
    coding: Coding,
    stream: &[u8],
    header: &Header,
    bytes_a_pixel: usize,
) -> Result<(), DicomError> {
    let stated = match coding {
        Coding::Jpeg | Coding::JpegLs => jpeg(stream),
        Coding::Jpeg2000 => jpeg_2000(stream),
        // These state no size, and their decoders take the header's.
        Coding::Rle | Coding::Deflate | Coding::Plain => return Ok(()),
    };
    let Stated { columns, rows, components, bits } =
        stated.ok_or_else(|| unusable("the compressed stream has no frame header"))?;
    if (columns, rows, components) != (header.columns, header.rows, 1) {
        return Err(unusable(format!(
            "the compressed stream holds {columns} × {rows} pixels of {components} components, the \
             header says {} × {} of 1",
            header.columns, header.rows
        )));
    }
    if bits > 8 * bytes_a_pixel as u32 || bits < u32::from(header.bits_stored) {
        return Err(unusable(format!(
            "the compressed stream has {bits} bits a pixel, the header stores {} and allocates {}",
            header.bits_stored,
            bytes_a_pixel * 8
        )));
    }
    Ok(())
}

/// The words of a frame's stream, row by row; [`check`] has passed it.
pub(super) fn decode(
    coding: Coding,
    stream: &[u8],
    header: &Header,
    bytes_a_pixel: usize,
) -> Result<Vec<u16>, DicomError> {
    let (columns, rows) = (header.columns as usize, header.rows as usize);
    let count = columns * rows;
    let damaged = || unusable("the compressed stream is damaged");
    let words = match coding {
        Coding::JpegLs => jpeg_ls::decode(stream, columns, rows).ok_or_else(damaged)?,
        Coding::Jpeg if extended::is_ours(stream) => {
            extended::decode(stream, columns, rows).ok_or_else(damaged)?
        }
        Coding::Rle => words(&rle::decode(stream, count, bytes_a_pixel)?, bytes_a_pixel),
        Coding::Plain => words(stream, bytes_a_pixel),
        Coding::Deflate => {
            let mut bytes = Vec::new();
            flate2::read::DeflateDecoder::new(stream)
                .take((count * bytes_a_pixel) as u64)
                .read_to_end(&mut bytes)
                .map_err(|_| damaged())?;
            words(&bytes, bytes_a_pixel)
        }
        // Others' code on anybody's bytes: should it panic on a damaged stream, that is this object's
        // fault and not the program's.
        Coding::Jpeg => catch_unwind(|| by_jpeg_decoder(stream)).map_err(|_| damaged())??,
        Coding::Jpeg2000 => {
            catch_unwind(AssertUnwindSafe(|| by_openjpeg(stream))).map_err(|_| damaged())??
        }
    };
    if words.len() < count {
        return Err(unusable(format!("{} of {count} pixels decoded", words.len())));
    }
    Ok(words)
}

/// A frame of words of `bits` bits as a lossless stream.
///
/// # Errors
/// [`DicomError::PixelData`] for a coding that is read and not written, and for values of more bits.
pub(super) fn encode(
    coding: Coding,
    values: &[u16],
    (columns, rows): (u16, u16),
    bits: u16,
) -> Result<Vec<u8>, DicomError> {
    let stream = match coding {
        Coding::Rle => Some(rle::encode(values, usize::from(columns))),
        Coding::JpegLs => jpeg_ls::encode(values, columns, rows, bits),
        Coding::Jpeg | Coding::Jpeg2000 | Coding::Deflate | Coding::Plain => None,
    };
    stream.ok_or_else(|| unusable(format!("cannot be written as {coding:?}")))
}

/// Little-endian bytes as words.
pub(super) fn words(bytes: &[u8], bytes_a_pixel: usize) -> Vec<u16> {
    match bytes_a_pixel {
        1 => bytes.iter().map(|byte| u16::from(*byte)).collect(),
        _ => bytes.chunks_exact(2).map(|raw| u16::from_le_bytes([raw[0], raw[1]])).collect(),
    }
}

fn by_jpeg_decoder(stream: &[u8]) -> Result<Vec<u16>, DicomError> {
    let mut decoder = jpeg_decoder::Decoder::new(stream);
    let bytes = decoder.decode().map_err(|error| unusable(innermost(&error)))?;
    match decoder.info().map(|info| info.pixel_format) {
        Some(jpeg_decoder::PixelFormat::L8) => Ok(words(&bytes, 1)),
        // In the processor's order of bytes.
        Some(jpeg_decoder::PixelFormat::L16) => {
            Ok(bytes.chunks_exact(2).map(|raw| u16::from_ne_bytes([raw[0], raw[1]])).collect())
        }
        _ => Err(unusable("the compressed stream has more than one component")),
    }
}

fn by_openjpeg(stream: &[u8]) -> Result<Vec<u16>, DicomError> {
    let image = jpeg2k::Image::from_bytes(stream).map_err(|error| unusable(innermost(&error)))?;
    let component =
        image.components().first().ok_or_else(|| unusable("the compressed stream is empty"))?;
    // Negative values keep their lowest bits, from which the header's representation makes them again.
    Ok(component.data().iter().map(|value| *value as u16).collect())
}

/// The frame header of a JPEG stream (ITU-T T.81 B.2.2) or a JPEG-LS one (T.87 C.2.2).
fn jpeg(stream: &[u8]) -> Option<Stated> {
    let mut segments = Segments::new(stream);
    loop {
        let (marker, body) = segments.next()?;
        match marker {
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF | 0xF7 => {
                return Some(Stated {
                    bits: (*body.first()?).into(),
                    rows: short(body, 1)?.into(),
                    columns: short(body, 3)?.into(),
                    components: (*body.get(5)?).into(),
                });
            }
            0xDA => return None,
            _ => {}
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
