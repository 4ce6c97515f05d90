//! Judges from outside: dicom3tools' `dciodvfy`, dcmtk's `dcmdump` and `dsrdump`, highdicom.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::companions::{lungs, review};
use super::peers::{python_with, run};
use super::wrapping::Desk;
use super::writing::{description, gradient};
use crate::dicom::{
    Frame, Review, SyntheticDescription, TransferSyntax, Verdict, WriteOptions, write_report,
    write_segmentation, write_synthetic, write_synthetic_as,
};
use crate::terms::{AgeGroup, Sex, findings, places, view_positions};

/// What a tool prints, or `None`, said aloud, where it is not installed.
fn output(tool: &str, arguments: &[&str], file: &Path) -> Option<String> {
    let Ok(output) = Command::new(tool).args(arguments).arg(file).output() else {
        println!("skipped: {tool} is not installed");
        return None;
    };
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Synthetic Data came with DICOM 2023c; the dictionary of Debian's dicom3tools, of 2022 and still of
/// January 2024, does not know its tag, and calls every even tag that it does not know an error.
const NEWER_THAN_THE_JUDGE: &str = "Error - Attribute with an even group number is not a recognized standard attribute - \
     (0x0008,0x001c)";

/// Syntaxes that dciodvfy reads: it inflates nothing.
const INFLATED: [TransferSyntax; 3] =
    [TransferSyntax::Explicit, TransferSyntax::Rle, TransferSyntax::JpegLs];

const IMAGE: &str = "DXImageForPresentation";

/// `dciodvfy` takes the file for an object of this class and finds no error in it.
fn valid(file: &Path, class: &str) {
    if let Some(said) = output("dciodvfy", &[], file) {
        assert!(said.lines().any(|line| line.trim() == class), "{said}");
        let errors: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("Error") && !line.starts_with(NEWER_THAN_THE_JUDGE))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn wrapped_objects_are_valid_and_not_synthetic() {
    let table = "file,findings,patient,age,sex,view,original_width,original_height\n\
        a.jpg,Effusion|Pleural_Thickening,17,58,M,PA,300,200\n\
        b.png,No Finding,18,7,F,LL,200,200\n\
        c.png,Pneumonia,19,,,,200,201\n";
    let desk = Desk::new(table, &["a.jpg", "b.png", "c.png"]);
    desk.wrap().unwrap();
    for name in ["a.dcm", "b.dcm", "c.dcm"] {
        let file = desk.out().join(name);
        valid(&file, IMAGE);
        if let Some(said) = output("dcmdump", &["+P", "0008,001c"], &file) {
            assert!(!said.contains("YES"), "{said}");
        }
    }
}

#[test]
fn synthetic_objects_are_valid_and_synthetic() {
    let folder = tempfile::tempdir().unwrap();
    let bare = SyntheticDescription::default();
    for (number, description) in [description(), bare].iter().enumerate() {
        let file = folder.path().join(format!("{number}.dcm"));
        fs::write(&file, write_synthetic(&gradient(31, 20), description).unwrap()).unwrap();
        valid(&file, IMAGE);
        if let Some(said) = output("dcmdump", &["+P", "0008,001c"], &file) {
            assert!(said.contains("CS [YES]"), "{said}");
        }
    }
}

/// Image, mask and verdict number `number`: every field in turn with and without a value.
fn triple(number: usize) -> (SyntheticDescription, WriteOptions, Frame, Review) {
    let of = |most: usize| number % most;
    let views = view_positions();
    let (finding, place) = (&findings()[of(findings().len())], &places()[of(places().len())]);
    let mut entry = crate::terms::DescribedFinding::from(finding.slug);
    if of(3) == 1 && finding.slug != crate::terms::NORMAL {
        entry.place = Some(place.slug.to_owned());
        entry.severity = Some("severe".to_owned());
    }
    let made = SyntheticDescription {
        age_group: [None, Some(AgeGroup::Child), Some(AgeGroup::Adult)][of(3)],
        sex: [None, Some(Sex::Female), Some(Sex::Male), Some(Sex::Other)][of(4)],
        view_position: views.get(of(views.len() + 1)).map(|view| view.code.to_owned()),
        findings: if of(5) == 0 { Vec::new() } else { vec![entry] },
        prompt: ["", "胸片", "a\\b^c=d", &"long ".repeat(400)][of(4)].to_owned(),
        ..if of(7) == 0 { SyntheticDescription::default() } else { description() }
    };
    let options = WriteOptions { bits: 12 + of(5) as u16, transfer_syntax: INFLATED[of(3)] };
    let (width, height) = (1 + 3 * of(12) as u32, 1 + 5 * of(9) as u32);
    let mask = match of(4) {
        0 => Frame { width, height, pixels: vec![1.0; (width * height) as usize] },
        _ => lungs(24 + width, 24 + height),
    };
    let verdict = [Verdict::Release, Verdict::Reject][of(2)];
    let reason = [None, review().reason, Some("word ".repeat(300))][of(3)].clone();
    let realism = [None, Some(1), Some(5)][of(3)];
    let reviewer = ["READER-00C0FFEE", "Jürgen Weiß", "李明", &"x".repeat(90)][of(4)].to_owned();
    let review = Review { verdict, reason, realism, reviewer, ..review() };
    (made, options, mask, review)
}

#[test]
fn a_hundred_objects_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let mut judged = 0;
    for number in 0..34 {
        let (made, options, mask, review) = triple(number);
        let frame = gradient(mask.width.max(2), mask.height.max(2));
        let image = write_synthetic_as(&frame, &made, options).unwrap();
        let objects = [
            (IMAGE, image.clone()),
            ("Segmentation", write_segmentation(&image, &mask).unwrap()),
            ("EnhancedSR", write_report(&image, &review).unwrap()),
        ];
        for (class, bytes) in objects {
            let file = folder.path().join(format!("{number}-{class}.dcm"));
            fs::write(&file, bytes).unwrap();
            valid(&file, class);
            judged += 1;
        }
    }
    assert!(judged >= 100, "{judged}");
}

#[test]
fn a_report_is_a_document_to_dcmtk() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.dcm");
    let image = write_synthetic(&gradient(31, 20), &description()).unwrap();
    fs::write(&file, write_report(&image, &review()).unwrap()).unwrap();
    let Some(said) = output("dsrdump", &["+Pc", "+Pl"], &file) else { return };
    for part in [
        "Review of Synthetic Image",
        "Rejected for Quality Reasons",
        "Unusable - Quality renders image unusable",
        "READER-00C0FFEE",
        "a rib too many",
        "\"2\" ({1:5},UCUM,\"range: 1:5\")",
        "contains IMAGE",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!said.contains("E: "), "{said}");
}

