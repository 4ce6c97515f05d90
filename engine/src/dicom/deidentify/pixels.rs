//! The pixels of an object that leaves: text burned into them is blanked, and what stands beside the
//! values goes.

use dicom_core::value::{PixelFragmentSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::lines::{Area, burned_in};
use super::report::Region;
use super::stream;
use crate::dicom::pixels::{Layout, Stored, check, stored};
use crate::dicom::source::Opened;
use crate::dicom::{DicomError, Header};

/// How often is looked again after blanking before the object is given up.
const LOOKS: usize = 4;
/// Part of a frame that is blanked at most: more is no annotation but the picture.
const MOST_BLANKED: f64 = 0.2;

/// Pixels that may leave.
pub(super) struct Pixels {
    data: Data,
    layout: Layout,
    /// What was blanked.
    pub(super) regions: Vec<Region>,
    /// The values of a single frame, where they were decoded.
    pub(super) decoded: Option<Stored>,
}

enum Data {
    /// A stream a frame, in the transfer syntax in which it came.
    Streams(Vec<Vec<u8>>, &'static str),
    /// Words of all frames, not compressed.
    Words(Vec<u16>),
}

/// Cleans the pixels of an object; the inner error is the reason why they cannot be shown clean.
pub(super) fn clean(
    opened: &mut Opened,
    header: &Header,
    find_text: bool,
) -> Result<Result<Pixels, String>, DicomError> {
    let layout = check(opened, header, 0)?;
    let mut regions = Vec::new();
    // A single frame is decoded once; of several only one is held at a time until one must be changed.
    let mut only = None;
    if find_text {
        for frame in 0..header.frames {
            let mut stored = stored(opened, header, layout, frame)?;
            match blank(&mut stored, header, frame, layout) {
                Ok(found) => regions.extend(found),
                Err(reason) => return Ok(Err(reason)),
            }
            only = Some(stored);
        }
    }
    if regions.is_empty()
        && let Some(data) = streams(opened, header, layout)?
    {
        let decoded = only.filter(|_| header.frames == 1);
        return Ok(Ok(Pixels { data, layout, regions, decoded }));
    }
    let mut words = Vec::new();
    for frame in 0..header.frames {
        let stored = match only.take() {
            Some(stored) if header.frames == 1 => stored,
            _ => {
                let mut stored = stored(opened, header, layout, frame)?;
                let of_frame = regions.iter().filter(|region| region.frame == frame + 1);
                for region in of_frame {
                    fill(&mut stored, header, area(region));
                }
                stored
            }
        };
        // Bits beside the value may hold anything: overlays stood there once.
        words.extend(stored.words.iter().map(|word| word & layout.mask()));
        only = (header.frames == 1).then_some(stored);
    }
    Ok(Ok(Pixels { data: Data::Words(words), layout, regions, decoded: only }))
}

/// The frames' streams without comments, or `None` where they are not to be kept.
fn streams(
    opened: &mut Opened,
    header: &Header,
    layout: Layout,
) -> Result<Option<Data>, DicomError> {
    let Some((coding, transfer_syntax)) = layout.coding.zip(kept(&header.transfer_syntax_uid))
    else {
        return Ok(None);
    };
    let mut streams = Vec::new();
    for frame in 0..header.frames {
        let mut bytes = opened.stream(frame, header.frames)?;
        if !stream::clean(coding, &mut bytes) {
            return Ok(None);
        }
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        streams.push(bytes);
    }
    Ok(Some(Data::Streams(streams, transfer_syntax)))
}

/// Transfer syntaxes whose streams are kept as they are.
fn kept(transfer_syntax: &str) -> Option<&'static str> {
    [
        uids::JPEG_BASELINE8_BIT,
        uids::JPEG_EXTENDED12_BIT,
        uids::JPEG_LOSSLESS,
        uids::JPEG_LOSSLESS_SV1,
        uids::JPEGLS_LOSSLESS,
        uids::JPEGLS_NEAR_LOSSLESS,
        uids::JPEG2000_LOSSLESS,
        uids::JPEG2000,
        uids::HTJ2K_LOSSLESS,
        uids::HTJ2K_LOSSLESS_RPCL,
        uids::HTJ2K,
    ]
    .into_iter()
    .find(|uid| *uid == transfer_syntax)
}

fn area(region: &Region) -> Area {
    Area {
        left: region.left as usize,
        top: region.top as usize,
        right: (region.left + region.width) as usize,
        bottom: (region.top + region.height) as usize,
    }
}

/// Blanks every text of a frame (from 0) and looks again, until none is found.
fn blank(
    stored: &mut Stored,
    header: &Header,
    frame: u32,
    layout: Layout,
) -> Result<Vec<Region>, String> {
    let (width, height) = (header.columns as usize, header.rows as usize);
    let mut regions = Vec::new();
    for _ in 0..LOOKS {
        let values: Vec<i32> = stored.values().collect();
        let found = burned_in(&values, width, height);
        if found.is_empty() {
            return Ok(regions);
        }
        let mut blanked = 0;
        for area in found {
            fill(stored, header, area);
            blanked += (area.right - area.left) * (area.bottom - area.top);
            regions.push(Region {
                frame: frame + 1,
                left: area.left as u32,
                top: area.top as u32,
                width: (area.right - area.left) as u32,
                height: (area.bottom - area.top) as u32,
            });
        }
        if blanked as f64 > MOST_BLANKED * (width * height) as f64 {
            return Err(format!(
                "PixelData (7FE0,0010): what looks like text covers more than a fifth of frame {}",
                frame + 1
            ));
        }
    }
    let bits = layout.bytes_a_pixel * 8;
    Err(format!(
        "PixelData (7FE0,0010): frame {} of {bits} bits still looks like text after {LOOKS} times",
        frame + 1
    ))
}

/// Fills an area with the median of the values around it, so that it draws no eye.
fn fill(stored: &mut Stored, header: &Header, area: Area) {
    let (width, height) = (header.columns as usize, header.rows as usize);
    let (left, top) = (area.left.saturating_sub(1), area.top.saturating_sub(1));
    let (right, bottom) = (area.right.min(width - 1), area.bottom.min(height - 1));
    let mut around: Vec<(i32, u16)> = Vec::new();
    let mut take = |column: usize, row: usize| {
        let word = stored.words[row * width + column];
        around.push((stored.value(word), word));
    };
    for column in left..=right {
        take(column, top);
        take(column, bottom);
    }
    for row in top..=bottom {
        take(left, row);
        take(right, row);
    }
    let middle = around.len() / 2;
    let word = around.select_nth_unstable(middle).1.1;
    for row in area.top..area.bottom.min(height) {
        let line = row * width;
        stored.words[line + area.left..line + area.right.min(width)].fill(word);
    }
}

impl Pixels {
    /// Puts the pixels into a data set, whose header then describes them; returns the transfer syntax.
    pub(super) fn put(self, set: &mut InMemDicomObject) -> &'static str {
        // Where frames lie was told of other streams.
        set.remove_element(tags::EXTENDED_OFFSET_TABLE);
        set.remove_element(tags::EXTENDED_OFFSET_TABLE_LENGTHS);
        let (vr, value, transfer_syntax): (VR, Value<InMemDicomObject, Vec<u8>>, _) =
            match self.data {
                Data::Streams(streams, transfer_syntax) => {
                    let sequence = PixelFragmentSequence::new(Vec::<u32>::new(), streams);
                    (VR::OB, Value::PixelSequence(sequence), transfer_syntax)
                }
                Data::Words(words) => {
                    if self.layout.coding.is_some() {
                        // Whole values now, whose highest bit is the last one that is stored.
                        self.layout.describe(set);
                    }
                    let (vr, value) = if self.layout.bytes_a_pixel == 1 {
                        let mut bytes: Vec<u8> = words.iter().map(|word| *word as u8).collect();
                        bytes.resize(bytes.len().next_multiple_of(2), 0);
                        (VR::OB, PrimitiveValue::from(bytes))
                    } else {
                        (VR::OW, PrimitiveValue::U16(words.into()))
                    };
                    (vr, Value::Primitive(value), uids::EXPLICIT_VR_LITTLE_ENDIAN)
                }
            };
        set.put(DataElement::new(tags::PIXEL_DATA, vr, value));
        transfer_syntax
    }
}
