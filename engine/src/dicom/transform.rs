//! From stored values to what a display shows: Modality LUT, VOI LUT, polarity, padding
//! (PS3.4 N.2), then square pixels.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{integer, items, number, numbers, text};
use super::lookup::{Lookup, signed};
use super::pixels::Stored;
use super::show::{DisplayWindow, WindowFunction};
use super::{DicomError, Frame, Header};

/// Part of the pixels that may lie beyond each end of a window taken from the pixels: collimator
/// edges and markers are brighter or darker than anything of the patient.
const BEYOND_WINDOW: f64 = 0.005;

/// Spacing is taken for square when its sides differ by less.
const SQUARE_WITHIN: f64 = 0.005;

/// Pixels of the largest radiograph that is resampled: it takes sixteen bytes a pixel meanwhile.
const MOST_RESAMPLED: u64 = 32 << 20;

enum Modality {
    Linear { slope: f64, intercept: f64 },
    Table(Lookup),
}

enum Voi {
    /// PS3.3 C.11.2.1.2.1
    Linear { center: f64, width: f64 },
    /// PS3.3 C.11.2.1.3.2
    LinearExact { center: f64, width: f64 },
    /// PS3.3 C.11.2.1.3.1
    Sigmoid { center: f64, width: f64 },
    /// PS3.3 C.11.2.1.1
    Table(Lookup),
}

/// Calibrates stored values into a frame of square pixels; `window` chooses among the object's tables
/// and windows, from 1.
pub(super) fn calibrate(
    object: &InMemDicomObject,
    header: &Header,
    stored: &Stored,
    window: Option<u32>,
) -> Result<Frame, DicomError> {
    shown(object, header, stored, voi(object, window)?)
}

/// [`calibrate`] through a window that the object does not bring; through its first where there is none.
pub(super) fn calibrate_through(
    object: &InMemDicomObject,
    header: &Header,
    stored: &Stored,
    window: Option<&DisplayWindow>,
) -> Result<Frame, DicomError> {
    let voi = match window {
        None => voi(object, None)?,
        Some(DisplayWindow { center, width, function }) => {
            let (center, width) = (*center, *width);
            let voi = match function {
                WindowFunction::Linear => Voi::Linear { center, width },
                WindowFunction::LinearExact => Voi::LinearExact { center, width },
                WindowFunction::Sigmoid => Voi::Sigmoid { center, width },
            };
            Some(voi.checked()?)
        }
    };
    shown(object, header, stored, voi)
}

fn shown(
    object: &InMemDicomObject,
    header: &Header,
    stored: &Stored,
    voi: Option<Voi>,
) -> Result<Frame, DicomError> {
    let modality = modality(object)?;
    let padding = padding(object);
    let is_padding = |value: i32| padding.is_some_and(|(low, high)| (low..=high).contains(&value));
    let voi = match voi {
        Some(voi) => voi,
        None => window_of_pixels(
            stored.values().filter(|raw| !is_padding(*raw)).map(|raw| modality.apply(raw)),
        ),
    };
    let inverted = inverted(object, header)?;
    let pixels = stored
        .values()
        .map(|raw| {
            if is_padding(raw) {
                // Padding is background, and background is black whatever the polarity.
                return 0.0;
            }
            let shown = voi.apply(modality.apply(raw));
            if inverted { 1.0 - shown } else { shown }
        })
        .collect();
    let frame = Frame { width: header.columns, height: header.rows, pixels };
    square_pixels(object, frame)
}

/// Whether the lowest value is shown white.
///
/// MONOCHROME1 says so of any image (PS3.3 C.7.6.3.1.2), Presentation LUT Shape INVERSE of one that has
/// it (C.11.6.1.2). The DX image asks for both or neither (C.8.11.3.1); where only one is there, it is
/// meant.
fn inverted(object: &InMemDicomObject, header: &Header) -> Result<bool, DicomError> {
    let shape = match text(object, tags::PRESENTATION_LUT_SHAPE).as_deref() {
        None | Some("IDENTITY") => false,
        Some("INVERSE") => true,
        Some(_) => {
            return Err(DicomError::attribute(
                "PresentationLUTShape",
                "2050,0020",
                "IDENTITY and INVERSE are read",
            ));
        }
    };
    Ok(shape || header.photometric_interpretation == "MONOCHROME1")
}

