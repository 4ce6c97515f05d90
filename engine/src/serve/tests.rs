//! Requests are checked, and answered as asked.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use super::*;
use crate::device::CancelToken;
use crate::dicom;
use crate::model::write_tiny;
use crate::prompt::StructuredPrompt;

fn service() -> (tempfile::TempDir, Service) {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["chest radiograph, normal".to_owned()];
    write_tiny(&folder.path().join("model"), &texts, 3).unwrap();
    let service = Service::open(&folder.path().join("model")).unwrap();
    (folder, service)
}

fn request() -> GenerateRequest {
    GenerateRequest {
        prompt: StructuredPrompt { findings: vec!["normal".into()], ..StructuredPrompt::default() },
        negative: None,
        seed: 11,
        steps: 3,
        guidance_scale: 2.0,
        count: 1,
        adapters: Vec::new(),
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
}

#[test]
fn an_image_says_what_it_is() {
    let (_keep, service) = service();
    let image = generate(&service, &request()).remove(0);
    assert_eq!(image.provenance.model_sha256, service.card().weights_sha256);
    assert_eq!((image.provenance.seed, image.provenance.steps), (11, 3));
    let read = dicom::read(&image.dicom).unwrap();
    assert!(read.header.synthetic);
    // Twelve bits: half a step of 4,095.
    for (ours, read) in image.frame.pixels.iter().zip(&read.frame.pixels) {
        assert!((ours - read).abs() <= 0.51 / 4095.0, "{ours} {read}");
    }
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
    assert_eq!(field(&GenerateRequest { guidance_scale: f32::NAN, ..request() }), "guidance_scale");
    assert_eq!(field(&GenerateRequest { guidance_scale: 1e9, ..request() }), "guidance_scale");
    let negative = Some("x".repeat(2001));
    assert_eq!(field(&GenerateRequest { negative, ..request() }), "negative");
    let adapters = vec![AdapterRef { path: PathBuf::new(), scale: -1.0 }];
    assert_eq!(field(&GenerateRequest { adapters, ..request() }), "adapter_scale");
    let prompt =
        StructuredPrompt { findings: vec!["dragon".into()], ..StructuredPrompt::default() };
    assert_eq!(field(&GenerateRequest { prompt, ..request() }), "findings");
}

#[test]
fn a_model_that_is_damaged_does_not_load() {
    let (folder, _service) = service();
    let model = folder.path().join("model");
    let error = |model: &std::path::Path| Service::open(model).unwrap_err().to_string();
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

    std::fs::remove_file(model.join("card.json")).unwrap();
    assert!(error(&model).contains("card.json"));
}
