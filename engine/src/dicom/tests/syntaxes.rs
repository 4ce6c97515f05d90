//! Every transfer syntax that radiographs come in, written by dcmtk's and GDCM's own encoders and read
//! back. Where a tool is not installed, its lines are skipped, aloud.

use std::path::Path;
use std::process::Command;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::fixtures::Object;
use crate::dicom::{inspect, read, read_file};

const SIDES: (u16, u16) = (61, 53);

/// A slope with waves, a step and a flat field on which runs are coded, in so many bits.
fn picture(bits: u32) -> Vec<u16> {
    let largest = f64::from((1_u32 << bits) - 1);
    let (columns, rows) = SIDES;
    (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (f64::from(row), f64::from(column))))
        .map(|(row, column)| {
            let flat = column > 40.0 && row > 30.0;
            let wave = 0.5 + 0.3 * (row / 7.0).sin() * (column / 5.0).cos() + column / 400.0;
            let step = if row > column { 0.1 } else { 0.0 };
            ((if flat { 0.9 } else { wave + step }).clamp(0.0, 1.0) * largest).round() as u16
        })
        .collect()
}

fn object(bits: u32, signed: bool) -> Object {
    let values = picture(bits);
    let object = if bits == 8 {
        let bytes: Vec<u8> = values.iter().map(|value| *value as u8).collect();
        Object::octets(SIDES.0, SIDES.1, &bytes)
    } else {
        Object::words(SIDES.0, &values)
    };
    let half = 1_u32 << (bits - 1);
    let object = object
        .short(tags::BITS_STORED, bits as u16)
        .short(tags::HIGH_BIT, bits as u16 - 1)
        .short(tags::PIXEL_REPRESENTATION, u16::from(signed))
        .text(tags::STUDY_INSTANCE_UID, VR::UI, "2.25.2")
        .text(tags::SERIES_INSTANCE_UID, VR::UI, "2.25.3")
        .text(tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT");
    // Two's complement turns the upper half negative; the window goes with it.
    let center = if signed { 0 } else { half };
    object.window(&center.to_string(), &(2 * half).to_string())
}

/// Has a tool write the object anew; `None` where the tool is absent.
fn by(tool: &str, arguments: &[&str], from: &Path, to: &Path) -> Option<()> {
    let output = Command::new(tool).args(arguments).arg(from).arg(to).output();
    let Ok(output) = output else {
        println!("skipped: {tool} is not installed");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{tool} {arguments:?}: {said}");
    Some(())
}

fn pixels(path: &Path) -> Vec<f32> {
    read_file(path).unwrap().frame.pixels
}

/// Encodes with a tool, reads both, and holds the largest difference, in stored values, against `most`.
/// Lossy streams are compared with what the tool itself decodes.
fn check(
    bits: u32,
    signed: bool,
    tool: (&str, &[&str]),
    syntax: &str,
    most: f32,
    judge: Option<&str>,
) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("plain.dcm"), object(bits, signed).bytes()).unwrap();
    if by(tool.0, tool.1, &path("plain.dcm"), &path("coded.dcm")).is_none() {
        return;
    }
    let header = inspect(&std::fs::read(path("coded.dcm")).unwrap()).unwrap();
    assert_eq!(header.transfer_syntax_uid, syntax, "{tool:?}");
    let mut reference = "plain.dcm";
    if let Some(judge) = judge {
        let arguments: &[&str] = if judge == "gdcmconv" { &["--raw"] } else { &[] };
        by(judge, arguments, &path("coded.dcm"), &path("judged.dcm")).unwrap();
        reference = "judged.dcm";
    }
    let (got, expected) = (pixels(&path("coded.dcm")), pixels(&path(reference)));
    assert_eq!(got.len(), expected.len());
    let scale = (1_u32 << bits) as f32;
    let differences =
        got.iter().zip(&expected).map(|(got, expected)| (got - expected).abs() * scale);
    let largest = differences.fold(0.0, f32::max);
    assert!(largest <= most, "{tool:?} of {bits} bits: {largest} is over {most}");
}

/// Differences of single precision on the way to the display.
const EXACT: f32 = 0.01;

