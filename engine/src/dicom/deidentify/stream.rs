//! Comments and application segments of compressed streams: writers put names of programs, hosts and
//! people there. They are written over in place, so that nothing else moves.

use crate::dicom::codec::Coding;

/// Writes over what identifies in a frame's stream. False where the stream is not of the form that it
/// must have; then its pixels are to be decoded, and the stream is not to be kept.
pub(super) fn clean(coding: Coding, stream: &mut [u8]) -> bool {
    match coding {
        Coding::Jpeg | Coding::JpegLs => jpeg(stream).is_some(),
        Coding::Jpeg2000 => jpeg_2000(stream).is_some(),
        // Nothing but pixels, and bytes behind them that no decoder reads.
        Coding::Rle | Coding::Deflate | Coding::Plain => false,
    }
}

fn short(stream: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes([*stream.get(at)?, *stream.get(at + 1)?])))
}

/// Where a segment's body lies; `at` is that of its marker.
fn body(stream: &[u8], at: usize) -> Option<(usize, usize)> {
    let end = (at + 2).checked_add(short(stream, at + 2)?)?;
    (end >= at + 4 && end <= stream.len()).then_some((at + 4, end))
}

/// ITU-T T.81 B.1.1: comments, and application segments other than JFIF's without a thumbnail. What
/// stands behind the end of the image goes too.
fn jpeg(stream: &mut [u8]) -> Option<()> {
    if stream.get(..2)? != [0xFF, 0xD8] {
        return None;
    }
    let mut at = 2;
    loop {
        let [0xFF, marker] = *stream.get(at..at + 2)? else { return None };
        if marker == 0xFF {
            at += 1;
            continue;
        }
        let (start, end) = body(stream, at)?;
        let jfif = marker == 0xE0 && end - start == 14 && stream[start..].starts_with(b"JFIF\0");
        if matches!(marker, 0xE0..=0xEF | 0xFE) && !jfif {
            stream[start..end].fill(b' ');
        }
        at = end;
        if marker == 0xDA {
            break;
        }
    }
    let finish = stream.windows(2).rposition(|window| window == [0xFF, 0xD9])? + 2;
    if finish <= at {
        return None;
    }
    stream[finish..].fill(0);
    Some(())
}

/// ITU-T T.800 A.9.2: comments of the main header and of every tile-part's.
fn jpeg_2000(stream: &mut [u8]) -> Option<()> {
    if stream.get(..2)? != [0xFF, 0x4F] {
        return None;
    }
    let mut at = 2;
    // Where the tile-part ends whose header is walked over.
    let mut next = None;
    loop {
        match *stream.get(at..at + 2)? {
            // A tile-part's data: on to the next one.
            [0xFF, 0x93] => match next? {
                0 => return Some(()),
                end => at = end,
            },
            [0xFF, 0xD9] => {
                stream[at + 2..].fill(0);
                return Some(());
            }
            [0xFF, marker] => {
                let (start, end) = body(stream, at)?;
                if marker == 0x90 {
                    let length = short(stream, start + 2)? << 16 | short(stream, start + 4)?;
                    let stop = at.checked_add(length)?;
                    next = Some(if length == 0 { 0 } else { stop });
                    if length != 0 && stop <= at {
                        return None;
                    }
                }
                if marker == 0x64 {
                    stream[start + 2..end].fill(b' ');
                }
                at = end;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_written_over_and_nothing_else() {
        let mut jpeg =
            b"\xFF\xD8\xFF\xFE\x00\x07DOE^J\xFF\xE1\x00\x06Exif\xFF\xDA\x00\x03\x01\x11\xFF\xD9DOE"
                .to_vec();
        assert!(clean(Coding::Jpeg, &mut jpeg));
        assert_eq!(
            jpeg,
            b"\xFF\xD8\xFF\xFE\x00\x07     \xFF\xE1\x00\x06    \xFF\xDA\x00\x03\x01\x11\xFF\xD9\0\0\0"
        );
        let mut code =
            b"\xFF\x4F\xFF\x64\x00\x07\x00\x01DOE\xFF\x90\x00\x0A\x00\x00\x00\x00\x00\x15\x00\x01\
            \xFF\x64\x00\x05\x00\x01D\xFF\x93\xFF\xD9DOE"
                .to_vec();
        assert!(clean(Coding::Jpeg2000, &mut code));
        assert!(!code.windows(3).any(|window| window == b"DOE"));
        assert!(!clean(Coding::Jpeg, &mut b"\xFF\xD8\xFF\xFE\x00".to_vec()));
        assert!(!clean(Coding::Jpeg2000, &mut b"\0\0\0\x0CjP  ".to_vec()));
    }
}
