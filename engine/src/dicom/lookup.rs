//! Look-up tables: Modality LUT and VOI LUT have the same three attributes (PS3.3 C.11.1, C.11.2).

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::DicomError;
use super::attributes::integer;

/// A table from stored or modality values to others.
#[derive(Debug)]
pub(super) struct Lookup {
    first: f64,
    values: Vec<f32>,
    /// The largest value that the bits of the table can hold.
    pub(super) largest: f32,
}

impl Lookup {
    /// Reads a table from an item of its sequence; `signed` says how its first value is to be
    /// taken.
    pub(super) fn from_item(item: &InMemDicomObject, signed: bool) -> Result<Self, DicomError> {
        let descriptor_error =
            |cause: &str| DicomError::attribute("LUTDescriptor", "0028,3002", cause);
        let descriptor: Vec<i64> = item
            .get(tags::LUT_DESCRIPTOR)
            .and_then(|element| element.to_multi_int::<i64>().ok())
            .ok_or_else(|| descriptor_error("absent"))?;
        let &[count, first, bits] = descriptor.as_slice() else {
            return Err(descriptor_error("three values are needed"));
        };
        // Sixteen bits hold up to 65535 entries; 0 stands for 65536.
        let count = match count & 0xFFFF {
            0 => 0x1_0000,
            count => count as usize,
        };
        if !(8..=16).contains(&bits) {
            return Err(descriptor_error("8 to 16 bits an entry are read"));
        }
        let first = if signed { f64::from(first as i16) } else { (first & 0xFFFF) as f64 };
        let data = item
            .get(tags::LUT_DATA)
            .and_then(|element| element.value().primitive())
            .map(dicom_core::PrimitiveValue::to_bytes)
            .ok_or_else(|| DicomError::attribute("LUTData", "0028,3006", "absent"))?;
        let values: Vec<f32> = if data.len() >= 2 * count {
            data.chunks_exact(2)
                .take(count)
                .map(|raw| f32::from(u16::from_le_bytes([raw[0], raw[1]])))
                .collect()
        } else if bits == 8 && data.len() >= count {
            data.iter().take(count).map(|value| f32::from(*value)).collect()
        } else {
            return Err(DicomError::attribute(
                "LUTData",
                "0028,3006",
                format!("{} bytes for {count} entries", data.len()),
            ));
        };
        Ok(Self { first, values, largest: ((1_u32 << bits) - 1) as f32 })
    }

    /// The table's value; beyond its ends, that of the nearest end.
    pub(super) fn apply(&self, value: f32) -> f32 {
        let last = self.values.len() - 1;
        let index = (f64::from(value) - self.first).round().clamp(0.0, last as f64);
        self.values[index as usize]
    }
}

/// Whether stored values are signed (0028,0103).
pub(super) fn signed(object: &InMemDicomObject) -> bool {
    integer(object, tags::PIXEL_REPRESENTATION) == Some(1)
}