#[test]
fn uncompressed_and_run_length_syntaxes() {
    for (bits, signed) in [(8, false), (10, false), (12, true), (16, false), (16, true)] {
        for (tool, arguments, syntax) in [
            ("dcmconv", &["+ti"][..], uids::IMPLICIT_VR_LITTLE_ENDIAN),
            ("dcmconv", &["+tb"], "1.2.840.10008.1.2.2"),
            ("dcmconv", &["+td"], uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN),
            ("dcmcrle", &[], uids::RLE_LOSSLESS),
        ] {
            check(bits, signed, (tool, arguments), syntax, EXACT, None);
        }
    }
}

#[test]
fn jpeg_lossless_with_every_predictor() {
    for bits in [8, 12, 16] {
        for selection in ["1", "2", "3", "4", "5", "6", "7"] {
            check(
                bits,
                false,
                ("dcmcjpeg", &["+el", "+sv", selection]),
                uids::JPEG_LOSSLESS,
                EXACT,
                None,
            );
        }
        check(bits, false, ("dcmcjpeg", &["+e1"]), uids::JPEG_LOSSLESS_SV1, EXACT, None);
    }
}

#[test]
fn lossy_jpeg_of_eight_and_of_twelve_bits() {
    for quality in ["50", "90"] {
        let baseline = ("dcmcjpeg", &["+eb", "+q", quality][..]);
        check(8, false, baseline, uids::JPEG_BASELINE8_BIT, 2.1, Some("dcmdjpeg"));
        let extended = ("dcmcjpeg", &["+ee", "+q", quality][..]);
        check(8, false, extended, uids::JPEG_EXTENDED12_BIT, 2.1, Some("dcmdjpeg"));
        check(12, false, extended, uids::JPEG_EXTENDED12_BIT, 2.1, Some("dcmdjpeg"));
    }
}

#[test]
fn jpeg_ls_lossless_and_near() {
    for (bits, signed) in [(8, false), (10, false), (12, false), (16, false), (12, true)] {
        check(bits, signed, ("dcmcjpls", &["+el"]), uids::JPEGLS_LOSSLESS, EXACT, None);
        // dcmcjpls refuses signed values here, and so nobody judges them.
        for most in if signed { &[][..] } else { &["1", "3"] } {
            let near = ("dcmcjpls", &["+en", "+md", *most][..]);
            let syntax = uids::JPEGLS_NEAR_LOSSLESS;
            check(bits, signed, near, syntax, EXACT, Some("dcmdjpls"));
            check(bits, signed, near, syntax, most.parse::<f32>().unwrap() + EXACT, None);
        }
    }
    // Parameters of its own, in a segment before the scan.
    let own = ("dcmcjpls", &["+el", "+t1", "5", "+t2", "11", "+t3", "40", "+rs", "31"][..]);
    check(12, false, own, uids::JPEGLS_LOSSLESS, EXACT, None);
}

#[test]
fn jpeg_2000_by_gdcm() {
    for (bits, signed) in [(8, false), (12, false), (16, false), (12, true)] {
        check(bits, signed, ("gdcmconv", &["--j2k"]), uids::JPEG2000_LOSSLESS, EXACT, None);
    }
    let lossy = ("gdcmconv", &["--j2k", "--lossy", "-r", "8"][..]);
    check(12, false, lossy, uids::JPEG2000, 2.1, Some("gdcmconv"));
}

/// Whatever is wrong with a stream, the answer is an error or a picture.
#[test]
fn damaged_streams_never_stop_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("plain.dcm"), object(12, false).bytes()).unwrap();
    for (tool, arguments) in [
        ("dcmcjpls", &["+el"][..]),
        ("dcmcjpls", &["+en"]),
        ("dcmcjpeg", &["+ee"]),
        ("dcmconv", &["+td"]),
    ] {
        if by(tool, arguments, &path("plain.dcm"), &path("coded.dcm")).is_none() {
            return;
        }
        let whole = std::fs::read(path("coded.dcm")).unwrap();
        read(&whole).unwrap();
        for at in (300..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xFF;
            let _ = read(&damaged);
            let _ = read(&whole[..at]);
        }
    }
}
