#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::{BuildOptions, Card, DataError, Dataset, Split, build};
use crate::device::CancelToken;
use crate::dicom::{Frame, SyntheticDescription, WrapOptions, wrap, write_synthetic};

/// A folder with sources, and options to build a data set of them.
struct Desk {
    folder: tempfile::TempDir,
    options: BuildOptions,
}

/// Of every patient two images, wrapped: `(patient, findings)`.
fn desk(patients: &[(&str, &str)]) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("images")).unwrap();
    let mut table = "file,findings,patient,age,sex,view\n".to_owned();
    for (number, (patient, findings)) in patients.iter().enumerate() {
        for side in ["a", "b"] {
            let grey = image::GrayImage::from_fn(40, 30, |x, y| {
                let shift = number as u32 * 2 + u32::from(side == "b");
                image::Luma([((x * 5 + y + shift) % 256) as u8])
            });
            grey.save(at("images").join(format!("{number}{side}.png"))).unwrap();
            let age = if number % 2 == 0 { "4" } else { "40" };
            writeln!(table, "{number}{side}.png,{findings},{patient},{age},F,PA").unwrap();
        }
    }
    fs::write(at("labels.csv"), table).unwrap();
    let options = WrapOptions {
        images: at("images"),
        table: at("labels.csv"),
        out: at("sources"),
        ..WrapOptions::default()
    };
    wrap(&options, &mut |_, _| ()).unwrap();
    let options = BuildOptions {
        name: "test".into(),
        sources: vec![at("sources")],
        out: at("set"),
        validation_fraction: 0.25,
        seed: 1,
        licence: "CC0".into(),
        attribution: "nobody".into(),
        allow_synthetic: false,
    };
    Desk { folder, options }
}

impl Desk {
    fn build(&self) -> Result<Card, DataError> {
        build(&self.options, &mut |_, _| (), &CancelToken::new())
    }

    fn source(&self, name: &str) -> PathBuf {
        self.folder.path().join("sources").join(name)
    }

    /// The error, after a look that no data set and no temporary folder is left.
    fn refused(&self) -> String {
        let error = self.build().unwrap_err().to_string();
        let left: Vec<_> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name == "set" || name.starts_with('.'))
            .collect();
        assert!(left.is_empty(), "{left:?} after {error}");
        error
    }
}

const EIGHT: [(&str, &str); 8] = [
    ("p0", "No Finding"),
    ("p1", "Pneumonia|Effusion"),
    ("p2", "No Finding"),
    ("p3", "Pneumonia"),
    ("p4", "No Finding"),
    ("p5", "Pneumonia"),
    ("p6", "No Finding"),
    ("p7", "Effusion"),
];

/// A small data set for the tests of other rooms, and the folder that keeps it.
pub(crate) fn small_set() -> (tempfile::TempDir, PathBuf) {
    let desk = desk(&EIGHT);
    desk.build().unwrap();
    let set = desk.options.out.clone();
    (desk.folder, set)
}

fn synthetic() -> Vec<u8> {
    let frame = Frame { width: 8, height: 8, pixels: vec![0.5; 64] };
    let description =
        SyntheticDescription { findings: vec!["normal".into()], ..SyntheticDescription::default() };
    write_synthetic(&frame, &description).unwrap()
}

#[test]
fn a_data_set_is_what_its_card_says() {
    let desk = desk(&EIGHT);
    fs::write(desk.source("notes.txt"), "not an image").unwrap();
    fs::copy(desk.source("0a.dcm"), desk.source("copy-of-0a.dcm")).unwrap();
    let card = desk.build().unwrap();
    assert_eq!(card.sources, 17);
    assert_eq!(card.duplicates_dropped, 1);
    assert_eq!(card.other_files_ignored, 1);
    assert_eq!(card.samples.total(), 16);
    assert_eq!(card.patients.total(), 8);
    assert_eq!(card.findings["normal"].total(), 8);
    assert_eq!(card.findings["effusion"].total(), 4);
    assert_eq!(card.age_groups["child"].total(), 8);
    assert!(!card.synthetic);
    for finding in ["normal", "pneumonia", "effusion"] {
        let counts = card.findings[finding];
        assert!(counts.train > 0 && counts.validation > 0, "{finding}: {counts:?}");
    }

    let set = Dataset::open(&desk.options.out).unwrap();
    assert_eq!(set.card(), &card);
    let mut sides: BTreeMap<&str, BTreeSet<Split>> = BTreeMap::new();
    for split in [Split::Train, Split::Validation] {
        for sample in set.samples(split) {
            sides.entry(&sample.patient).or_default().insert(split);
            let frame = set.frame(sample).unwrap();
            assert_eq!((frame.width, frame.height), (40, 30));
            let square = set.square(sample, 20).unwrap();
            assert_eq!(square.len(), 400);
            assert!(square.iter().all(|value| (0.0..=1.0).contains(value)));
            assert!(sample.caption.starts_with("chest radiograph, PA view, "));
        }
    }
    assert_eq!(sides.len(), 8);
    assert!(sides.values().all(|sides| sides.len() == 1), "a patient is in both splits");
    let captions: BTreeSet<&str> =
        set.samples(Split::Train).iter().map(|sample| sample.caption.as_str()).collect();
    assert!(captions.contains("chest radiograph, PA view, child, female, normal"));
}

