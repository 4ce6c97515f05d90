//! Digital X-Ray Image Storage – For Presentation (PS3.3 A.26): what wrapped and synthetic objects
//! have in common.

use dicom_core::value::{DataSetSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::DicomError;
use super::meta::with_meta;
use crate::terms::{Described, Finding, Severity, Sex, ViewPosition};

/// Designator for findings that SNOMED CT has no exact word for (PS3.16 8.2: private, begins 99).
pub(super) const OWN_SCHEME: &str = "99SKIAGRAPH";

/// Stored values, row by row.
pub(super) enum Stored {
    /// Eight bits.
    Bytes(Vec<u8>),
    /// More than eight bits, in sixteen.
    Words {
        /// The values.
        values: Vec<u16>,
        /// Bits Stored (0028,0101).
        bits: u16,
    },
}

/// What a DX object says beyond its constants.
pub(super) struct Dx<'a> {
    pub(super) sop_instance_uid: String,
    pub(super) study_instance_uid: String,
    pub(super) series_instance_uid: String,
    pub(super) patient_name: String,
    pub(super) patient_id: String,
    /// `nnnD`, `nnnW`, `nnnM` or `nnnY`.
    pub(super) patient_age: Option<String>,
    pub(super) sex: Option<Sex>,
    pub(super) view: Option<&'static ViewPosition>,
    pub(super) findings: Vec<Described>,
    pub(super) columns: u16,
    pub(super) rows: u16,
    pub(super) stored: Stored,
    /// Side of a pixel at the detector, in millimetres.
    pub(super) spacing: f32,
    /// Ratio and method of a lossy compression that the pixels went through.
    pub(super) lossy: Option<(f32, &'static str)>,
    /// How the pixels came to be (0008,2111), at most 1024 characters.
    pub(super) derivation: String,
    pub(super) manufacturer: &'a str,
    pub(super) model_name: &'a str,
    /// `YYYYMMDD` and `HHMMSS`; empty where unknown.
    pub(super) date: &'a str,
    pub(super) time: &'a str,
}

/// A data set under construction, by one short call an element.
pub(super) struct Elements(pub(super) InMemDicomObject);

impl Elements {
    pub(super) fn new() -> Self {
        Self(InMemDicomObject::new_empty())
    }

    /// One text value; empty text is an element of no length.
    pub(super) fn text(&mut self, tag: Tag, vr: VR, value: &str) {
        let value = if value.is_empty() { PrimitiveValue::Empty } else { value.into() };
        self.0.put(DataElement::new(tag, vr, value));
    }

    pub(super) fn texts(&mut self, tag: Tag, vr: VR, values: &[&str]) {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        self.0.put(DataElement::new(tag, vr, PrimitiveValue::Strs(values)));
    }

    pub(super) fn short(&mut self, tag: Tag, value: u16) {
        self.0.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
    }

    /// A tag as the value (VR AT).
    pub(super) fn tag(&mut self, tag: Tag, value: Tag) {
        self.0.put(DataElement::new(tag, VR::AT, PrimitiveValue::from(value)));
    }

    pub(super) fn sequence(&mut self, tag: Tag, items: Vec<InMemDicomObject>) {
        self.0.put(DataElement::new(tag, VR::SQ, Value::from(DataSetSequence::from(items))));
    }
}

/// A coded concept (PS3.3 table 8.8-1).
pub(super) fn code(value: &str, scheme: &str, meaning: &str) -> InMemDicomObject {
    let mut item = Elements::new();
    item.text(tags::CODE_VALUE, VR::SH, value);
    item.text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme);
    item.text(tags::CODE_MEANING, VR::LO, meaning);
    item.0
}

/// The code of a finding that SNOMED CT has no exact word for: a Short String's 16 characters.
pub(super) fn own_code(finding: &Finding) -> String {
    finding.slug.to_uppercase().chars().take(16).collect()
}

/// Side (PS3.16 CID 244), region and severity (CID 3716) of a finding, for the Modifier Code Sequence
/// (0040,A195) of its code: the class has no place of its own for them, and may be extended by
/// standard attributes (PS3.2 3.11.3).
fn modifiers(described: &Described) -> Vec<InMemDicomObject> {
    let place = described.place;
    let laterality = place.map(|place| place.laterality.snomed());
    let region = place.and_then(|place| place.region);
    let severity = described.severity.map(Severity::snomed);
    let codes = [laterality, region, severity].into_iter().flatten();
    codes.map(|(value, meaning)| code(value, "SCT", meaning)).collect()
}

