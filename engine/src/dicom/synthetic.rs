//! Writing a generated image as a DX object that says of itself that it is synthetic.

use chrono::Utc;
use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use skiagraph_compliance::marking::SYNTHESIZING_EQUIPMENT;

use super::dx::{Dx, Elements, OWN_SCHEME, Stored, code};
use super::provenance::{CREATOR, DESCRIPTION, PRIVATE_CREATOR, Provenance, SyntheticDescription};
use super::syntax::{WriteOptions, encode_with};
use super::{DicomError, Frame, uid};
use crate::terms::view_position;

/// Height of a chest detector in millimetres (17 inches); synthetic pixels share it out.
const DETECTOR_HEIGHT: f32 = 430.0;
/// Who made it, for a PACS.
pub(super) const PRODUCT: &str = "Skiagraph";
/// Dates and times of objects of ours are in UTC (0008,0201).
pub(super) const UTC: &str = "+0000";
/// The longest Short Text (PS3.5 6.2).
const SHORT_TEXT: usize = 1_024;
/// The longest Long String.
pub(super) const LONG_STRING: usize = 64;

/// [`write_synthetic_as`] with twelve bits, not compressed.
///
/// # Errors
/// As [`write_synthetic_as`].
pub fn write_synthetic(
    frame: &Frame,
    description: &SyntheticDescription,
) -> Result<Vec<u8>, DicomError> {
    write_synthetic_as(frame, description, WriteOptions::default())
}

/// Writes a DX object – For Presentation: 12 to 16 bits in 16, Synthetic Data YES (PS3.3 C.12.1), the
/// synthesizing equipment with its settings among the contributing equipment (C.12.1.1.5), and a
/// patient who is called synthetic. Every UID is new.
///
/// # Errors
/// [`DicomError`] for an empty frame, one that no DICOM image can hold, another number of bits, or a
/// finding or view position that is not in the vocabulary.
pub fn write_synthetic_as(
    frame: &Frame,
    description: &SyntheticDescription,
    options: WriteOptions,
) -> Result<Vec<u8>, DicomError> {
    options.check()?;
    let (columns, rows) = match (u16::try_from(frame.width), u16::try_from(frame.height)) {
        (Ok(columns), Ok(rows))
            if columns > 0
                && rows > 0
                && frame.pixels.len() == usize::from(columns) * usize::from(rows) =>
        {
            (columns, rows)
        }
        _ => {
            return Err(DicomError::Write {
                cause: format!("a frame of {} × {} pixels", frame.width, frame.height),
            });
        }
    };
    let view = match description.view_position.as_deref() {
        None => None,
        Some(code) => Some(view_position(code).ok_or_else(|| {
            DicomError::attribute("ViewPosition", "0018,5101", "not a known view position")
        })?),
    };
    let findings = description
        .findings
        .iter()
        .map(|entry| {
            entry.resolve().map_err(|fault| {
                DicomError::attribute(
                    "AdmittingDiagnosesDescription",
                    "0008,1080",
                    fault.to_string(),
                )
            })
        })
        .collect::<Result<Vec<_>, _>>()?;

    let largest = ((1_u32 << options.bits) - 1) as f32;
    let values =
        frame.pixels.iter().map(|pixel| (pixel.clamp(0.0, 1.0) * largest).round() as u16).collect();
    let now = Utc::now();
    let (date, time) = (now.format("%Y%m%d").to_string(), now.format("%H%M%S").to_string());
    let sop_instance_uid = uid::fresh();
    // The identifier is the instance's own: two synthetic images are never one patient's.
    let number: String = sop_instance_uid.chars().rev().take(12).collect();
    let mut elements = Dx {
        study_instance_uid: uid::fresh(),
        series_instance_uid: uid::fresh(),
        patient_name: format!("Synthetic^{number}"),
        patient_id: format!("SYNTHETIC-{number}"),
        // A group is no age; PS3.3 leaves the attribute optional, and an invented age would lie.
        patient_age: None,
        sex: description.sex,
        view,
        findings,
        columns,
        rows,
        stored: Stored::Words { values, bits: options.bits },
        spacing: DETECTOR_HEIGHT / f32::from(rows),
        lossy: None,
        derivation: shortened(
            &format!("Synthesized, not acquired: {}", description.prompt),
            SHORT_TEXT,
        ),
        manufacturer: PRODUCT,
        model_name: PRODUCT,
        date: &date,
        time: &time,
        sop_instance_uid,
    }
    .into_elements();
    elements.text(tags::SYNTHETIC_DATA, VR::CS, "YES");
    elements.text(tags::INSTANCE_CREATION_DATE, VR::DA, &date);
    elements.text(tags::INSTANCE_CREATION_TIME, VR::TM, &time);
    elements.text(tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, UTC);
    // CID 7203 has no word for an image that nothing was exposed for, and may be extended.
    elements.sequence(
        tags::DERIVATION_CODE_SEQUENCE,
        vec![code("SYNTHESIS", OWN_SCHEME, "Synthesized by a generative model")],
    );
    elements.sequence(tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE, vec![own_scheme()]);
    elements.text(tags::SERIES_DESCRIPTION, VR::LO, "SYNTHETIC - not for diagnosis");
    elements.text(
        tags::SOFTWARE_VERSIONS,
        VR::LO,
        &shortened(&description.provenance.version, LONG_STRING),
    );
    elements.sequence(
        tags::CONTRIBUTING_EQUIPMENT_SEQUENCE,
        vec![equipment(description, &format!("{date}{time}{UTC}")).0],
    );
    elements.text(PRIVATE_CREATOR, VR::LO, CREATOR);
    elements.text(DESCRIPTION, VR::UT, &description.to_json()?);
    encode_with(elements, options, (columns, rows))
}

