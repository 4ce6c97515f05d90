use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use skiagraph_compliance::deidentification::ProfileOption as P;

use super::planted::{SECRET_UID, SECRETS, deidentifier, encoded, object};
use super::writing::Picture;
use crate::dicom::{DeidentifyOptions, Summary, deidentify_folder};

/// A folder with two objects of a patient, one of them twice, a damaged one, and a letter.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in/ZZYXDOE");
    std::fs::create_dir_all(&input).unwrap();
    let bytes = encoded(object());
    std::fs::write(input.join("a.dcm"), &bytes).unwrap();
    std::fs::write(input.join("b"), &bytes).unwrap();
    std::fs::write(input.join("c.dcm"), &bytes[..bytes.len() - 100]).unwrap();
    std::fs::write(input.join("letter.txt"), "Dear Dr ZZYXDOE").unwrap();
    folder
}

fn run(folder: &Path, out: &str) -> Summary {
    let options = DeidentifyOptions {
        input: folder.join("in"),
        out: folder.join(out),
        quarantine: folder.join(format!("{out}-quarantine")),
    };
    let deidentifier = deidentifier(&[P::CleanPixelData, P::RetainModifiedDates]);
    deidentify_folder(&deidentifier, &options, &mut |_, _| {}).unwrap()
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn a_folder_is_shared_out_and_told_of() {
    let folder = folder();
    let summary = run(folder.path(), "out");
    assert_eq!((summary.clean, summary.duplicates, summary.quarantined), (1, 1, 1));
    assert_eq!(summary.other_files, 1);
    let clean = files(&folder.path().join("out"));
    assert_eq!(clean.len(), 1);
    let name = clean.keys().next().unwrap();
    assert!(name.starts_with("2.25."), "{name}");
    let aside = files(&folder.path().join("out-quarantine"));
    let names: Vec<&str> = aside.keys().map(String::as_str).collect();
    assert_eq!(names, ["000003.dcm", "000003.txt"]);
    assert!(String::from_utf8_lossy(&aside["000003.txt"]).starts_with("truncated"));
    // What is told holds no value.
    let told = serde_json::to_string(&summary).unwrap() + &summary.page();
    for secret in SECRETS.iter().chain([&SECRET_UID]) {
        assert!(!told.contains(secret), "{secret}");
    }
    for line in [
        "| objects that are clean | 1 |",
        "| 113107 | DCM | Retain Longitudinal Temporal Information Modified Dates Option |",
        "| (0010,0010) | PatientName | Z | 1 | 1 |",
        "| 000003 | truncated",
        "Signature: ____",
    ] {
        assert!(summary.page().contains(line), "{line}\n{}", summary.page());
    }
}

#[test]
fn two_runs_are_one_byte_by_byte() {
    let folder = folder();
    run(folder.path(), "first");
    run(folder.path(), "second");
    assert!(files(&folder.path().join("first")) == files(&folder.path().join("second")));
    // And a run over what came out gives it again.
    let again = DeidentifyOptions {
        input: folder.path().join("first"),
        out: folder.path().join("third"),
        quarantine: folder.path().join("third-quarantine"),
    };
    let deidentifier = deidentifier(&[P::CleanPixelData, P::RetainModifiedDates]);
    deidentify_folder(&deidentifier, &again, &mut |_, _| {}).unwrap();
    assert!(files(&folder.path().join("first")) == files(&folder.path().join("third")));
}

#[test]
fn folders_that_cannot_be_used_are_named() {
    let folder = folder();
    let options = DeidentifyOptions {
        input: folder.path().join("in"),
        out: folder.path().join("in"),
        quarantine: folder.path().join("q"),
    };
    let error = deidentify_folder(&deidentifier(&[]), &options, &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().starts_with("out: "), "{error}");
    assert!(!folder.path().join("q").exists());
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let options = DeidentifyOptions { input: folder.path().join("empty"), ..options };
    let error = deidentify_folder(&deidentifier(&[]), &options, &mut |_, _| {}).unwrap_err();
    assert_eq!(error.to_string(), "in: no DICOM object in it");
}

/// pydicom's own way through the objects, at any depth and in raw bytes: an independent pair of eyes.
const WALK: &str = "
import sys, pydicom
secrets = sys.argv[2:]
raw = open(sys.argv[1], 'rb').read()
data = pydicom.dcmread(sys.argv[1])
found = [secret for secret in secrets if secret.encode() in raw]
elements = 0
for element in list(data.file_meta.iterall()) + list(data.iterall()):
    elements += 1
    assert element.tag.group != 9, element.tag
    if element.VR != 'SQ':
        found += [(str(element.tag), secret) for secret in secrets if secret in str(element.value)]
assert elements > 30, elements
assert not found, found
assert data.PatientIdentityRemoved == 'YES'
assert [item.CodeValue for item in data.DeidentificationMethodCodeSequence][0] == '113100'
assert data.pixel_array.shape == (data.Rows, data.Columns)
print('walked', elements)
";

#[test]
fn pydicom_finds_nothing_that_was_planted() {
    let python = std::env::var_os("SKIAGRAPH_PYTHON").unwrap_or_else(|| "python3".into());
    let there = Command::new(&python).args(["-c", "import pydicom, numpy"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        println!("skipped: pydicom is not installed");
        return;
    }
    let folder = folder();
    run(folder.path(), "out");
    for name in files(&folder.path().join("out")).keys() {
        let output = Command::new(&python)
            .args(["-c", WALK])
            .arg(folder.path().join("out").join(name))
            .args(SECRETS)
            .arg(SECRET_UID)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    }
    // The walk can fail: what went in is full of secrets.
    let input = folder.path().join("in/ZZYXDOE/a.dcm");
    let output =
        Command::new(&python).args(["-c", WALK]).arg(input).args(SECRETS).output().unwrap();
    assert!(!output.status.success());
}

/// Text by a real font renderer (Pillow's own font), on a picture that it writes and we read.
#[test]
fn text_of_a_real_font_is_blanked() {
    const WRITE: &str = "
import sys
from PIL import Image, ImageDraw, ImageFont
image = Image.open(sys.argv[1])
draw = ImageDraw.Draw(image)
for size, top in ((12, 20), (18, 60), (28, 110), (44, 180)):
    draw.text((20, top), 'Doe, Jane 14.03.1962', fill=255, font=ImageFont.load_default(size))
image.save(sys.argv[2])
";
    let python = std::env::var_os("SKIAGRAPH_PYTHON").unwrap_or_else(|| "python3".into());
    let font = "from PIL import ImageFont; ImageFont.load_default(12)";
    let there = Command::new(&python).args(["-c", font]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        println!("skipped: Pillow with a scalable font is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (plain, written) = (folder.path().join("plain.png"), folder.path().join("written.png"));
    let picture = Picture::chest(800, 700);
    let grey: Vec<u8> = picture.values(8).iter().map(|value| *value as u8).collect();
    image::GrayImage::from_raw(800, 700, grey).unwrap().save(&plain).unwrap();
    let output =
        Command::new(&python).args(["-c", WRITE]).args([&plain, &written]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (plain, written) =
        (image::open(plain).unwrap().into_luma8(), image::open(written).unwrap().into_luma8());
    let values: Vec<i32> = written.pixels().map(|pixel| i32::from(pixel.0[0])).collect();
    let areas = super::super::lines::burned_in(&values, 800, 700);
    let mut left_over = 0;
    for (column, row, pixel) in written.enumerate_pixels() {
        let changed = pixel.0[0].abs_diff(plain.get_pixel(column, row).0[0]) > 60;
        let (column, row) = (column as usize, row as usize);
        let inside = areas.iter().any(|area| {
            (area.left..area.right).contains(&column) && (area.top..area.bottom).contains(&row)
        });
        left_over += usize::from(changed && !inside);
    }
    assert_eq!(left_over, 0, "{areas:?}");
}
