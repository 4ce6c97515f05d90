//! Synthetic objects of every depth in every syntax that is written, read by us and by dcmtk.

use std::fs;
use std::process::Command;

use dicom_dictionary_std::tags;

use super::writing::{description, gradient};
use crate::dicom::attributes::{integer, items, text};
use crate::dicom::{Frame, TransferSyntax, WriteOptions, inspect, read, write_synthetic_as};

/// Slopes, a flat field on which runs are coded, and an edge.
fn picture() -> Frame {
    let mut frame = gradient(61, 53);
    for (index, pixel) in frame.pixels.iter_mut().enumerate() {
        let (x, y) = (index % 61, index / 61);
        if x > 40 && y > 30 {
            *pixel = 1.0;
        } else if x > 20 {
            *pixel = (*pixel + (x as f32 / 9.0).sin() * 0.2).clamp(0.0, 1.0);
        }
    }
    frame
}

fn every() -> impl Iterator<Item = WriteOptions> {
    (12..=16).flat_map(|bits| {
        TransferSyntax::ALL.map(|transfer_syntax| WriteOptions { bits, transfer_syntax })
    })
}

#[test]
fn pixels_come_back_from_every_syntax_and_depth() {
    for options in every() {
        let bytes = write_synthetic_as(&picture(), &description(), options).unwrap();
        let back = read(&bytes).unwrap();
        assert_eq!(back.header.transfer_syntax_uid, options.transfer_syntax.uid());
        assert_eq!(back.header.bits_stored, options.bits);
        assert!(back.header.synthetic);
        let half = 0.5 / ((1_u32 << options.bits) - 1) as f32 + 1e-6;
        for (got, expected) in back.frame.pixels.iter().zip(&picture().pixels) {
            assert!((got - expected).abs() <= half, "{options:?}: {got} for {expected}");
        }
    }
}

#[test]
fn dcmtk_decodes_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for options in every() {
        let plain = WriteOptions { transfer_syntax: TransferSyntax::Explicit, ..options };
        let expected = read(&write_synthetic_as(&picture(), &description(), plain).unwrap());
        let bytes = write_synthetic_as(&picture(), &description(), options).unwrap();
        fs::write(path("coded.dcm"), bytes).unwrap();
        let tool = match options.transfer_syntax {
            TransferSyntax::Explicit | TransferSyntax::Deflated => "dcmconv",
            TransferSyntax::Rle => "dcmdrle",
            TransferSyntax::JpegLs => "dcmdjpls",
        };
        let (from, to) = (path("coded.dcm"), path("plain.dcm"));
        let Ok(output) = Command::new(tool).arg("+te").arg(from).arg(&to).output() else {
            println!("skipped: {tool} is not installed");
            continue;
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !said.contains("W: "), "{options:?}: {said}");
        let decoded = read(&fs::read(to).unwrap()).unwrap();
        assert_eq!(decoded.header.transfer_syntax_uid, TransferSyntax::Explicit.uid());
        assert_eq!(decoded.frame, expected.unwrap().frame, "{options:?}");
    }
}

#[test]
fn compression_makes_files_smaller() {
    let size = |transfer_syntax| {
        let options = WriteOptions { transfer_syntax, ..WriteOptions::default() };
        write_synthetic_as(&picture(), &description(), options).unwrap().len()
    };
    let plain = size(TransferSyntax::Explicit);
    for coded in [TransferSyntax::Deflated, TransferSyntax::Rle, TransferSyntax::JpegLs] {
        assert!(size(coded) < plain, "{coded:?}");
    }
    assert!(size(TransferSyntax::JpegLs) < size(TransferSyntax::Rle));
}

#[test]
fn syntaxes_are_known_by_name_and_uid() {
    for syntax in TransferSyntax::ALL {
        assert_eq!(syntax.name().parse(), Ok(syntax));
        assert_eq!(syntax.uid().parse(), Ok(syntax));
    }
    let said = "jpeg".parse::<TransferSyntax>().unwrap_err();
    assert_eq!(said, "known are explicit, deflated, rle, jpeg-ls, and their UIDs");
}

#[test]
fn other_depths_are_refused() {
    for bits in [0, 8, 11, 17, 99] {
        let options = WriteOptions { bits, ..WriteOptions::default() };
        let error = write_synthetic_as(&picture(), &description(), options).unwrap_err();
        assert!(error.to_string().starts_with("BitsStored (0028,0101)"), "{error}");
    }
}

#[test]
fn an_object_says_how_it_was_derived_and_in_which_zone() {
    let bytes = write_synthetic_as(&picture(), &description(), WriteOptions::default()).unwrap();
    let object = dicom_object::from_reader(bytes.as_slice()).unwrap();
    let derivation = &items(&object, tags::DERIVATION_CODE_SEQUENCE)[0];
    assert_eq!(text(derivation, tags::CODE_VALUE).unwrap(), "SYNTHESIS");
    let scheme = &items(&object, tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE)[0];
    let designator = text(scheme, tags::CODING_SCHEME_DESIGNATOR);
    assert_eq!(designator, text(derivation, tags::CODING_SCHEME_DESIGNATOR));
    assert_eq!(text(&object, tags::TIMEZONE_OFFSET_FROM_UTC).unwrap(), "+0000");
    assert_eq!(integer(&object, tags::HIGH_BIT), Some(11));
    // A window over all values, whatever the depth.
    assert_eq!(text(&object, tags::WINDOW_WIDTH).unwrap(), "4096");
    assert_eq!(inspect(&bytes).unwrap().laterality.as_deref(), Some("U"));
}
