//! What is fuzzed: every loader that reads what somebody else wrote.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde_json::Value;
use skiagraph_compliance::deidentification::{Edition, Policy, ProfileOption, Pseudonyms};
use skiagraph_engine::adapter::{AdapterCard, Concept};
use skiagraph_engine::check::check;
use skiagraph_engine::dicom::{
    Deidentified, Deidentifier, ReadOptions, bulk_value, describe, native_frame, read_from,
    stored_frame, uncompressed,
};
use skiagraph_engine::kernel::map_weights;
use skiagraph_engine::model::{
    Bundle, Clip, CrossAttention, Part, SingleFile, Wishes, read_json, safetensors_metadata,
};
use skiagraph_engine::nn::Stored;
use skiagraph_engine::noise::{NoiseSource, SchedulerConfig};
use skiagraph_engine::verify::{Means, verify};

/// A loader, and where the files lie that it is damaged from.
pub(super) struct Target {
    pub(super) name: &'static str,
    /// Files among the seeds.
    seeds: &'static [&'static str],
    /// Runs the loader on `input`; `desk` is an empty place of its own.
    pub(super) run: fn(&Path, &[u8]),
}

pub(super) const TARGETS: [Target; 11] = [
    Target {
        name: "weights",
        seeds: &["weights.safetensors", "checkpoint.safetensors"],
        run: weights,
    },
    Target { name: "checkpoint", seeds: &["checkpoint.safetensors"], run: checkpoint },
    Target { name: "reference", seeds: &["reference.safetensors"], run: reference },
    Target {
        name: "unet",
        seeds: &["../../golden/sd1/unet/config.json", "../../golden/pipelines/xl/unet/config.json"],
        run: |desk, input| network(desk, input, Part::Unet),
    },
    Target {
        name: "vae",
        seeds: &["../../golden/sd2/vae/config.json"],
        run: |desk, input| network(desk, input, Part::Vae),
    },
    Target {
        name: "text",
        seeds: &["../../golden/sd1/text_encoder/config.json"],
        run: |desk, input| network(desk, input, Part::TextEncoder),
    },
    Target {
        name: "scheduler",
        seeds: &[
            "../../golden/sd1/scheduler/scheduler_config.json",
            "../../golden/pipelines/xl/scheduler/scheduler_config.json",
        ],
        run: scheduler,
    },
    Target { name: "clip", seeds: &["clip.json"], run: clip },
    Target { name: "concept", seeds: &["concept.json"], run: concept },
    // A picture of 16 × 12 with twelve bits by pydicom 3.0, then by dcmtk 3.6.7 (dcmcjpls, dcmcjpeg +ee,
    // dcmcrle, dcmconv +td) and gdcmconv 3.0 (--j2k); and what broke them.
    Target {
        name: "dicom",
        seeds: &[
            "dicom/plain.dcm",
            "dicom/deflated.dcm",
            "dicom/rle.dcm",
            "dicom/jpeg_extended.dcm",
            "dicom/jpeg_ls.dcm",
            "dicom/jpeg_ls_near.dcm",
            "dicom/j2k.dcm",
            "dicom/uid-with-a-letter.dcm",
            "dicom/two-uids.dcm",
        ],
        run: dicom,
    },
    Target { name: "verify", seeds: &["dicom/plain.dcm"], run: verified },
];

impl Target {
    pub(super) fn corpus(&self, folder: &Path) -> Vec<Vec<u8>> {
        self.seeds.iter().map(|seed| std::fs::read(folder.join(seed)).unwrap()).collect()
    }
}

fn file(desk: &Path, name: &str, input: &[u8]) -> std::path::PathBuf {
    let path = desk.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, input).unwrap();
    path
}

fn weights(desk: &Path, input: &[u8]) {
    let path = file(desk, "weights.safetensors", input);
    let _ = safetensors_metadata(&path);
    let Ok(mapped) = map_weights(&path) else { return };
    let stored = Stored::from(mapped);
    for name in stored.names() {
        let shape = stored.shape(name);
        if let Ok(tensor) = stored.load(name, &Device::Cpu) {
            assert_eq!(Some(tensor.dims()), shape.as_deref());
        }
    }
}

fn checkpoint(desk: &Path, input: &[u8]) {
    let path = file(desk, "checkpoint.safetensors", input);
    let Ok(single) = SingleFile::open(&path) else { return };
    let wishes = Wishes::default();
    let parts: Vec<Part> = single.parts().collect();
    for part in parts {
        let _ = single.config(part, &wishes);
        let Ok(stored) = single.stored(&path, part) else { continue };
        for name in stored.names() {
            let _ = stored.load(name, &Device::Cpu);
        }
    }
    assert!(single.scheduler(&wishes).is_object());
}

