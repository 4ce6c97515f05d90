//! Odd radiographs as pydicom shows them. Where it is not installed (`make standards`), that is said aloud.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::fixtures::{Object, pattern, table};
use crate::dicom::read;

/// The Python in which `make standards` installs what judges, where that has a module.
pub(super) fn python_with(module: &str) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let python = target.join("standards/bin/python");
    let there = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    if there.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    println!("skipped: {module} is not installed (make standards)");
    None
}

/// Runs a script on a folder; what it prints must end with `done`.
pub(super) fn run(python: &Path, script: &str, folder: &Path) {
    let output = Command::new(python).args(["-B", "-c", script]).arg(folder).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.trim_end().ends_with("done"), "{said}");
}

/// Values as 32-bit numbers of the processor's order.
pub(super) fn floats(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).unwrap();
    bytes.chunks_exact(4).map(|raw| f32::from_ne_bytes([raw[0], raw[1], raw[2], raw[3]])).collect()
}

/// PS3.4 N.2 in pydicom's functions; of its output range, 0 is black and 1 white.
const SHOW: &str = "
import pathlib, sys
import numpy, pydicom
from pydicom.pixels import apply_modality_lut, apply_voi_lut
for path in sorted(pathlib.Path(sys.argv[1]).glob('*.dcm')):
    dataset = pydicom.dcmread(path, force=True)
    if 'TransferSyntaxUID' not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        syntax = pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = syntax if little else pydicom.uid.ExplicitVRBigEndian
    values = apply_modality_lut(dataset.pixel_array, dataset)
    shown = apply_voi_lut(values, dataset).astype('float64')
    if 'VOILUTSequence' in dataset:
        lowest, highest = 0, 2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
    else:
        bits, signed = dataset.BitsStored, dataset.PixelRepresentation
        lowest, highest = (-2 ** (bits - 1), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        if 'ModalityLUTSequence' in dataset:
            lowest, highest = 0, 2 ** dataset.ModalityLUTSequence[0].LUTDescriptor[2] - 1
        if 'RescaleSlope' in dataset:
            lowest, highest = (
                value * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
                for value in (lowest, highest)
            )
    shown = (shown - lowest) / (highest - lowest)
    if dataset.PhotometricInterpretation == 'MONOCHROME1':
        shown = 1 - shown
    shown.astype('float32').tofile(path.with_suffix('.f32'))
print('done')
";

/// Ten bits of 16 × 12, in the lowest of sixteen; what stands above them is for others to clear.
fn ten_bits(above: u16) -> Object {
    let values: Vec<u16> = pattern().iter().map(|value| value | above).collect();
    Object::words(16, &values).short(tags::BITS_STORED, 10).short(tags::HIGH_BIT, 9)
}

fn signed(object: Object) -> Object {
    object.short(tags::PIXEL_REPRESENTATION, 1)
}

/// A table over `count` values from `first` on, falling.
fn falling(first: i16, count: u16, bits: u16) -> InMemDicomObject {
    let largest = (1_u32 << bits) - 1;
    let entry = |at: u32| (largest - at * largest / u32::from(count - 1)) as u16;
    let entries: Vec<u16> = (0..u32::from(count)).map(entry).collect();
    let mut item = table(0, bits, &entries);
    let descriptor = PrimitiveValue::I16(vec![count as i16, first, bits as i16].into());
    item.put(DataElement::new(tags::LUT_DESCRIPTOR, VR::SS, descriptor));
    item
}

fn objects() -> Vec<(&'static str, Vec<u8>)> {
    let plain = ten_bits(0).window("400.5", "500");
    let function = |object: &Object, word| object.clone().text(tags::VOILUT_FUNCTION, VR::CS, word);
    let rescaled = |slope, intercept| {
        plain.clone().text(tags::RESCALE_SLOPE, VR::DS, slope).text(
            tags::RESCALE_INTERCEPT,
            VR::DS,
            intercept,
        )
    };
    let whole = plain.bytes();
    let length = u32::from_le_bytes(whole[140..144].try_into().unwrap()) as usize;
    let exact = function(&plain, "LINEAR_EXACT");
    let unknown = exact.clone().binary(tags::RESCALE_SLOPE, VR::UN, b"2 ").binary(
        tags::RESCALE_INTERCEPT,
        VR::UN,
        b"-100",
    );
    vec![
        ("linear", whole.clone()),
        ("exact", exact.bytes()),
        ("sigmoid", function(&plain, "SIGMOID").bytes()),
        (
            "inverted",
            plain.clone().text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1").bytes(),
        ),
        ("windows", plain.clone().window("300\\500", "200\\100").bytes()),
        ("steep", rescaled("2.5", "-1024").window("100", "1500").bytes()),
        ("turned", function(&rescaled("-1", "0"), "LINEAR_EXACT").window("-400", "700").bytes()),
        ("garbage", ten_bits(0xA800).window("400.5", "500").bytes()),
        ("negative", signed(ten_bits(0)).window("-20", "700").bytes()),
        ("negative garbage", signed(ten_bits(0x5400)).window("-20", "700").bytes()),
        (
            "modality",
            signed(ten_bits(0))
                .item(tags::MODALITY_LUT_SEQUENCE, falling(-300, 700, 16))
                .window("30000", "50000")
                .bytes(),
        ),
        ("voi", ten_bits(0).item(tags::VOILUT_SEQUENCE, falling(200, 600, 10)).bytes()),
        (
            "negative voi",
            signed(ten_bits(0)).item(tags::VOILUT_SEQUENCE, falling(-300, 512, 16)).bytes(),
        ),
        ("implicit", plain.clone().syntax(uids::IMPLICIT_VR_LITTLE_ENDIAN).bytes()),
        ("big endian", plain.clone().syntax("1.2.840.10008.1.2.2").bytes()),
        ("without meta information", whole[144 + length..].to_vec()),
        (
            "octets",
            Object::octets(3, 5, &(0..16).map(|at| at * 16).collect::<Vec<u8>>())
                .window("100", "150")
                .bytes(),
        ),
        ("one", Object::words(1, &[700]).window("800", "1000").bytes()),
        ("unknown representation", unknown.bytes()),
    ]
}

#[test]
fn odd_radiographs_look_as_pydicom_shows_them() {
    let Some(python) = python_with("pydicom") else { return };
    let folder = tempfile::tempdir().unwrap();
    let objects = objects();
    for (name, bytes) in &objects {
        fs::write(folder.path().join(format!("{name}.dcm")), bytes).unwrap();
    }
    run(&python, SHOW, folder.path());
    for (name, bytes) in &objects {
        let got = read(bytes).unwrap_or_else(|error| panic!("{name}: {error}")).frame.pixels;
        let expected = floats(&folder.path().join(format!("{name}.f32")));
        assert_eq!(got.len(), expected.len(), "{name}");
        for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let expected = expected.clamp(0.0, 1.0);
            assert!((got - expected).abs() < 1e-4, "{name}, pixel {at}: {got} is not {expected}");
        }
    }
}