#[test]
fn no_identifier_of_a_patient_is_in_the_set() {
    let desk = desk(&[("Subject-Miller", "Mass"), ("Subject-Meyer", "Mass")]);
    desk.build().unwrap();
    for name in ["card.json", "manifest.jsonl"] {
        let text = fs::read_to_string(desk.options.out.join(name)).unwrap();
        assert!(!text.contains("Subject-"), "{name}");
    }
}

#[test]
fn the_same_sources_and_seed_give_the_same_manifest() {
    let manifest = |seed| {
        let mut desk = desk(&EIGHT);
        desk.options.seed = seed;
        desk.build().unwrap();
        fs::read_to_string(desk.options.out.join("manifest.jsonl")).unwrap()
    };
    assert_eq!(manifest(1), manifest(1));
}

#[test]
fn what_makes_no_data_set_is_refused() {
    let one = desk(&[("p0", "Mass")]);
    assert_eq!(
        one.refused(),
        "1 patient among 2 different radiographs; a split by patient needs two or more"
    );
    let mut empty = desk(&EIGHT);
    let nothing = empty.folder.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    empty.options.sources = vec![nothing];
    assert_eq!(empty.refused(), "no DICOM files among the sources");
    empty.options.sources = vec![empty.folder.path().join("absent")];
    assert!(empty.refused().starts_with("sources: entry 1: "));

    let truncated = desk(&EIGHT);
    let bytes = fs::read(truncated.source("3a.dcm")).unwrap();
    fs::write(truncated.source("3a.dcm"), &bytes[..bytes.len() - 100]).unwrap();
    let error = truncated.build().unwrap_err();
    assert!(error.to_string().starts_with("source 7: truncated: element (7FE0,0010)"), "{error}");
    assert_eq!(error.source_path(), Some(truncated.source("3a.dcm").as_path()));
}

#[test]
fn synthetic_sources_are_refused_unless_allowed() {
    let mut desk = desk(&EIGHT);
    fs::write(desk.source("z.dcm"), synthetic()).unwrap();
    let error = desk.refused();
    assert!(error.starts_with("source 17: SyntheticData (0008,001C) is YES"), "{error}");
    desk.options.allow_synthetic = true;
    assert!(desk.build().unwrap().synthetic);
}

#[test]
fn options_are_checked_before_any_work() {
    let refuse = |change: &dyn Fn(&mut BuildOptions)| {
        let mut desk = desk(&EIGHT[..2]);
        change(&mut desk.options);
        desk.refused()
    };
    assert_eq!(refuse(&|o| o.name = " ".into()), "name: empty");
    assert!(refuse(&|o| o.licence.clear()).starts_with("licence: empty"));
    assert!(refuse(&|o| o.attribution.clear()).starts_with("attribution: empty"));
    assert!(refuse(&|o| o.sources.clear()).starts_with("sources: none"));
    for fraction in [0.0, 1.0, -1.0, f32::NAN] {
        assert!(refuse(&|o| o.validation_fraction = fraction).starts_with("validation_fraction: "));
    }
}

#[test]
fn cancelled_work_leaves_nothing() {
    let desk = desk(&EIGHT);
    let cancel = CancelToken::new();
    cancel.cancel();
    let error = build(&desk.options, &mut |_, _| (), &cancel).unwrap_err();
    assert!(matches!(error, DataError::Cancelled));
    assert!(!desk.options.out.exists());
}

#[test]
fn a_damaged_set_does_not_open() {
    let broken = |change: &dyn Fn(&Path)| {
        let desk = desk(&EIGHT[..4]);
        desk.build().unwrap();
        change(&desk.options.out);
        match Dataset::open(&desk.options.out) {
            Err(error) => error.to_string(),
            Ok(set) => {
                let sample = set.samples(Split::Train)[0];
                set.frame(sample).unwrap_err().to_string()
            }
        }
    };
    assert!(
        broken(&|set| fs::remove_file(set.join("card.json")).unwrap()).starts_with("card.json")
    );
    let card = |from: &str, to: &str| {
        broken(&|set| {
            let text = fs::read_to_string(set.join("card.json")).unwrap().replace(from, to);
            fs::write(set.join("card.json"), text).unwrap();
        })
    };
    assert_eq!(card("\"format\": 1", "\"format\": 2"), "card.json: format 2, and 1 is read");
    assert!(card("\"licence\"", "\"license\"").contains("missing field `licence`"));
    let manifest = |change: &dyn Fn(Vec<&str>) -> String| {
        broken(&|set| {
            let text = fs::read_to_string(set.join("manifest.jsonl")).unwrap();
            fs::write(set.join("manifest.jsonl"), change(text.lines().collect())).unwrap();
        })
    };
    assert!(manifest(&|lines| lines[1..].join("\n")).contains("as many samples as the card says"));
    assert!(
        manifest(&|lines| lines.join("\n").replace("\"id\":\"", "\"id\":\"../")).contains("hex")
    );
    let frames = broken(&|set| {
        for entry in fs::read_dir(set.join("frames")).unwrap() {
            fs::write(entry.unwrap().path(), synthetic()).unwrap();
        }
    });
    assert!(frames.ends_with("is not the file that the manifest speaks of"), "{frames}");
}