fn reference(desk: &Path, input: &[u8]) {
    let path = file(desk, "reference.safetensors", input);
    // A text encoder and a scheduler are there, and nothing else.
    let bundle = desk.join("parts");
    if !bundle.exists() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/sd1");
        for name in [
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "scheduler/scheduler_config.json",
        ] {
            file(&bundle, name, &std::fs::read(golden.join(name)).unwrap());
        }
    }
    if let Ok(report) = check(&bundle, &path, 1e-4, &Device::Cpu) {
        assert!(!report.parts.is_empty());
    }
}

/// A configuration without the weights that it describes: everything is missing, and nothing is asked for.
fn network(desk: &Path, input: &[u8], part: Part) {
    let folder = part.folder();
    file(desk, &format!("{folder}/config.json"), input);
    seed(desk, &format!("{folder}/{}", part.weights_file()));
    let error = Bundle::of_parts(desk).unwrap().verify(part).unwrap_err().to_string();
    assert!(error.len() < 100_000, "an error of {} bytes", error.len());
}

/// An image–text pair and a concept: configurations without the weights that they describe.
fn clip(desk: &Path, input: &[u8]) {
    let folder = desk.join("pair");
    file(&folder, "config.json", input);
    seed(&folder, "model.safetensors");
    assert!(Clip::open(&folder, &Device::Cpu).is_err());
}

fn concept(desk: &Path, input: &[u8]) {
    let folder = desk.join("concept");
    file(&folder, "concept_config.json", input);
    seed(&folder, "concept.safetensors");
    if !folder.join("card.json").exists() {
        let card = serde_json::to_vec(&AdapterCard::default()).unwrap();
        file(&folder, "card.json", &card);
    }
    let attentions = [CrossAttention { context: 8, inner: 8 }];
    assert!(Concept::open(&folder, &attentions, "", &Device::Cpu).is_err());
}

/// Lays weights that belong to nothing under `name`.
fn seed(desk: &Path, name: &str) {
    if !desk.join(name).exists() {
        let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/weights.safetensors");
        file(desk, name, &std::fs::read(seed).unwrap());
    }
}

/// What reads also comes out of de-identification, and reads again.
fn dicom(_: &Path, input: &[u8]) {
    let first = ReadOptions { frame: Some(1), ..ReadOptions::default() };
    let readable = read_from(std::io::Cursor::new(input), first).is_ok();
    if let Ok(described) = describe(input) {
        assert!(described.attributes.is_object());
    }
    let _ = (stored_frame(input, 1), native_frame(input, 1), bulk_value(input, "7FE00010"));
    if let Ok(plain) = uncompressed(input) {
        native_frame(&plain, 1).unwrap();
    }
    let options = [ProfileOption::CleanPixelData, ProfileOption::CleanDescriptors];
    let policy = Policy::new(Edition::default(), options).unwrap();
    let deidentifier = Deidentifier::new(policy, Pseudonyms::new(&[7; 32]).unwrap());
    let done = deidentifier.deidentify(std::io::Cursor::new(input));
    if let Ok(Deidentified::Clean { bytes, .. }) = done
        && readable
    {
        read_from(std::io::Cursor::new(bytes), first).unwrap();
    }
}

/// A file is looked at, or refused in few words.
fn verified(_: &Path, input: &[u8]) {
    match verify(input, &Means::default()) {
        Ok(report) => drop(report.verdict(false)),
        Err(error) => assert!(error.to_string().len() < 10_000),
    }
}

fn scheduler(desk: &Path, input: &[u8]) {
    let path = file(desk, "scheduler_config.json", input);
    let _ = read_json::<Value>(&path);
    let Ok(config) = SchedulerConfig::parse(input) else { return };
    let mut draws = Zeros;
    for steps in [1, 7] {
        let Ok(mut sampler) = config.sampler(steps) else { continue };
        let sample = Tensor::ones((1, 1, 2, 2), DType::F32, &Device::Cpu).unwrap();
        for index in 0..sampler.timesteps().len().min(9) {
            let _ = sampler.scale_model_input(&sample, index);
            let _ = sampler.step(&sample, index, &sample, &mut draws);
        }
    }
}

/// Draws of nothing.
struct Zeros;

impl NoiseSource for Zeros {
    fn next(&mut self, like: &Tensor) -> candle_core::Result<Tensor> {
        like.zeros_like()
    }
}
