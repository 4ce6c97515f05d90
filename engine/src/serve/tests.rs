//! Requests are checked, and answered as asked.
#![allow(clippy::unwrap_used, clippy::panic)]

mod concept;
mod watermark;

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};

use super::*;
use crate::adapter::{AdapterCard, AdapterConfig, AdapterError, Networks, Prefix, weights_sha256};
use crate::device::CancelToken;
use crate::dicom::{self, AgeGroup, Frame, Provenance, Sex, SyntheticDescription, WatermarkUse};
use crate::model::{Bundle, Part, TextConfig, write_tiny};
use crate::prompt::StructuredPrompt;
use crate::watermark::Key;

fn service() -> (tempfile::TempDir, Service) {
    let folder = tempfile::tempdir().unwrap();
    // A word that comes once is not learnt.
    let texts = ["chest radiograph, normal", "chest radiograph, normal"].map(str::to_owned);
    write_tiny(&folder.path().join("model"), &texts, 3).unwrap();
    let service = Service::open(&folder.path().join("model"), &Device::Cpu).unwrap();
    (folder, service)
}

fn request() -> GenerateRequest {
    GenerateRequest {
        prompt: StructuredPrompt { findings: vec!["normal".into()], ..StructuredPrompt::default() },
        seed: 11,
        steps: 3,
        guidance_scale: 2.0,
        ..GenerateRequest::default()
    }
}

fn generate(service: &Service, request: &GenerateRequest) -> Vec<GeneratedImage> {
    service.generate(request, &mut |_| (), &CancelToken::new()).unwrap()
}

#[test]
fn the_same_request_gives_the_same_image_whatever_is_made_beside_it() {
    let (_keep, service) = service();
    let three = generate(&service, &GenerateRequest { count: 3, ..request() });
    for (index, image) in three.iter().enumerate() {
        let seed = 11 + index as u64;
        let alone = generate(&service, &GenerateRequest { seed, ..request() });
        assert_eq!((image.seed, alone[0].seed), (seed, seed));
        assert_eq!(image.frame, alone[0].frame);
        assert_eq!(image.png, alone[0].png);
    }
    assert_ne!(three[0].frame, three[1].frame);
    let last = generate(&service, &GenerateRequest { seed: u64::MAX, count: 2, ..request() });
    assert_eq!((last[0].seed, last[1].seed), (u64::MAX, 0), "the seed after the last is the first");
}

/// An adapter for the model in `folder`, with random factors, that strongly changes what it makes.
fn adapter(folder: &Path, name: &str) -> AdapterRef {
    let bundle = Bundle::open(&folder.join("model")).unwrap();
    let (_, network) = bundle.unet(false, &Device::Cpu).unwrap();
    let config = AdapterConfig::lora(2, 8.0, &["to_q", "to_v", "to_out.0"]);
    let (adapter, variables) = config.fresh(&Networks::unet(&network), 1, &Device::Cpu).unwrap();
    // Another name, other weights.
    let factor = 0.6 + f32::from(name.as_bytes()[0]) / 1000.0;
    for variable in variables.values() {
        variable.set(&Tensor::full(factor, variable.shape(), &Device::Cpu).unwrap()).unwrap();
    }
    let card = AdapterCard {
        name: name.into(),
        base_sha256: bundle.card().weights_sha256.clone(),
        ..AdapterCard::default()
    };
    let path = folder.join(name);
    adapter.save_trained(&path, &card).unwrap();
    AdapterRef { path, scale: 1.0 }
}

