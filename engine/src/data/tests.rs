#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use super::{
    BuildOptions, Card, DataError, Dataset, Encoding, Framing, Images, MaskOptions, Split, build,
};
use crate::device::CancelToken;
use crate::dicom::{Frame, SyntheticDescription, WrapOptions, wrap, write_synthetic};
use crate::model::{Vae, VaeConfig};
use crate::nn::Weights;

/// A folder with sources, and options to build a data set of them.
struct Desk {
    folder: tempfile::TempDir,
    options: BuildOptions,
}

/// Of every patient two images, wrapped: `(patient, findings)`.
fn desk(patients: &[(&str, &str)]) -> Desk {
    desk_of(patients, &[(40, 30)])
}

/// The same with images of these sizes, in turn.
fn desk_of(patients: &[(&str, &str)], sizes: &[(u32, u32)]) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("images")).unwrap();
    let mut table = "file,findings,patient,age,sex,view\n".to_owned();
    for (number, (patient, findings)) in patients.iter().enumerate() {
        for side in ["a", "b"] {
            let (width, height) = sizes[(number + usize::from(side == "b")) % sizes.len()];
            let grey = image::GrayImage::from_fn(width, height, |x, y| {
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
        masks: None,
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

/// The same with lung masks.
pub(crate) fn small_set_with_masks() -> (tempfile::TempDir, PathBuf) {
    let mut desk = desk(&EIGHT);
    with_masks(&mut desk, 8);
    desk.options.masks.as_mut().unwrap().least_score = 0.0;
    assert_eq!(desk.build().unwrap().masks.total(), 16);
    let set = desk.options.out.clone();
    (desk.folder, set)
}

/// The same of several aspects: both of every patient's images differ.
pub(crate) fn small_set_of_several_aspects() -> (tempfile::TempDir, PathBuf) {
    let mut desk = desk_of(&EIGHT, &[(40, 30), (32, 32), (30, 40), (60, 30)]);
    with_masks(&mut desk, 8);
    desk.options.masks.as_mut().unwrap().least_score = 0.0;
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

/// Masks of a source's left half, squashed to a square, for the first patients.
fn with_masks(desk: &mut Desk, patients: usize) {
    let folder = desk.folder.path().join("masks");
    fs::create_dir(&folder).unwrap();
    let mut scores = "lungmask,mask_match_score\n,\n".to_owned();
    for number in 0..patients {
        for side in ["a", "b"] {
            let mask =
                image::GrayImage::from_fn(30, 30, |x, _| image::Luma([u8::from(x < 15) * 255]));
            mask.save(folder.join(format!("{number}{side}.png"))).unwrap();
            writeln!(scores, "{number}{side}.png,0.{}", number + 1).unwrap();
        }
    }
    let table = desk.folder.path().join("scores.csv");
    fs::write(&table, scores).unwrap();
    desk.options.masks = Some(MaskOptions { folder, scores: Some(table), least_score: 0.15 });
}

#[test]
fn a_mask_lies_over_the_square_of_its_frame() {
    let mut desk = desk(&EIGHT);
    with_masks(&mut desk, 4);
    let card = desk.build().unwrap();
    // Patient 0's score is too low.
    assert_eq!(card.masks.total(), 6);
    let set = Dataset::open(&desk.options.out).unwrap();
    let mut masks = 0;
    for sample in [Split::Train, Split::Validation].iter().flat_map(|split| set.samples(*split)) {
        let Some(mask) = set.mask_square(sample, 20).unwrap() else {
            assert!(sample.mask_sha256.is_none());
            continue;
        };
        masks += 1;
        // 40 × 30 is cropped to 36 × 30 and letterboxed: 20 × 17, a bar of one row above and two below.
        for (row, line) in mask.chunks_exact(20).enumerate() {
            let inside = (1..18).contains(&row);
            assert!(line[..10].iter().all(|value| *value == f32::from(u8::from(inside))), "{row}");
            assert!(line[10..].iter().all(|value| *value == 0.0), "{row}");
        }
        let whole = set.mask(sample).unwrap().unwrap();
        assert_eq!((whole.width, whole.height), (40, 30));
    }
    assert_eq!(masks, 6);
}

#[test]
fn masks_that_cannot_be_used_are_refused() {
    let refuse = |change: &dyn Fn(&Path, &mut MaskOptions)| {
        let mut desk = desk(&EIGHT);
        with_masks(&mut desk, 4);
        change(&desk.folder.path().join("masks"), desk.options.masks.as_mut().unwrap());
        desk.refused()
    };
    assert_eq!(refuse(&|_, o| o.folder.push("none")), "masks: is no folder");
    let moved = |folder: &Path, _: &mut MaskOptions| {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            fs::rename(&path, path.with_extension("other")).unwrap();
        }
    };
    assert_eq!(refuse(&moved), "masks: none is named as one of the sources is");
    let damaged = refuse(&|folder, _| fs::write(folder.join("3a.png"), "no png").unwrap());
    assert!(damaged.starts_with("source 7: its lung mask: "), "{damaged}");
    let table =
        |text: &'static str| refuse(&|_, o| fs::write(o.scores.as_ref().unwrap(), text).unwrap());
    assert_eq!(table("lungmask\n"), "mask_scores: no column is called mask_match_score");
    assert_eq!(
        table("lungmask,mask_match_score\nx.png,good\n"),
        "mask_scores: row 2: mask_match_score is not a number"
    );
}

#[test]
fn a_damaged_mask_is_found_and_a_set_without_masks_opens() {
    let mut desk = desk(&EIGHT);
    with_masks(&mut desk, 4);
    desk.build().unwrap();
    let out = &desk.options.out;
    let path = fs::read_dir(out.join("masks")).unwrap().next().unwrap().unwrap().path();
    fs::write(&path, "changed").unwrap();
    let set = Dataset::open(out).unwrap();
    let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
    let samples: Vec<_> =
        [Split::Train, Split::Validation].iter().flat_map(|split| set.samples(*split)).collect();
    let sample = samples.iter().find(|sample| sample.id == id).unwrap();
    let error = set.mask_square(sample, 8).unwrap_err().to_string();
    assert!(error.ends_with("is not the file that the manifest speaks of"), "{error}");
    fs::remove_file(&path).unwrap();
    assert!(Dataset::open(out).unwrap_err().to_string().ends_with("missing"));

    // As a set of an older version was: no word of masks.
    let card = fs::read_to_string(out.join("card.json")).unwrap();
    let mut card: serde_json::Value = serde_json::from_str(&card).unwrap();
    card.as_object_mut().unwrap().remove("masks");
    fs::write(out.join("card.json"), card.to_string()).unwrap();
    let manifest = fs::read_to_string(out.join("manifest.jsonl")).unwrap();
    let old: Vec<String> = manifest
        .lines()
        .map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            line.as_object_mut().unwrap().remove("mask_sha256");
            line.to_string()
        })
        .collect();
    fs::write(out.join("manifest.jsonl"), old.join("\n")).unwrap();
    let set = Dataset::open(out).unwrap();
    assert!(set.mask(set.samples(Split::Train)[0]).unwrap().is_none());
}

#[test]
fn an_autoencoder_of_colours_takes_grey_in_every_channel() {
    let (_keep, folder) = small_set();
    let set = Dataset::open(folder).unwrap();
    let config = serde_json::json!({
        "in_channels": 3, "out_channels": 3, "latent_channels": 2, "block_out_channels": [4, 8],
        "layers_per_block": 1, "norm_num_groups": 2, "scaling_factor": 0.5, "sample_size": 16,
        "latents_mean": [0.25, -0.5], "latents_std": [2.0, 2.0],
    });
    let config: VaeConfig = serde_json::from_value(config).unwrap();
    let weights = Weights::from_seed(1, DType::F32, &Device::Cpu);
    let vae = Vae::new(config, &weights).unwrap();
    let encoding = Encoding {
        vae: &vae,
        framing: &Framing::Square(16),
        cache: None,
        device: &Device::Cpu,
        cancel: &CancelToken::new(),
    };
    let latents = encoding.latents(&set, Split::Train, 3).unwrap();
    assert_eq!(latents.len(), 3);
    let grey = Images::load(&set, Split::Train, 16, 3).unwrap();
    let grey = grey.tensor(&[2], &Device::Cpu).unwrap();
    let (mean, _) = vae.encode(&Tensor::cat(&[&grey, &grey, &grey], 1).unwrap()).unwrap();
    let middle = Tensor::new(&[0.25f32, -0.5], &Device::Cpu).unwrap().reshape((1, 2, 1, 1));
    let expected = (mean.broadcast_sub(&middle.unwrap()).unwrap() * 0.25).unwrap();
    let far = (latents.batch(&[2]).unwrap() - expected).unwrap().abs().unwrap();
    assert!(far.max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-5);
}
