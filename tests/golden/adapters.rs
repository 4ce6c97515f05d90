//! Adapters of every form, against what peft and diffusers make of the same files.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use skiagraph_engine::adapter::{
    Adapter, AdapterCard, AdapterConfig, Component, Embedding, Form, Method, Networks, Patterns,
    attach, attach_trainable,
};
use skiagraph_engine::model::{Bundle, Part, TextEncoder, Unet};
use skiagraph_engine::nn::{Conv2d, Linear, Weights, to_planes};
use skiagraph_engine::sample::{Pipeline, Request, Seeded, render};

use super::{Golden, folder_of};

/// Single precision loses about a millionth in networks of this depth.
const TOLERANCE: f32 = 1e-4;
/// Of a whole image's brightest value.
const IMAGE_TOLERANCE: f32 = 1e-3;

fn file(name: &str) -> PathBuf {
    folder_of("adapters").join(name)
}

/// The tiny model of the pipelines.
struct Model {
    unet: Unet,
    text: TextEncoder,
    unet_weights: Weights,
    text_weights: Weights,
    golden: Golden,
}

impl Model {
    fn open() -> Self {
        let bundle = Bundle::open(&folder_of("pipelines/base")).unwrap();
        let (unet, unet_weights) = bundle.unet(false, &Device::Cpu).unwrap();
        let (text, text_weights) =
            bundle.text_encoder(Part::TextEncoder, false, &Device::Cpu).unwrap();
        Self { unet, text, unet_weights, text_weights, golden: Golden::open("adapters") }
    }

    fn networks(&self) -> Networks<'_> {
        let text_encoder = Some(&self.text_weights);
        Networks { unet: &self.unet_weights, text_encoder, text_encoder_2: None }
    }

    fn attach(&self, adapters: &[(&Adapter, f32)], merged: bool) {
        attach(&self.networks(), adapters, merged).unwrap();
    }

    fn unet(&self) -> Tensor {
        let timesteps = self.golden.get("timesteps").to_vec1::<i64>().unwrap();
        let timesteps: Vec<f64> = timesteps.into_iter().map(|time| time as f64).collect();
        let (sample, context) = (self.golden.get("sample"), self.golden.get("context"));
        self.unet.forward(sample, &timesteps, context).unwrap()
    }

    fn text(&self) -> Tensor {
        let tokens = self.golden.get("tokens").to_dtype(DType::U32).unwrap();
        self.text.forward(&tokens).unwrap()
    }

    /// Beside the weights and merged into them, both networks are the golden ones; taken off, they are
    /// the base bit by bit.
    fn check(&self, name: &str, adapters: &[(&Adapter, f32)]) {
        let base = (bits(&self.unet()), bits(&self.text()));
        for merged in [false, true] {
            self.attach(adapters, merged);
            let what = if merged { "merged" } else { "beside" };
            self.golden.check(what, &format!("{name}.unet"), &self.unet(), TOLERANCE);
            if self.golden.0.contains_key(&format!("{name}.text")) {
                self.golden.check(what, &format!("{name}.text"), &self.text(), TOLERANCE);
            }
            assert_ne!(bits(&self.unet()), base.0, "{name} says something");
            self.attach(&[], merged);
            assert!((bits(&self.unet()), bits(&self.text())) == base, "{name} left something");
        }
    }
}