#[test]
fn a_prefix_stands_before_the_text_of_its_own_model_alone() {
    let (folder, service) = service();
    let bundle = Bundle::open(&folder.path().join("model")).unwrap();
    let text: TextConfig = bundle.config(Part::TextEncoder).unwrap();
    let vectors = Tensor::full(0.7f32, (2, text.hidden_size), &Device::Cpu).unwrap();
    let prefix = |name: &str, base: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        let base_sha256 = base.to_owned();
        let card = AdapterCard { name: name.into(), base_sha256, ..AdapterCard::default() };
        Prefix::save(&path, &vectors, &card).unwrap();
        AdapterRef { path, scale: 1.0 }
    };
    let own = prefix("style", &bundle.card().weights_sha256);
    let with = |adapters: &[AdapterRef]| {
        let wanted = GenerateRequest { adapters: adapters.to_vec(), ..request() };
        service.generate(&wanted, &mut |_| (), &CancelToken::new())
    };
    let base = with(&[]).unwrap().remove(0);
    let told = with(std::slice::from_ref(&own)).unwrap().remove(0);
    assert_ne!(told.frame, base.frame);
    let used = &told.provenance.adapters[0];
    assert_eq!((used.name.as_str(), &used.sha256), ("style", &weights_sha256(&own.path).unwrap()));
    let none = with(&[AdapterRef { scale: 0.0, ..own.clone() }]).unwrap().remove(0);
    assert_eq!(none.frame, base.frame);
    assert_eq!(with(&[]).unwrap().remove(0).png, base.png, "taken off again");
    let error = with(&[prefix("foreign", "other")]).unwrap_err().to_string();
    assert!(error.contains("other weights"), "{error}");
    assert_eq!(crate::adapter::summarise(&own.path).unwrap().kind, "prefix");
}

#[test]
fn adapters_come_and_go_without_a_trace() {
    let (folder, service) = service();
    let one = adapter(folder.path(), "one");
    let with = |adapters: &[AdapterRef]| {
        generate(&service, &GenerateRequest { adapters: adapters.to_vec(), ..request() }).remove(0)
    };
    let base = with(&[]);
    assert!(base.provenance.adapters.is_empty());
    let adapted = with(std::slice::from_ref(&one));
    assert_ne!(adapted.frame, base.frame);
    let weights = std::fs::read(one.path.join("adapter_model.safetensors")).unwrap();
    let used = dicom::AdapterUse {
        name: "one".into(),
        sha256: hex::encode(Sha256::digest(weights)),
        scale: 1.0,
    };
    assert_eq!(adapted.provenance.adapters, [used]);
    assert_eq!(with(&[]).png, base.png, "taken off again");
    let weak = AdapterRef { scale: 0.0, ..one.clone() };
    assert_eq!(with(&[weak]).frame, base.frame, "a scale of nothing changes nothing");
    let half = AdapterRef { scale: 0.5, ..one.clone() };
    assert_eq!(with(&[half.clone(), half]).frame.pixels.len(), base.frame.pixels.len());
    assert_eq!(with(std::slice::from_ref(&one)).png, adapted.png);

    // An adapter that fails to load leaves nothing of itself, nor of the one before.
    std::fs::remove_file(one.path.join("adapter_model.safetensors")).unwrap();
    let wanted = GenerateRequest { adapters: vec![one], ..request() };
    assert!(service.generate(&wanted, &mut |_| (), &CancelToken::new()).is_err());
    assert_eq!(with(&[]).png, base.png);
}

