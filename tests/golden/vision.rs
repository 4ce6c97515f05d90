//! Image prompts: CLIP's image encoder and its processor against transformers', IP-Adapters against diffusers'.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use skiagraph_engine::adapter::{Adapter, ImagePrompts, IpAdapter, summarise};
use skiagraph_engine::device::CancelToken;
use skiagraph_engine::dicom::{Frame, read_provenance};
use skiagraph_engine::model::{
    Added, Bundle, ImageProcessor, Unet, UnetInput, VisionConfig, VisionEncoder, VisionOutput,
};
use skiagraph_engine::nn::WeightForm;
use skiagraph_engine::sample::{ImagePrompt, Pipeline, Request, Seeded, render};
use skiagraph_engine::serve::{
    GenerateRequest, Given, IpAdapterFiles, ServeError, Service, replay,
};

use super::{Golden, deviation, folder_of};

/// Single precision loses about a millionth in networks of this depth.
const TOLERANCE: f32 = 1e-4;
/// Of a whole pipeline's brightest value.
const OF_AN_IMAGE: f32 = 1e-3;
const SIZE: usize = 16;

fn shown() -> HashMap<String, Frame> {
    let path = folder_of("vision").join("shown.safetensors");
    let pictures = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let frame = |picture: Tensor| {
        let (height, width) = picture.dims2().unwrap();
        let pixels = picture.flatten_all().unwrap().to_vec1().unwrap();
        Frame { width: width as u32, height: height as u32, pixels }
    };
    pictures.into_iter().map(|(name, picture)| (name, frame(picture))).collect()
}

fn encoder(name: &str) -> VisionEncoder {
    VisionEncoder::open(&folder_of("vision").join(name), &Device::Cpu).unwrap()
}

fn unet(model: &str) -> Unet {
    let bundle = Bundle::open(&folder_of("pipelines").join(model)).unwrap();
    bundle.unet(false, &Device::Cpu).unwrap().0
}

fn file(name: &str) -> std::path::PathBuf {
    folder_of("vision").join(format!("{name}.safetensors"))
}

#[test]
fn an_ip_adapter_is_known_without_its_unet() {
    let expected = [("embedding", "ip_adapter", Some(4)), ("full", "ip_adapter_full", None)];
    for (name, kind, tokens) in expected.into_iter().chain([("plus", "ip_adapter_plus", Some(5))]) {
        let summary = summarise(&file(name)).unwrap();
        let cross_attentions = unet("base").cross_attentions().len();
        let prompts = ImagePrompts { cross_attentions, width: 24, tokens };
        assert_eq!((summary.kind.as_str(), summary.image_prompts), (kind, Some(prompts)), "{name}");
        assert_eq!(summary.layers["unet"], cross_attentions);
        let error = Adapter::open(&file(name)).unwrap_err().to_string();
        assert!(error.contains("is an IP-Adapter"), "{error}");
    }
}