/// What highdicom makes of a Segmentation and its image, against the mask as bytes; then of the report.
const READ: &str = "
import sys, numpy, pydicom, highdicom
folder = sys.argv[1]
image = pydicom.dcmread(folder + '/image.dcm')
expected = numpy.fromfile(folder + '/mask.raw', numpy.uint8).reshape(image.Rows, image.Columns)
seg = highdicom.seg.segread(folder + '/mask.dcm')
assert seg.segmentation_type == highdicom.seg.SegmentationTypeValues.BINARY
segment = seg.get_segment_description(1)
assert segment.segmented_property_type.value == '39607008', segment.segmented_property_type
assert seg.SyntheticData == image.SyntheticData == 'YES'
assert (seg.StudyInstanceUID, seg.PatientID) == (image.StudyInstanceUID, image.PatientID)
mask = seg.get_pixels_by_source_instance([image.SOPInstanceUID])
assert mask.shape == (1, image.Rows, image.Columns, 1), mask.shape
assert numpy.array_equal(mask[0, :, :, 0], expected)
assert numpy.array_equal(seg.pixel_array.reshape(expected.shape), expected)
report = highdicom.sr.srread(folder + '/report.dcm')
assert isinstance(report, highdicom.sr.EnhancedSR), type(report)
named = [item for item in report.content[0].ContentSequence if item.ValueType == 'IMAGE']
assert named[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
print('done')
";

#[test]
fn highdicom_reads_the_mask_that_was_written() {
    let Some(python) = python_with("highdicom") else { return };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    let mask = lungs(61, 43);
    let image = write_synthetic(&gradient(61, 43), &description()).unwrap();
    write("mask.raw", mask.pixels.iter().map(|value| *value as u8).collect());
    write("mask.dcm", write_segmentation(&image, &mask).unwrap());
    write("report.dcm", write_report(&image, &review()).unwrap());
    write("image.dcm", image);
    run(&python, READ, folder.path());
}