#[test]
fn an_adapter_that_does_not_fit_is_refused() {
    let (folder, service) = service();
    let refused = |adapter: &AdapterRef| {
        let wanted = GenerateRequest { adapters: vec![adapter.clone()], ..request() };
        let error = service.generate(&wanted, &mut |_| (), &CancelToken::new()).unwrap_err();
        assert!(matches!(error, ServeError::Adapter(_)), "{error}");
        error
    };
    let change = |name: &str, file: &str, from: &str, to: &str| {
        let adapter = adapter(folder.path(), name);
        let path = adapter.path.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
        refused(&adapter).to_string()
    };
    let config = "adapter_config.json";
    assert!(change("rank-0", config, "\"r\": 2", "\"r\": 0").contains("r: must lie above 0"));
    assert!(change("rank-3", config, "\"r\": 2", "\"r\": 3").contains("shape of"));
    let huge = change("huge", config, "\"r\": 2", "\"r\": 1000000000000");
    assert!(huge.contains("shape of"), "{huge}");
    assert!(change("method", config, "LORA", "ADALORA").contains("peft_type"));
    assert!(change("fewer", config, "\"to_q\"", "\"to_x\"").contains("unexpected: "));
    assert!(change("more", config, "\"to_q\"", "\"to_q\", \"to_k\"").contains("missing: "));
    let hash = service.card().weights_sha256.clone();
    change("other", "card.json", &hash, &"0".repeat(64));
    let other = AdapterRef { path: folder.path().join("other"), scale: 1.0 };
    let error = refused(&other);
    assert!(matches!(error, ServeError::Adapter(AdapterError::WrongBase { .. })), "{error}");
    // Without a card the names and shapes decide, as with every adapter of another program.
    std::fs::remove_file(other.path.join("card.json")).unwrap();
    generate(&service, &GenerateRequest { adapters: vec![other], ..request() });
}

#[test]
fn an_image_says_what_it_is() {
    let (_keep, service) = service();
    let prompt = StructuredPrompt {
        findings: vec!["edema".into(), "pneumonia".into()],
        age_group: Some(AgeGroup::Child),
        sex: Some(Sex::Female),
        view_position: Some("PA".into()),
        style: None,
        text: Some("seen early".into()),
    };
    let sentence = prompt.sentence().unwrap();
    // Larger than the tiny model's own size, in which there is no room for a mark.
    let size = Some((128, 128));
    let wanted = GenerateRequest { prompt, count: 2, size, ..request() };
    let image = generate(&service, &wanted).remove(1);
    let expected = Provenance {
        program: "Skiagraph".into(),
        version: crate::VERSION.into(),
        model: "tiny 0".into(),
        model_sha256: service.card().weights_sha256.clone(),
        licence: service.card().licence.clone(),
        attribution: service.card().attribution.clone(),
        adapters: Vec::new(),
        seed: 12,
        random_generator: "chacha8-box-muller".into(),
        steps: 3,
        guidance_scale: 2.0,
        guidance_rescale: 0.0,
        scheduler: "DDIMScheduler".into(),
        scheduler_config: image.provenance.scheduler_config.clone(),
        negative_prompt: String::new(),
        width: 128,
        height: 128,
        strength: None,
        inputs: Vec::new(),
        embeddings: Vec::new(),
        options: serde_json::json!({}),
        weights: None,
        watermark: Some(WatermarkUse {
            scheme: crate::watermark::SCHEME.into(),
            key: Key::public().fingerprint(),
        }),
    };
    assert_eq!(image.provenance, expected);
    assert_eq!(expected.scheduler_config["num_train_timesteps"], 1000);

    let decoder = png::Decoder::new(std::io::Cursor::new(&image.png));
    let mut reader = decoder.read_info().unwrap();
    let text = |keyword: &str| {
        let chunks = &reader.info().utf8_text;
        let chunk = chunks.iter().find(|chunk| chunk.keyword == keyword).unwrap();
        chunk.get_text().unwrap()
    };
    assert_eq!((text("Synthetic"), text("Description")), ("YES".to_owned(), sentence));
    let written: SyntheticDescription = serde_json::from_str(&text("Provenance")).unwrap();
    assert_eq!(written.provenance, expected);
    // A file of a version that knew neither learned words nor options.
    let mut before = serde_json::to_value(&written).unwrap();
    for key in ["embeddings", "options"] {
        before["provenance"].as_object_mut().unwrap().remove(key).unwrap();
    }
    assert_eq!(serde_json::from_value::<SyntheticDescription>(before).unwrap(), written);
    let findings: Vec<_> = written.findings.iter().map(|found| found.finding.as_str()).collect();
    assert_eq!(findings, ["edema", "pneumonia"]);
    for file in [&image.png, &image.dicom] {
        assert_eq!(dicom::read_provenance(file).unwrap(), written);
    }
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    assert_eq!(pixels.len(), image.frame.pixels.len());
    for (ours, read) in image.frame.pixels.iter().zip(&pixels) {
        assert!((ours - f32::from(*read) / 255.0).abs() <= 0.51 / 255.0, "{ours} {read}");
    }

    let read = dicom::read(&image.dicom).unwrap();
    assert!(read.header.synthetic);
    assert_eq!(read.header.sex, Some(Sex::Female));
    assert_eq!(read.header.view_position.as_deref(), Some("PA"));
    assert_eq!((read.frame.width, read.frame.height), (128, 128));
    // Twelve bits: half a step of 4,095.
    for (ours, read) in image.frame.pixels.iter().zip(&read.frame.pixels) {
        assert!((ours - read).abs() <= 0.51 / 4095.0, "{ours} {read}");
    }
}