impl Dx<'_> {
    /// The data set; the caller may add to it before [`encode`].
    pub(super) fn into_elements(self) -> Elements {
        let mut e = Elements::new();
        self.patient_and_study(&mut e);
        self.series_and_equipment(&mut e);
        self.anatomy(&mut e);
        self.findings(&mut e);
        self.image(&mut e);
        self.pixels(&mut e);
        e
    }

    fn patient_and_study(&self, e: &mut Elements) {
        e.text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
        e.text(tags::PATIENT_NAME, VR::PN, &self.patient_name);
        e.text(tags::PATIENT_ID, VR::LO, &self.patient_id);
        e.text(tags::PATIENT_BIRTH_DATE, VR::DA, "");
        e.text(tags::PATIENT_SEX, VR::CS, self.sex.map_or("", Sex::code));
        if let Some(age) = &self.patient_age {
            e.text(tags::PATIENT_AGE, VR::AS, age);
        }
        e.text(tags::STUDY_INSTANCE_UID, VR::UI, &self.study_instance_uid);
        e.text(tags::STUDY_DATE, VR::DA, self.date);
        e.text(tags::STUDY_TIME, VR::TM, self.time);
        e.text(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "");
        e.text(tags::STUDY_ID, VR::SH, "1");
        e.text(tags::ACCESSION_NUMBER, VR::SH, "");
    }

    fn series_and_equipment(&self, e: &mut Elements) {
        e.text(tags::MODALITY, VR::CS, "DX");
        e.text(tags::SERIES_INSTANCE_UID, VR::UI, &self.series_instance_uid);
        e.text(tags::SERIES_NUMBER, VR::IS, "1");
        e.text(tags::PRESENTATION_INTENT_TYPE, VR::CS, "FOR PRESENTATION");
        e.text(tags::MANUFACTURER, VR::LO, self.manufacturer);
        if !self.model_name.is_empty() {
            e.text(tags::MANUFACTURER_MODEL_NAME, VR::LO, self.model_name);
        }
        e.text(tags::SOP_CLASS_UID, VR::UI, uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION);
        e.text(tags::SOP_INSTANCE_UID, VR::UI, &self.sop_instance_uid);
        e.text(tags::INSTANCE_NUMBER, VR::IS, "1");
    }

    fn anatomy(&self, e: &mut Elements) {
        e.text(tags::BODY_PART_EXAMINED, VR::CS, "CHEST");
        // The chest is one region and neither left nor right (PS3.3 C.8.11.2).
        e.text(tags::IMAGE_LATERALITY, VR::CS, "U");
        e.sequence(tags::ANATOMIC_REGION_SEQUENCE, vec![code("816094009", "SCT", "Chest")]);
        if let Some(view) = self.view {
            e.text(tags::VIEW_POSITION, VR::CS, view.code);
            let (value, meaning) = view.snomed;
            let mut item = Elements(code(value, "SCT", meaning));
            item.sequence(tags::VIEW_MODIFIER_CODE_SEQUENCE, Vec::new());
            e.sequence(tags::VIEW_CODE_SEQUENCE, vec![item.0]);
            e.texts(tags::PATIENT_ORIENTATION, VR::CS, &view.orientation);
        } else {
            // Type 2C: a frontal chest radiograph, which is what is shown without a view.
            e.texts(tags::PATIENT_ORIENTATION, VR::CS, &["L", "F"]);
        }
    }

    fn findings(&self, e: &mut Elements) {
        if self.findings.is_empty() {
            return;
        }
        let names: Vec<String> = self.findings.iter().map(Described::words).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        e.texts(tags::ADMITTING_DIAGNOSES_DESCRIPTION, VR::LO, &names);
        let codes = self.findings.iter().map(|described| {
            let finding = described.finding;
            let mut item = Elements(match finding.snomed {
                Some(value) => code(value, "SCT", finding.meaning),
                None => code(&own_code(finding), OWN_SCHEME, finding.meaning),
            });
            let modifiers = modifiers(described);
            if !modifiers.is_empty() {
                item.sequence(tags::MODIFIER_CODE_SEQUENCE, modifiers);
            }
            item.0
        });
        e.sequence(tags::ADMITTING_DIAGNOSES_CODE_SEQUENCE, codes.collect());
    }

    fn image(&self, e: &mut Elements) {
        e.texts(tags::IMAGE_TYPE, VR::CS, &["DERIVED", "PRIMARY"]);
        e.text(tags::DERIVATION_DESCRIPTION, VR::ST, &self.derivation);
        e.text(tags::CONTENT_DATE, VR::DA, self.date);
        e.text(tags::CONTENT_TIME, VR::TM, self.time);
        e.text(tags::ACQUISITION_NUMBER, VR::IS, "1");
        e.sequence(tags::ACQUISITION_CONTEXT_SEQUENCE, Vec::new());
        e.text(tags::POSITIONER_TYPE, VR::CS, "NONE");
        e.text(tags::DETECTOR_TYPE, VR::CS, "");
        let spacing = format!("{:.4}", self.spacing);
        e.texts(tags::IMAGER_PIXEL_SPACING, VR::DS, &[&spacing, &spacing]);
        e.text(tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
        if let Some((ratio, method)) = self.lossy {
            e.text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "01");
            e.text(tags::LOSSY_IMAGE_COMPRESSION_RATIO, VR::DS, &format!("{ratio:.2}"));
            e.text(tags::LOSSY_IMAGE_COMPRESSION_METHOD, VR::CS, method);
        } else {
            e.text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
        }
    }

    fn pixels(self, e: &mut Elements) {
        let (allocated, bits) = match &self.stored {
            Stored::Bytes(_) => (8, 8),
            Stored::Words { bits, .. } => (16, *bits),
        };
        let range = 1_u32 << bits;
        e.short(tags::SAMPLES_PER_PIXEL, 1);
        e.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
        e.short(tags::ROWS, self.rows);
        e.short(tags::COLUMNS, self.columns);
        e.short(tags::BITS_ALLOCATED, allocated);
        e.short(tags::BITS_STORED, bits);
        e.short(tags::HIGH_BIT, bits - 1);
        e.short(tags::PIXEL_REPRESENTATION, 0);
        e.text(tags::PIXEL_INTENSITY_RELATIONSHIP, VR::CS, "LOG");
        // -1: higher values are less X-ray intensity, as on film (PS3.3 C.8.11.3.1.2).
        e.0.put(DataElement::new(
            tags::PIXEL_INTENSITY_RELATIONSHIP_SIGN,
            VR::SS,
            PrimitiveValue::from(-1_i16),
        ));
        e.text(tags::RESCALE_INTERCEPT, VR::DS, "0");
        e.text(tags::RESCALE_SLOPE, VR::DS, "1");
        e.text(tags::RESCALE_TYPE, VR::LO, "US");
        e.text(tags::PRESENTATION_LUT_SHAPE, VR::CS, "IDENTITY");
        // The linear window over the whole range: value / (range - 1) (PS3.3 C.11.2.1.2.1).
        e.text(tags::WINDOW_CENTER, VR::DS, &(range / 2).to_string());
        e.text(tags::WINDOW_WIDTH, VR::DS, &range.to_string());
        let (vr, value) = match self.stored {
            Stored::Bytes(mut values) => {
                if values.len() % 2 == 1 {
                    values.push(0);
                }
                (VR::OB, PrimitiveValue::from(values))
            }
            Stored::Words { values, .. } => (VR::OW, PrimitiveValue::U16(values.into())),
        };
        e.0.put(DataElement::new(tags::PIXEL_DATA, vr, value));
    }
}

/// Encodes a data set as a Part 10 file in Explicit VR Little Endian.
pub(super) fn encode(elements: Elements) -> Result<Vec<u8>, DicomError> {
    encode_as(elements.0, uids::EXPLICIT_VR_LITTLE_ENDIAN)
}

/// Encodes a data set as a Part 10 file whose pixels are in the transfer syntax already.
///
/// # Errors
/// [`DicomError::Attribute`] of class or instance where it is no one UID: nobody would read the file.
pub(super) fn encode_as(
    set: InMemDicomObject,
    transfer_syntax: &str,
) -> Result<Vec<u8>, DicomError> {
    let mut bytes = Vec::new();
    with_meta(set, transfer_syntax)?.write_all(&mut bytes).map_err(|error| failed(&error))?;
    Ok(bytes)
}

/// What dicom-rs says of an object that it cannot write.
pub(super) fn failed(error: &dyn std::error::Error) -> DicomError {
    DicomError::Write { cause: super::pixels::innermost(error) }
}