/// What the designator of our own codes stands for (PS3.3 C.12.1).
pub(super) fn own_scheme() -> InMemDicomObject {
    let mut item = Elements::new();
    item.text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, OWN_SCHEME);
    item.text(tags::CODING_SCHEME_NAME, VR::ST, "Skiagraph's own codes");
    item.0
}

/// The item of the Contributing Equipment Sequence for the program and its model.
fn equipment(description: &SyntheticDescription, at: &str) -> Elements {
    let provenance = &description.provenance;
    let mut item = Elements::new();
    let (value, scheme, meaning) = SYNTHESIZING_EQUIPMENT;
    item.sequence(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![code(value, scheme, meaning)]);
    // Manufacturer is of type 1: whoever calls without a program's name is this program.
    let program = match provenance.program.as_str() {
        "" => PRODUCT,
        program => program,
    };
    item.text(tags::MANUFACTURER, VR::LO, &shortened(program, LONG_STRING));
    for (tag, value) in [
        (tags::MANUFACTURER_MODEL_NAME, &provenance.model),
        (tags::SOFTWARE_VERSIONS, &provenance.version),
    ] {
        if !value.is_empty() {
            item.text(tag, VR::LO, &shortened(value, LONG_STRING));
        }
    }
    item.text(tags::CONTRIBUTION_DATE_TIME, VR::DT, at);
    item.text(
        tags::CONTRIBUTION_DESCRIPTION,
        VR::ST,
        &shortened(&contribution(description), SHORT_TEXT),
    );
    item
}

fn contribution(description: &SyntheticDescription) -> String {
    let Provenance { program, version, model, model_sha256, seed, .. } = &description.provenance;
    let Provenance { steps, guidance_scale, scheduler, adapters, inputs, .. } =
        &description.provenance;
    let mut text = format!(
        "program={program} {version}; model={model}; model_sha256={model_sha256}; seed={seed}; \
         steps={steps}; guidance_scale={guidance_scale}; scheduler={scheduler}"
    );
    let adapters =
        adapters.iter().map(|adapter| format!("; adapter={}@{}", adapter.name, adapter.scale));
    let inputs = inputs.iter().map(|input| format!("; {}={}", input.role, input.sha256));
    text.extend(adapters.chain(inputs));
    if let Some(watermark) = &description.provenance.watermark {
        text.push_str("; watermark=");
        text.push_str(&watermark.scheme);
    }
    if let Some(age_group) = description.age_group {
        text.push_str("; age_group=");
        text.push_str(age_group.word());
    }
    text
}

/// At most `most` characters, without the control characters and backslashes that would end a
/// value early.
pub(super) fn shortened(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_control() || c == '\\' { ' ' } else { c }).take(most).collect()
}