impl Modality {
    fn apply(&self, stored: i32) -> f32 {
        match self {
            Self::Linear { slope, intercept } => (f64::from(stored) * slope + intercept) as f32,
            Self::Table(table) => table.apply(stored as f32),
        }
    }
}

fn modality(object: &InMemDicomObject) -> Result<Modality, DicomError> {
    if let Some(item) = items(object, tags::MODALITY_LUT_SEQUENCE).first() {
        return Lookup::from_item(item, signed(object)).map(Modality::Table);
    }
    let slope = rescale(object, tags::RESCALE_SLOPE, "RescaleSlope", "0028,1053")?.unwrap_or(1.0);
    if slope == 0.0 {
        return Err(DicomError::attribute("RescaleSlope", "0028,1053", "zero"));
    }
    let intercept = rescale(object, tags::RESCALE_INTERCEPT, "RescaleIntercept", "0028,1052")?;
    Ok(Modality::Linear { slope, intercept: intercept.unwrap_or(0.0) })
}

/// One side of the linear modality transformation; an empty value says nothing, and one that is no number
/// is not taken for nothing.
fn rescale(
    object: &InMemDicomObject,
    tag: Tag,
    keyword: &'static str,
    name: &'static str,
) -> Result<Option<f64>, DicomError> {
    let value = number(object, tag);
    if value.is_none() && text(object, tag).is_some() {
        return Err(DicomError::attribute(keyword, name, "no number"));
    }
    Ok(value)
}

impl Voi {
    /// The same, where a window is wide enough for its function.
    fn checked(self) -> Result<Self, DicomError> {
        let fits = match &self {
            Self::Linear { width, .. } => *width >= 1.0,
            Self::LinearExact { width, .. } | Self::Sigmoid { width, .. } => *width > 0.0,
            Self::Table(_) => true,
        };
        if fits {
            Ok(self)
        } else {
            Err(DicomError::attribute("WindowWidth", "0028,1051", "too narrow"))
        }
    }

    /// What is shown, between 0 and 1.
    fn apply(&self, value: f32) -> f32 {
        let value64 = f64::from(value);
        let shown = match self {
            Self::Linear { width, center } if *width <= 1.0 => {
                f64::from(u8::from(value64 > center - 0.5))
            }
            Self::Linear { center, width } => (value64 - (center - 0.5)) / (width - 1.0) + 0.5,
            Self::LinearExact { center, width } => (value64 - center) / width + 0.5,
            Self::Sigmoid { center, width } => {
                1.0 / (1.0 + (-4.0 * (value64 - center) / width).exp())
            }
            Self::Table(table) => f64::from(table.apply(value) / table.largest),
        };
        shown.clamp(0.0, 1.0) as f32
    }
}

/// The transformation that the object brings: of its VOI LUTs and then its windows the one chosen, or
/// the first.
fn voi(object: &InMemDicomObject, choice: Option<u32>) -> Result<Option<Voi>, DicomError> {
    let tables = items(object, tags::VOILUT_SEQUENCE);
    let centers = numbers(object, tags::WINDOW_CENTER);
    let widths = numbers(object, tags::WINDOW_WIDTH);
    let windows = centers.len().min(widths.len());
    let index = choice.map_or(0, |choice| choice.wrapping_sub(1) as usize);
    if choice.is_some() && index >= tables.len() + windows {
        return Err(DicomError::attribute(
            "WindowCenter",
            "0028,1050",
            format!("{} tables and {windows} windows, which the choice exceeds", tables.len()),
        ));
    }
    if let Some(item) = tables.get(index) {
        // Whether its first value is signed follows the output of the modality transformation
        // (PS3.3 C.11.2.1.1); that of a table is never negative.
        let negative = items(object, tags::MODALITY_LUT_SEQUENCE).is_empty()
            && (signed(object)
                || number(object, tags::RESCALE_INTERCEPT).is_some_and(|value| value < 0.0));
        return Lookup::from_item(item, negative).map(|table| Some(Voi::Table(table)));
    }
    let at = index - tables.len();
    let (Some(&center), Some(&width)) = (centers.get(at), widths.get(at)) else {
        return Ok(None);
    };
    let function = text(object, tags::VOILUT_FUNCTION);
    let voi = match function.as_deref().unwrap_or("LINEAR") {
        "LINEAR" => Voi::Linear { center, width },
        "LINEAR_EXACT" => Voi::LinearExact { center, width },
        "SIGMOID" => Voi::Sigmoid { center, width },
        _ => {
            return Err(DicomError::attribute(
                "VOILUTFunction",
                "0028,1056",
                "LINEAR, LINEAR_EXACT and SIGMOID are read",
            ));
        }
    };
    voi.checked().map(Some)
}