/// A picture of 40 × 24 with a bright middle.
fn picture() -> Frame {
    let of = |index: u32| if (index % 40).abs_diff(20) < 8 { 0.9 } else { 0.2 };
    Frame { width: 40, height: 24, pixels: (0..40 * 24).map(of).collect() }
}

#[test]
fn an_image_is_made_again_from_either_of_its_files() {
    let (folder, service) = service();
    let (one, two) = (adapter(folder.path(), "one"), adapter(folder.path(), "two"));
    let prompt = StructuredPrompt {
        findings: vec!["edema".into()],
        sex: Some(Sex::Male),
        text: Some("seen early".into()),
        ..StructuredPrompt::default()
    };
    let mask =
        Frame { pixels: picture().pixels.iter().map(|value| value.round()).collect(), ..picture() };
    let starts = [
        Start::Noise,
        Start::Image { image: picture(), strength: 0.7 },
        Start::Inpaint { image: picture(), mask: mask.clone(), strength: 1.0 },
    ];
    for start in starts {
        let wanted = GenerateRequest {
            prompt: prompt.clone(),
            negative: Some("a blurred film".into()),
            adapters: vec![AdapterRef { scale: 0.3, ..one.clone() }, two.clone()],
            guidance_rescale: 0.4,
            size: Some((40, 24)),
            start,
            ..request()
        };
        let image = generate(&service, &wanted).remove(0);
        let paths = [&two, &one].map(|adapter| adapter.path.clone());
        let given = Given {
            adapters: paths.to_vec(),
            init: Some(picture()),
            mask: Some(mask.clone()),
            ..Given::default()
        };
        for file in [&image.png, &image.dicom] {
            let description = dicom::read_provenance(file).unwrap();
            let request = replay(&description, service.card(), &[], &given).unwrap();
            let again = generate(&service, &request).remove(0);
            assert!(again.frame == image.frame && again.png == image.png);
            assert_eq!(again.provenance, image.provenance);
        }
    }
}

#[test]
fn an_image_is_not_made_again_from_other_things() {
    let (folder, service) = service();
    let one = adapter(folder.path(), "one");
    let start = Start::Image { image: picture(), strength: 0.7 };
    let wanted = GenerateRequest { adapters: vec![one.clone()], start, ..request() };
    let image = generate(&service, &wanted).remove(0);
    let made = dicom::read_provenance(&image.png).unwrap();
    let given =
        || Given { adapters: vec![one.path.clone()], init: Some(picture()), ..Given::default() };
    let refused = |made: &SyntheticDescription, given: &Given| {
        let error = replay(made, service.card(), &[], given).unwrap_err();
        let ServeError::Invalid { field, .. } = error else { panic!("{error}") };
        field
    };
    assert!(replay(&made, service.card(), &[], &given()).is_ok());
    assert_eq!(refused(&made, &Given { adapters: Vec::new(), ..given() }), "adapters");
    assert_eq!(refused(&made, &Given { init: None, ..given() }), "init");
    let mut other = picture();
    other.pixels[7] += 0.01;
    assert_eq!(refused(&made, &Given { init: Some(other), ..given() }), "init");
    let change = |of: &dyn Fn(&mut Provenance)| {
        let mut made = made.clone();
        of(&mut made.provenance);
        refused(&made, &given())
    };
    assert_eq!(change(&|made| made.model_sha256 = "0".repeat(64)), "model");
    assert_eq!(change(&|made| made.random_generator = "mt19937".into()), "random_generator");
    assert_eq!(change(&|made| made.inputs[0].role = "depth".into()), "inputs");

    assert!(dicom::read_provenance(b"").is_err());
    let plain = dicom::render_png(&image.frame, None).unwrap();
    assert!(dicom::read_provenance(&plain).unwrap_err().to_string().contains("no provenance"));
}

