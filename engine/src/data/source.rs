//! Sources: which files there are, and what one of them brings into a data set.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use image::{ExtendedColorType, ImageEncoder, codecs::png};
use sha2::{Digest, Sha256};

use super::masks::MaskSource;
use super::{BuildOptions, DataError};
use crate::dicom::{self, Frame, Header, ReadOptions};
use crate::prompt::StructuredPrompt;
use crate::quality::is_chest;
use crate::terms::{AgeGroup, finding};

/// Longest side of a stored frame: beyond what any model here is trained at.
const LONGEST_SIDE: u32 = 1_024;

/// Files taken as sources, in the order of their paths, and how many others lie beside them.
pub(super) struct Files {
    pub(super) dicom: Vec<PathBuf>,
    pub(super) others: u64,
}

/// Walks the sources: a file must be DICOM, a folder may hold other files too.
pub(super) fn files(sources: &[PathBuf]) -> Result<Files, DataError> {
    let mut files = Files { dicom: Vec::new(), others: 0 };
    for (index, source) in sources.iter().enumerate() {
        let cause = |cause: String| DataError::Option { option: "sources", cause };
        let kind = std::fs::metadata(source)
            .map_err(|error| cause(format!("entry {}: {error}", index + 1)))?;
        if kind.is_dir() {
            let reading = DataError::io("a folder of sources");
            let (found, others) = dicom::dicom_files(source).map_err(reading)?;
            files.dicom.extend(found);
            files.others += others;
        } else {
            files.dicom.push(source.clone());
        }
    }
    files.dicom.sort();
    files.dicom.dedup();
    if files.dicom.is_empty() {
        return Err(DataError::Sources { cause: "no DICOM files among the sources".to_owned() });
    }
    Ok(files)
}

/// What one source brings.
pub(super) struct Taken {
    /// SHA-256 of the file.
    pub(super) source_sha256: [u8; 32],
    /// SHA-256 of the calibrated pixels.
    pub(super) pixels_sha256: [u8; 32],
    pub(super) header: Header,
    pub(super) findings: Vec<String>,
    pub(super) age_group: Option<AgeGroup>,
    pub(super) view_position: Option<String>,
    pub(super) caption: String,
    pub(super) width: u32,
    pub(super) height: u32,
    /// The frame as a PNG.
    pub(super) png: Vec<u8>,
    /// The lung mask as a PNG, where there is one.
    pub(super) mask_png: Option<Vec<u8>>,
}

/// Reads and encodes one source; `number` counts from 1.
pub(super) fn take(
    path: &Path,
    number: usize,
    options: &BuildOptions,
    masks: Option<&MaskSource>,
) -> Result<Taken, DataError> {
    let reading = || DataError::io("a source");
    let mut file = File::open(path).map_err(reading())?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(reading())? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    let radiograph = dicom::read_from(file, ReadOptions::default())
        .map_err(|source| DataError::Source { number, path: path.to_owned(), source })?;
    let header = radiograph.header;
    let described = describe(&header, options).map_err(|cause| DataError::Unfit {
        number,
        path: path.to_owned(),
        cause,
    })?;
    let frame = reduced(radiograph.frame);
    let values: Vec<u16> =
        frame.pixels.iter().map(|pixel| (pixel * 65_535.0).round() as u16).collect();
    let (png, pixels_sha256) = encode(&frame, &values)?;
    let mask_png = match masks {
        Some(masks) => masks.of(path, &frame).map_err(|cause| DataError::Unfit {
            number,
            path: path.to_owned(),
            cause,
        })?,
        None => None,
    };
    Ok(Taken {
        source_sha256: hasher.finalize().into(),
        pixels_sha256,
        findings: described.findings,
        age_group: described.age_group,
        view_position: described.view_position,
        caption: described.caption,
        width: frame.width,
        height: frame.height,
        header,
        png,
        mask_png,
    })
}

struct Described {
    findings: Vec<String>,
    age_group: Option<AgeGroup>,
    view_position: Option<String>,
    caption: String,
}

/// The caption of a header, or why there is none.
fn describe(header: &Header, options: &BuildOptions) -> Result<Described, String> {
    if header.synthetic && !options.allow_synthetic {
        return Err("SyntheticData (0008,001C) is YES, and synthetic sources are not allowed: a \
                    model trained on its own output forgets"
            .to_owned());
    }
    if header.patient_id.is_empty() {
        return Err("PatientID (0010,0020): absent, so no split by patient is possible".to_owned());
    }
    if !header.body_part.as_deref().is_none_or(is_chest) {
        return Err("BodyPartExamined (0018,0015): not a chest, and captions speak of chest \
                    radiographs"
            .to_owned());
    }
    if header.findings.is_empty() {
        return Err(
            "AdmittingDiagnosesCodeSequence (0008,1084): no finding of the vocabulary, here \
                    or in AdmittingDiagnosesDescription (0008,1080)"
                .to_owned(),
        );
    }
    let age_group = header.age_years.map(AgeGroup::of_years);
    // A view that the vocabulary does not know is no reason to refuse a radiograph; it is not named.
    let view_position = header
        .view_position
        .as_deref()
        .and_then(crate::terms::view_position)
        .map(|view| view.code.to_owned());
    let caption = StructuredPrompt {
        findings: header.described.clone(),
        age_group,
        sex: header.sex,
        view_position: view_position.clone(),
        style: None,
        text: None,
    }
    .sentence()
    .map_err(|error| error.to_string())?;
    let findings = header
        .findings
        .iter()
        .filter_map(|word| finding(word))
        .map(|finding| finding.slug.to_owned())
        .collect();
    Ok(Described { findings, age_group, view_position, caption })
}

/// At most [`LONGEST_SIDE`] on the longest side.
fn reduced(frame: Frame) -> Frame {
    let longest = frame.width.max(frame.height);
    if longest <= LONGEST_SIDE {
        return frame;
    }
    let side = |side: u32| {
        let reduced = f64::from(side) * f64::from(LONGEST_SIDE) / f64::from(longest);
        (reduced.round() as u32).max(1)
    };
    frame.resized(side(frame.width), side(frame.height))
}

/// A 16-bit greyscale PNG, and the SHA-256 of its size and pixels.
fn encode(frame: &Frame, values: &[u16]) -> Result<(Vec<u8>, [u8; 32]), DataError> {
    let native: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    let mut png = Vec::new();
    png::PngEncoder::new(&mut png)
        .write_image(&native, frame.width, frame.height, ExtendedColorType::L16)
        .map_err(|error| DataError::Io { what: "a frame", source: std::io::Error::other(error) })?;
    let mut hasher = Sha256::new();
    hasher.update(frame.width.to_le_bytes());
    hasher.update(frame.height.to_le_bytes());
    for value in values {
        hasher.update(value.to_le_bytes());
    }
    Ok((png, hasher.finalize().into()))
}