/// A window over the robust range of the pixels, for an object that brings none.
fn window_of_pixels(values: impl Iterator<Item = f32>) -> Voi {
    let mut values: Vec<f32> = values.collect();
    if values.is_empty() {
        return Voi::LinearExact { center: 0.5, width: 1.0 };
    }
    let beyond = (values.len() as f64 * BEYOND_WINDOW) as usize;
    let last = values.len() - 1;
    let low = f64::from(*values.select_nth_unstable_by(beyond, f32::total_cmp).1);
    let high = f64::from(*values.select_nth_unstable_by(last - beyond, f32::total_cmp).1);
    // A picture of one value is shown mid-grey.
    let width = if high > low { high - low } else { 1.0 };
    Voi::LinearExact { center: f64::midpoint(low, high), width }
}

/// The stored values that are padding: (0028,0120), up to the range limit (0028,0121).
fn padding(object: &InMemDicomObject) -> Option<(i32, i32)> {
    let value = |tag| {
        let value = integer(object, tag)?;
        // The value has the representation of the pixels, whatever VR it was read with.
        Some(if signed(object) { i32::from(value as i16) } else { value as i32 & 0xFFFF })
    };
    let first = value(tags::PIXEL_PADDING_VALUE)?;
    let second = value(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(first);
    Some((first.min(second), first.max(second)))
}

/// Resamples to square pixels where the object says that they are not. The finer side is kept.
fn square_pixels(object: &InMemDicomObject, frame: Frame) -> Result<Frame, DicomError> {
    let (width, height) = square_size(object, frame.width, frame.height)?;
    if (width, height) == (frame.width, frame.height) {
        return Ok(frame);
    }
    Ok(frame.resized(width, height))
}

/// Width and height with square pixels.
///
/// # Errors
/// Where a side of a pixel is over ten times the other, or the result too large.
pub(super) fn square_size(
    object: &InMemDicomObject,
    width: u32,
    height: u32,
) -> Result<(u32, u32), DicomError> {
    // All three give the vertical side first (PS3.3 10.7.1.3, C.7.6.3.1.7).
    let sides = [tags::PIXEL_SPACING, tags::IMAGER_PIXEL_SPACING, tags::PIXEL_ASPECT_RATIO]
        .into_iter()
        .find_map(|tag| match numbers(object, tag).as_slice() {
            &[vertical, horizontal] if vertical > 0.0 && horizontal > 0.0 => {
                Some((vertical, horizontal))
            }
            _ => None,
        });
    let Some((vertical, horizontal)) = sides else {
        return Ok((width, height));
    };
    let fault = |cause: &str| Err(DicomError::attribute("PixelAspectRatio", "0028,0034", cause));
    let ratio = vertical / horizontal;
    if (ratio - 1.0).abs() < SQUARE_WITHIN {
        return Ok((width, height));
    }
    if !(0.1..=10.0).contains(&ratio) {
        return fault("one side of a pixel is over ten times the other");
    }
    let (width, height) = if ratio > 1.0 {
        (width, (f64::from(height) * ratio).round() as u32)
    } else {
        ((f64::from(width) / ratio).round() as u32, height)
    };
    if u64::from(width) * u64::from(height) > MOST_RESAMPLED {
        return fault("the radiograph becomes too large with square pixels");
    }
    Ok((width, height))
}