fn bits(x: &Tensor) -> Vec<u32> {
    let values = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn files_of_diffusers_and_kohya_act_as_in_diffusers() {
    let model = Model::open();
    let cases = [
        ("diffusers", Form::Diffusers),
        ("diffusers_metadata", Form::Diffusers),
        ("diffusers_dora", Form::Diffusers),
        ("first_form.safetensors", Form::Diffusers),
        ("kohya.safetensors", Form::Kohya),
    ];
    for (name, form) in cases {
        let adapter = Adapter::open(&file(name)).unwrap();
        assert_eq!(adapter.form(), form);
        adapter.check(&model.networks(), "whatever").unwrap();
        model.check(name.trim_end_matches(".safetensors"), &[(&adapter, 0.7)]);
    }
}

#[test]
fn folders_of_peft_and_files_of_lycoris_act_as_in_peft() {
    let model = Model::open();
    let cases = [
        ("peft", "peft"),
        ("peft_dora", "peft_dora"),
        ("loha", "loha"),
        ("loha_flat", "loha_flat"),
        ("loha_lycoris.safetensors", "loha"),
        ("lokr", "lokr"),
        ("lokr_flat", "lokr_flat"),
        ("lokr_lycoris.safetensors", "lokr"),
        ("lokr_flat_lycoris.safetensors", "lokr_flat"),
    ];
    for (name, golden) in cases {
        model.check(golden, &[(&Adapter::open(&file(name)).unwrap(), 1.0)]);
    }
}

/// In training every kind acts beside the base, its factors asked anew in every step.
#[test]
fn what_is_trained_acts_as_in_peft() {
    let model = Model::open();
    for name in ["peft", "peft_dora", "loha", "loha_flat", "lokr", "lokr_flat"] {
        let adapter = Adapter::open(&file(name)).unwrap();
        attach_trainable(&model.networks(), &adapter).unwrap();
        model.golden.check("trained", &format!("{name}.unet"), &model.unet(), TOLERANCE);
    }
}

/// A fresh adapter has the keys and shapes that peft gives one of the same configuration, the maker's.
#[test]
fn a_fresh_adapter_has_pefts_shapes() {
    let model = Model::open();
    let with = |more: &[&'static str]| [&["to_q", "to_k", "to_v", "to_out.0"], more].concat();
    let pairs = |pairs: &[(&str, usize)]| {
        Patterns(pairs.iter().map(|(pattern, rank)| ((*pattern).to_owned(), *rank)).collect())
    };
    let convolutions = ["to_q", "to_v", "conv1", "proj_in", "conv_shortcut", "to_out.0"];
    let cases = [
        (
            "peft",
            AdapterConfig {
                rank_stabilised: true,
                rank_pattern: pairs(&[("attn2.to_k", 2), ("up_blocks.*.conv1", 3)]),
                ..AdapterConfig::lora(4, 6.0, &with(&["conv1", "proj_out"]))
            },
        ),
        (
            "peft_dora",
            AdapterConfig {
                method: Method::Dora,
                ..AdapterConfig::lora(3, 2.0, &with(&["conv1", "proj_in"]))
            },
        ),
        (
            "loha_flat",
            AdapterConfig {
                method: Method::Loha,
                ..AdapterConfig::lora(3, 2.0, &["conv1", "to_k"])
            },
        ),
        (
            "lokr_flat",
            AdapterConfig { method: Method::Lokr, ..AdapterConfig::lora(2, 3.0, &convolutions) },
        ),
    ];
    for (name, config) in cases {
        let (fresh, _) = config.fresh(&model.networks(), 1, &Device::Cpu).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fresh.save_trained(folder.path(), &AdapterCard::default()).unwrap();
        let shapes = |folder: &Path| {
            let path = folder.join("adapter_model.safetensors");
            let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
            let mut shapes: Vec<_> =
                tensors.into_iter().map(|(key, value)| (key, value.dims().to_vec())).collect();
            shapes.sort();
            shapes
        };
        let (ours, theirs) = (shapes(folder.path()), shapes(&file(name)));
        assert!(!theirs.is_empty());
        for (our, their) in ours.iter().zip(&theirs) {
            assert_eq!(our, their, "{name}");
        }
        assert_eq!(ours.len(), theirs.len(), "{name}");
    }
}

#[test]
fn two_adapters_act_together_as_in_diffusers() {
    let model = Model::open();
    let first = Adapter::open(&file("diffusers")).unwrap();
    let second = Adapter::open(&file("kohya.safetensors")).unwrap();
    model.check("both", &[(&first, 0.8), (&second, 0.5)]);

    let bundle = Bundle::open(&folder_of("pipelines/base")).unwrap();
    let pipeline = Pipeline::load(&bundle, &Device::Cpu).unwrap();
    let request = Request {
        prompt: "chest radiograph, AP view, child, male, bacterial pneumonia".into(),
        negative: "blurred".into(),
        steps: 6,
        guidance_scale: 4.0,
        ..Request::default()
    };
    for merged in [false, true] {
        pipeline.adapt(&[(&first, 0.8), (&second, 0.5)], merged).unwrap();
        // The seed that the maker gave diffusers.
        let image = render(&pipeline, &request, &mut Seeded::new(7)).unwrap();
        model.golden.check("two adapters", "both.image", &image, IMAGE_TOLERANCE);
    }
}

/// What a form carries, read, written in another form and read again, acts as before.
#[test]
fn every_form_turns_into_every_other_that_can_hold_it() {
    let model = Model::open();
    let desk = tempfile::tempdir().unwrap();
    let all = [Form::Peft, Form::Diffusers, Form::Kohya];
    let only = [Form::Kohya];
    for (name, forms) in [
        ("diffusers", all.as_slice()),
        ("diffusers_metadata", &all),
        ("diffusers_dora", &all),
        ("first_form.safetensors", &all),
        ("kohya.safetensors", &all),
        ("peft", &all),
        ("peft_dora", &all),
        ("loha", &[Form::Peft, Form::Kohya]),
        ("loha_lycoris.safetensors", &[Form::Peft, Form::Kohya]),
        ("lokr", &[Form::Peft, Form::Kohya]),
        ("lokr_flat", &[Form::Peft, Form::Kohya]),
        ("lokr_flat_lycoris.safetensors", &only),
    ] {
        let source = Adapter::open(&file(name)).unwrap();
        model.attach(&[(&source, 0.7)], false);
        let (unet, text) = (model.unet(), model.text());
        for form in forms {
            let ending = if *form == Form::Kohya { ".safetensors" } else { "" };
            let out = desk.path().join(format!("{name}-{form:?}{ending}"));
            source.save(*form, &out).unwrap();
            let read = Adapter::open(&out).unwrap();
            assert_eq!(read.form(), *form);
            model.attach(&[(&read, 0.7)], false);
            for (before, after) in [(&unet, model.unet()), (&text, model.text())] {
                let found = super::deviation(&after, before);
                assert!(found <= 1e-5, "{name} as {form:?} deviates by {found}");
            }
            // The same form again is the same file.
            let again = desk.path().join(format!("{name}-{form:?}-again{ending}"));
            read.save(*form, &again).unwrap();
            assert_eq!(Adapter::open(&again).unwrap().sha256(), read.sha256(), "{name} {form:?}");
        }
    }
}

/// Layers of a network as its file has them, each by itself: what SDXL's form names is looked at
/// layer by layer.
fn layers(part: &str) -> (Weights, Vec<(String, Layer)>) {
    let name = if part == "unet" { "diffusion_pytorch_model" } else { "model" };
    let path = folder_of("pipelines/xl").join(part).join(name).with_extension("safetensors");
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let weights = Weights::from_seed(1, DType::F32, &Device::Cpu);
    let mut layers = Vec::new();
    for (name, tensor) in tensors {
        let Some(path) = name.strip_suffix(".weight") else { continue };
        let at = weights.pp(path);
        let layer = match *tensor.dims() {
            [output, input] => {
                Layer::Linear(Linear::without_bias(input, output, &at).unwrap(), input)
            }
            [output, input, kernel, _] => {
                Layer::Conv(Conv2d::new(input, output, kernel, 1, 0, &at).unwrap(), input, kernel)
            }
            _ => continue,
        };
        layers.push((path.trim_start_matches("text_model.").to_owned(), layer));
    }
    (weights, layers)
}

enum Layer {
    Linear(Linear, usize),
    Conv(Conv2d, usize, usize),
}

impl Layer {
    /// The answer to an input of ones, `[out]`.
    fn of_ones(&self) -> Tensor {
        let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
        let answer = match self {
            Self::Linear(linear, input) => linear.forward(&ones(&[1, *input])),
            Self::Conv(conv, input, kernel) => {
                conv.forward(&ones(&[1, *kernel, *kernel, *input])).and_then(|map| to_planes(&map))
            }
        };
        answer.unwrap().flatten_all().unwrap()
    }
}

#[test]
fn the_names_of_kohyas_sdxl_find_their_layers() {
    let golden = Golden::open("adapters");
    let parts = ["unet", "text_encoder", "text_encoder_2"].map(layers);
    let [(unet, _), (text, _), (text_2, _)] = &parts;
    let networks = Networks { unet, text_encoder: Some(text), text_encoder_2: Some(text_2) };
    let adapter = Adapter::open(&file("kohya_xl.safetensors")).unwrap();
    let answers = || -> Vec<(String, Tensor)> {
        let named = parts.iter().zip(["unet", "text_encoder", "text_encoder_2"]);
        named
            .flat_map(|((_, layers), part)| {
                layers
                    .iter()
                    .map(move |(path, layer)| (format!("xl.layer.{part}.{path}"), layer.of_ones()))
            })
            .collect()
    };
    let before = answers();
    attach(&networks, &[(&adapter, 0.8)], false).unwrap();
    let mut changed = 0;
    for ((name, before), (_, after)) in before.iter().zip(answers()) {
        let delta = (after - before).unwrap();
        if let Some(expected) = golden.0.get(name) {
            let found = super::deviation(&delta, expected);
            assert!(found <= TOLERANCE, "{name} deviates by {found}");
            changed += 1;
        } else {
            let found = delta.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(found.to_bits() == 0, "{name} is not adapted, and changed");
        }
    }
    assert_eq!(changed, adapter.layer_count());
    let expected = golden.0.keys().filter(|name| name.starts_with("xl.layer.")).count();
    assert_eq!(changed, expected);
}

#[test]
fn learned_words_are_read_as_transformers_reads_them() {
    let mut model = Model::open();
    let one = Embedding::open(&file("learned_embeds.safetensors"), None).unwrap();
    let many = Embedding::open(&file("haze.safetensors"), None).unwrap();
    assert_eq!((one.token(), one.vectors()), ("<opacity>", 1));
    assert_eq!((many.token(), many.vectors()), ("haze", 3));
    let first = model.golden.get("inversion.first").to_vec1::<i64>().unwrap()[0] as u32;
    let rows = Embedding::rows(&[&one, &many], Component::TextEncoder, &model.text).unwrap();
    let tokens = model.golden.get("inversion.tokens").to_dtype(DType::U32).unwrap();
    let before = bits(&model.text());
    model.text.learn(first, Some(rows)).unwrap();
    let text = model.text.forward(&tokens).unwrap();
    model.golden.check("inversion", "inversion.text", &text, TOLERANCE);
    assert_eq!(bits(&model.text()), before, "other words mean what they did");
    let xl = Embedding::open(&file("inversion_xl.safetensors"), Some("fog")).unwrap();
    assert_eq!((xl.token(), xl.vectors()), ("fog", 2));
    let error = Embedding::rows(&[&xl], Component::TextEncoder, &model.text).unwrap_err();
    assert!(error.to_string().contains("16") && error.to_string().contains("24"), "{error}");
    let error = Embedding::rows(&[&one], Component::TextEncoder2, &model.text).unwrap_err();
    assert!(error.to_string().contains("second"), "{error}");
}

#[test]
fn an_adapter_for_another_base_is_refused_with_both_shapes() {
    let model = Model::open();
    let refused = |path: &Path| {
        let adapter = Adapter::open(path).unwrap();
        let error = adapter.check(&model.networks(), "").unwrap_err().to_string();
        assert!(attach(&model.networks(), &[(&adapter, 1.0)], false).is_err());
        error
    };
    let error = refused(&file("kohya_xl.safetensors"));
    assert!(
        error.contains("the model has no unet") && error.contains("and the layer's weight"),
        "{error}"
    );
}