#[test]
fn every_step_is_heard_of_and_a_cancel_ends_within_one() {
    let (_keep, service) = service();
    let mut heard = Vec::new();
    let wanted = GenerateRequest { steps: 9, count: 2, ..request() };
    let mut on_progress = |progress: Progress| heard.push((progress.image, progress.step));
    service.generate(&wanted, &mut on_progress, &CancelToken::new()).unwrap();
    let expected: Vec<_> =
        (0..2).flat_map(|image| (1..=9).map(move |step| (image, step))).collect();
    assert_eq!(heard, expected);

    let cancel = CancelToken::new();
    let long = GenerateRequest { steps: 1000, ..request() };
    let mut last = 0;
    let mut on_progress = |progress: Progress| {
        last = progress.step;
        cancel.cancel();
    };
    let error = service.generate(&long, &mut on_progress, &cancel).unwrap_err();
    assert!(matches!(error, ServeError::Cancelled), "{error}");
    assert!(last < 1000);
}

#[test]
fn bad_fields_are_named() {
    let (_keep, service) = service();
    let field = |request: &GenerateRequest| match service.validate(request) {
        Err(ServeError::Invalid { field, .. }) => field,
        other => unreachable!("{other:?}"),
    };
    assert_eq!(field(&GenerateRequest { steps: 0, ..request() }), "steps");
    assert_eq!(field(&GenerateRequest { steps: 10_000, ..request() }), "steps");
    assert_eq!(field(&GenerateRequest { count: 17, ..request() }), "count");
    assert_eq!(field(&GenerateRequest { count: 0, ..request() }), "count");
    assert_eq!(field(&GenerateRequest { guidance_scale: 0.9, ..request() }), "guidance_scale");
    assert_eq!(field(&GenerateRequest { guidance_scale: f32::NAN, ..request() }), "guidance_scale");
    assert_eq!(field(&GenerateRequest { guidance_scale: 1e9, ..request() }), "guidance_scale");
    let negative = Some("x".repeat(2001));
    assert_eq!(field(&GenerateRequest { negative, ..request() }), "negative");
    let adapters = vec![AdapterRef { path: PathBuf::new(), scale: -1.0 }];
    assert_eq!(field(&GenerateRequest { adapters, ..request() }), "adapter_scale");
    let prompt =
        StructuredPrompt { findings: vec!["dragon".into()], ..StructuredPrompt::default() };
    assert_eq!(field(&GenerateRequest { prompt, ..request() }), "findings");
    let prompt =
        StructuredPrompt { text: Some("x".repeat(100_000)), ..StructuredPrompt::default() };
    assert_eq!(field(&GenerateRequest { prompt, ..request() }), "text");
    let prompt =
        StructuredPrompt { view_position: Some("UP".into()), ..StructuredPrompt::default() };
    assert_eq!(field(&GenerateRequest { prompt, ..request() }), "view_position");
    let adapters = vec![AdapterRef { path: PathBuf::new(), scale: f32::NAN }];
    let wanted = GenerateRequest { adapters, ..request() };
    assert_eq!(field(&wanted), "adapter_scale");
    // The same holds where nobody validated first.
    let mut steps = 0;
    let error = service.generate(&wanted, &mut |_| steps += 1, &CancelToken::new()).unwrap_err();
    assert!(matches!(error, ServeError::Invalid { .. }) && steps == 0, "{error}");
}