#[test]
fn image_encoders_embed_as_transformers_does() {
    let golden = Golden::open("vision");
    for name in ["image_encoder", "whole"] {
        let seen = encoder(name).encode(golden.get("encoder.pixels")).unwrap();
        golden.check("vision", &format!("{name}.embeds"), &seen.image_embeds, TOLERANCE);
        golden.check("vision", &format!("{name}.penultimate"), &seen.penultimate, TOLERANCE);
    }
    let small = Tensor::zeros((1, 3, 8, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(encoder("whole").encode(&small).unwrap_err().to_string().contains("16 × 16"));
}

#[test]
fn pictures_are_made_ready_as_transformers_does() {
    let golden = Golden::open("vision");
    for name in ["default", "padded", "whole", "larger"] {
        let folder = folder_of("vision/processors").join(name);
        let processor = ImageProcessor::open(&folder, SIZE).unwrap();
        for (picture, frame) in shown() {
            let ours = processor.pixels(&frame, &Device::Cpu).unwrap();
            // Pillow's rounding to 8 bits is ours: a grey value off by one would be a thousand times this.
            golden.check("vision", &format!("processor.{name}.{picture}"), &ours, 1e-6);
        }
    }
    let thin = Frame { width: 1, height: 16_384, pixels: vec![0.5; 16_384] };
    let processor = ImageProcessor::open(Path::new("/nowhere"), SIZE).unwrap();
    assert!(processor.pixels(&thin, &Device::Cpu).unwrap_err().contains("too long"));
    let other = ImageProcessor::open(&folder_of("vision/processors/larger"), 24).unwrap_err();
    assert!(other.to_string().contains("24 × 24"), "{other}");
}

#[test]
fn networks_see_image_prompts_as_diffusers_does() {
    let golden = Golden::open("vision");
    let times = golden.get("unet.timesteps").to_vec1::<i64>().unwrap();
    let times: Vec<f64> = times.into_iter().map(|time| time as f64).collect();
    let encoder = encoder("image_encoder");
    let seen = VisionOutput {
        image_embeds: golden.get("unet.embeds").clone(),
        penultimate: golden.get("unet.hidden").clone(),
    };
    let (base, large) = (unet("base"), unet("xl"));
    for (name, scale) in [("embedding", 0.6), ("plus", 0.6), ("full", 0.6), ("xl", 1.0)] {
        let unet = if name == "xl" { &large } else { &base };
        let attentions = unet.cross_attentions();
        let adapter =
            IpAdapter::open(&file(name), attentions, encoder.config(), &Device::Cpu).unwrap();
        let tokens = adapter.tokens(&seen).unwrap();
        if name != "xl" {
            golden.check("vision", &format!("unet.{name}.tokens"), &tokens, TOLERANCE);
        }
        let images = adapter.images(&[(tokens, scale)]).unwrap();
        let context = golden.get(&format!("unet.{name}.context"));
        let added = (name == "xl").then(|| Added {
            text_embeds: golden.get("unet.xl.text_embeds"),
            time_ids: golden.get("unet.xl.time_ids"),
        });
        let plain =
            UnetInput { added, ..UnetInput::new(golden.get("unet.sample"), &times, context) };
        let asked = UnetInput { images: Some(&images), ..plain };
        let wanted = format!("unet.{name}.prediction");
        golden.check("vision", &wanted, &unet.predict(&asked).unwrap(), TOLERANCE);
        // An adapter that did nothing would be found out.
        let without = unet.predict(&plain).unwrap();
        assert!(deviation(&without, golden.get(&wanted)) > 100.0 * TOLERANCE, "{name}");
        // Nor does one of scale zero do anything.
        let nothing = adapter.images(&[(adapter.tokens(&seen).unwrap(), 0.0)]).unwrap();
        let same = unet.predict(&UnetInput { images: Some(&nothing), ..plain }).unwrap();
        assert!(deviation(&same, &without).to_bits() == 0, "{name}");
        let few = UnetInput { images: Some(&images[1..]), ..plain };
        assert!(unet.predict(&few).unwrap_err().to_string().contains("cross-attentions"));
    }
}

fn request(prompts: &[(&str, f64)]) -> Request {
    let shown = shown();
    let prompt =
        |(name, scale): &(&str, f64)| ImagePrompt { image: shown[*name].clone(), scale: *scale };
    Request {
        prompt: "chest radiograph, AP view, child, male, bacterial pneumonia".into(),
        negative: "blurred".into(),
        steps: 6,
        guidance_scale: 4.0,
        image_prompts: prompts.iter().map(prompt).collect(),
        ..Request::default()
    }
}

#[test]
fn an_image_by_an_image_prompt_is_diffusers() {
    let golden = Golden::open("vision");
    let bundle = Bundle::open(&folder_of("pipelines/base")).unwrap();
    let mut pipeline = Pipeline::load(&bundle, &Device::Cpu).unwrap();
    let one = |scale| request(&[("portrait", scale)]);
    let refused = render(&pipeline, &one(0.8), &mut Seeded::new(7)).unwrap_err();
    assert!(refused.to_string().contains("image_prompt: needs an IP-Adapter"), "{refused}");
    let unguided = Request { guidance_scale: 1.0, ..one(0.8) };
    let cases = [
        ("embedding", "embedding", one(0.8)),
        ("embedding", "embedding_unguided", unguided),
        ("plus", "plus", one(0.8)),
        ("full", "full", one(0.5)),
        ("plus", "two", request(&[("portrait", 0.7), ("landscape", 0.4)])),
    ];
    let encoder = folder_of("vision/image_encoder");
    for (adapter, name, request) in cases {
        pipeline.load_ip_adapter(&encoder, &file(adapter)).unwrap();
        let ours = render(&pipeline, &request, &mut Seeded::new(7)).unwrap();
        golden.check("vision", &format!("pipeline.{name}"), &ours, OF_AN_IMAGE);
        // The prompts are seen: without them it is another image.
        let words = Request { image_prompts: Vec::new(), ..request };
        let words = render(&pipeline, &words, &mut Seeded::new(7)).unwrap();
        let wanted = golden.get(&format!("pipeline.{name}"));
        assert!(deviation(&words, wanted) > 10.0 * OF_AN_IMAGE, "{name}");
    }
    for scale in [-0.1, 4.5, f64::NAN] {
        let error = render(&pipeline, &one(scale), &mut Seeded::new(7)).unwrap_err();
        assert!(error.to_string().starts_with("image_prompt:"), "{error}");
    }
}

#[test]
fn an_image_by_an_image_prompt_is_made_again() {
    let open = |adapter| {
        let files = IpAdapterFiles {
            adapter: file(adapter),
            image_encoder: folder_of("vision/image_encoder"),
        };
        Service::open_beside(
            &folder_of("pipelines/base"),
            &[],
            Some(&files),
            WeightForm::Full,
            &Device::Cpu,
        )
        .unwrap()
    };
    let (service, other) = (open("plus"), open("full"));
    let image_prompts = request(&[("landscape", 0.7), ("small", 0.4)]).image_prompts;
    let wanted = GenerateRequest { steps: 2, image_prompts, ..GenerateRequest::default() };
    let make = |request: &GenerateRequest| {
        service.generate(request, &mut |_| (), &CancelToken::new()).unwrap().remove(0)
    };
    let image = make(&wanted);
    let given = |service: &Service| Given {
        image_prompts: vec![shown()["small"].clone(), shown()["landscape"].clone()],
        image_reader: service.image_reader().map(str::to_owned),
        ..Given::default()
    };
    for bytes in [&image.png, &image.dicom] {
        let made = read_provenance(bytes).unwrap();
        let request = replay(&made, service.card(), &[], &given(&service)).unwrap();
        assert!(make(&request).png == image.png);
        for lacking in [given(&other), Given { image_prompts: Vec::new(), ..given(&service) }] {
            let error = replay(&made, service.card(), &[], &lacking).unwrap_err();
            assert!(matches!(error, ServeError::Invalid { field: "image_prompt", .. }), "{error}");
        }
    }
}

/// Why an adapter is refused whose tensors are those of `name`, after `change`.
fn refused(name: &str, change: impl Fn(&mut HashMap<String, Tensor>)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.safetensors");
    let mut tensors = candle_core::safetensors::load(file(name), &Device::Cpu).unwrap();
    change(&mut tensors);
    candle_core::safetensors::save(&tensors, &path).unwrap();
    open_error(&path, encoder("image_encoder").config())
}

fn open_error(path: &Path, encoder: &VisionConfig) -> String {
    let unet = unet("base");
    let opened = IpAdapter::open(path, unet.cross_attentions(), encoder, &Device::Cpu);
    opened.err().unwrap().to_string()
}

#[test]
fn an_adapter_that_does_not_fit_is_refused_with_the_reason() {
    let ours = encoder("image_encoder").config().clone();
    let wide = VisionConfig { hidden_size: 20, projection_dim: 13, ..ours.clone() };
    for name in ["embedding", "plus", "full"] {
        let cause = open_error(&file(name), &wide);
        assert!(cause.contains("another image encoder"), "{cause}");
    }
    let cause = open_error(&file("xl"), &ours);
    assert!(cause.contains("for another model") && cause.contains("cross-attentions"), "{cause}");
    let narrow = |tensors: &mut HashMap<String, Tensor>| {
        let key = "ip_adapter.3.to_k_ip.weight";
        let value = tensors[key].narrow(1, 0, 20).unwrap().contiguous().unwrap();
        tensors.insert(key.into(), value);
    };
    let cause = refused("plus", narrow);
    assert!(cause.contains("another model") && cause.contains("made of tokens 20 wide"), "{cause}");
    let cause = refused("plus", |tensors| {
        let value = (&tensors["ip_adapter.5.to_v_ip.weight"] * f64::NAN).unwrap();
        tensors.insert("ip_adapter.5.to_v_ip.weight".into(), value);
    });
    assert!(cause.contains("ip_adapter.5.to_v_ip.weight"), "{cause}");
    let cause = refused("embedding", |tensors| {
        tensors.remove("image_proj.norm.bias");
        let extra = tensors["image_proj.norm.weight"].clone();
        tensors.insert("image_proj.more".into(), extra);
    });
    assert!(cause.contains("missing: image_proj.norm.bias"), "{cause}");
    assert!(cause.contains("unexpected: image_proj.more"), "{cause}");
    let cause = refused("full", |tensors| {
        let value = tensors.remove("image_proj.proj.3.weight").unwrap();
        tensors.insert("image_proj.norm.weight".into(), value);
    });
    assert!(cause.contains("faces"), "{cause}");
    let cause = refused("plus", |tensors| tensors.retain(|name, _| name.starts_with("image_proj")));
    assert!(cause.contains("is no IP-Adapter"), "{cause}");
    let cause = open_error(Path::new("/nowhere/ip-adapter_sd15.bin"), &ours);
    assert!(cause.contains("pickles"), "{cause}");
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.safetensors");
    let whole = std::fs::read(file("plus")).unwrap();
    for length in [0, 4, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&cut, &whole[..length]).unwrap();
        assert!(open_error(&cut, &ours).contains("cut.safetensors"), "{length}");
    }
}

#[test]
fn an_image_encoder_that_is_none_is_refused_with_the_reason() {
    let open = |config: &str, weights: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        std::fs::copy(
            folder_of("vision/image_encoder/model.safetensors"),
            folder.path().join(weights),
        )
        .unwrap();
        VisionEncoder::open(folder.path(), &Device::Cpu).err().unwrap().to_string()
    };
    let config = std::fs::read_to_string(folder_of("vision/image_encoder/config.json")).unwrap();
    assert!(open(&config, "pytorch_model.bin").contains("pickle"));
    let cause = open(r#"{"model_type": "siglip_vision_model"}"#, "model.safetensors");
    assert!(cause.contains("siglip_vision_model"), "{cause}");
    let cause =
        open(&config.replace("\"hidden_size\": 16", "\"hidden_size\": 32"), "model.safetensors");
    assert!(cause.contains("class_embedding"), "{cause}");
    for (from, to, field) in [
        ("\"patch_size\": 4", "\"patch_size\": 0", "patch_size"),
        ("\"image_size\": 16", "\"image_size\": 100000000", "image_size"),
        ("\"num_attention_heads\": 2", "\"num_attention_heads\": 3", "hidden_size"),
    ] {
        assert!(config.contains(from), "{from}");
        let cause = open(&config.replace(from, to), "model.safetensors");
        assert!(cause.contains(field), "{cause}");
    }
}