#[test]
fn words_that_the_model_does_not_know_are_told() {
    let (_keep, service) = service();
    let known = service.notes("chest radiograph, normal", None).unwrap();
    assert!(known.is_empty(), "{known:?}");
    let long = "normal ".repeat(550);
    let notes = service.notes("chest radiograph, (胸片:1.2)", Some(&long)).unwrap();
    assert_eq!((notes[0].field, notes[0].beyond.as_str()), ("prompt", ""));
    assert_eq!(notes[0].unknown, ["胸片"]);
    assert_eq!((notes[1].field, notes[1].unknown.len()), ("negative", 0));
    assert!(notes[1].beyond.starts_with("normal"), "{}", notes[1].beyond.len());
    assert!(service.notes("(x:99)", None).is_err());
}

#[test]
fn emphasis_changes_the_image() {
    let (_keep, service) = service();
    let with = |text: &str| {
        let prompt = StructuredPrompt { text: Some(text.into()), ..StructuredPrompt::default() };
        generate(&service, &GenerateRequest { prompt, ..request() }).remove(0).frame
    };
    assert_ne!(with("normal (radiograph:1.5)"), with("normal radiograph"));
    // More than the window's 32 tokens changes the image still.
    assert_ne!(with(&format!("{}chest", "normal ".repeat(40))), with(&"normal ".repeat(40)));
    let prompt = StructuredPrompt { text: Some("(x:99)".into()), ..StructuredPrompt::default() };
    let error = service.validate(&GenerateRequest { prompt, ..request() }).unwrap_err();
    assert!(matches!(error, ServeError::Invalid { field: "text", .. }), "{error}");
    let negative = Some("(x:99)".to_owned());
    let error = service.validate(&GenerateRequest { negative, ..request() }).unwrap_err();
    assert!(matches!(error, ServeError::Invalid { field: "negative", .. }), "{error}");
}

#[test]
fn a_model_that_is_damaged_does_not_load() {
    let (folder, _service) = service();
    let model = folder.path().join("model");
    let error =
        |model: &std::path::Path| Service::open(model, &Device::Cpu).unwrap_err().to_string();
    assert!(error(&folder.path().join("none")).contains("is not a model folder"));

    let weights = model.join("unet/diffusion_pytorch_model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    assert!(error(&model).contains("diffusion_pytorch_model"));
    // A header that lies about its length.
    let mut lying = whole.clone();
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    std::fs::write(&weights, &lying).unwrap();
    assert!(error(&model).contains("diffusion_pytorch_model"));
    std::fs::write(&weights, &whole).unwrap();

    let config = model.join("unet/config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let change = |from: &str, to: &str| {
        assert!(text.contains(from));
        std::fs::write(&config, text.replace(from, to)).unwrap();
        error(&model)
    };
    assert!(change("\"in_channels\": 4", "\"in_channels\": 1000000000").contains("in_channels"));
    assert!(change("\"layers_per_block\": 1", "\"layers_per_block\": 2").contains("missing: "));
    assert!(
        change("\"cross_attention_dim\": 16", "\"cross_attention_dim\": 24").contains("shape of")
    );
    std::fs::write(&config, &text).unwrap();

    std::fs::write(model.join("card.json"), "{}").unwrap();
    assert!(error(&model).contains("card.json"));
    // A folder as diffusers writes it has no card: nobody stated its licence.
    std::fs::remove_file(model.join("card.json")).unwrap();
    let service = Service::open(&model, &Device::Cpu).unwrap();
    assert_eq!((service.card().licence.as_str(), service.card().image_size), ("unknown", 32));
}
