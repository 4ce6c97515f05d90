//! What a file may hold, and what is said of one that may not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use super::super::kohya::{to_diffusers, with_dots};
use super::super::names::parse;
use super::super::*;
use crate::nn::{Conv2d, Linear, Weights};

#[test]
fn underscores_become_the_dots_that_they_were() {
    for path in [
        "down_blocks.0.attentions.1.transformer_blocks.0.attn2.to_out.0",
        "mid_block.attentions.0.proj_in",
        "up_blocks.1.resnets.2.time_emb_proj",
        "up_blocks.0.upsamplers.0.conv",
        "down_blocks.1.resnets.0.conv_shortcut",
        "up_blocks.3.attentions.0.transformer_blocks.0.ff.net.0.proj",
        "time_embedding.linear_1",
        "add_embedding.linear_2",
        "conv_in",
        "conv_out",
        "text_model.encoder.layers.11.self_attn.q_proj",
        "text_model.encoder.layers.11.mlp.fc1",
        "text_projection",
        "input_blocks.4.1.transformer_blocks.9.attn1.to_v",
        "middle_block.0.in_layers.2",
        "output_blocks.2.0.skip_connection",
        "label_emb.0.2",
        "out.2",
    ] {
        assert_eq!(with_dots(&path.replace('.', "_")), path);
    }
    assert_eq!((with_dots(""), with_dots("_a__b")), (String::new(), ".a..b".to_owned()));
}

#[test]
fn the_original_codes_names_are_those_of_stable_diffusion_xl() {
    // The layers of SDXL's checkpoint beside those of diffusers' conversion of it.
    for (original, path) in [
        ("input_blocks.0.0", "conv_in"),
        ("input_blocks.1.0.in_layers.2", "down_blocks.0.resnets.0.conv1"),
        ("input_blocks.3.0.op", "down_blocks.0.downsamplers.0.conv"),
        ("input_blocks.4.0.skip_connection", "down_blocks.1.resnets.0.conv_shortcut"),
        ("input_blocks.5.1.proj_in", "down_blocks.1.attentions.1.proj_in"),
        ("input_blocks.8.0.emb_layers.1", "down_blocks.2.resnets.1.time_emb_proj"),
        ("middle_block.0.out_layers.3", "mid_block.resnets.0.conv2"),
        ("middle_block.1.proj_out", "mid_block.attentions.0.proj_out"),
        ("middle_block.2.in_layers.2", "mid_block.resnets.1.conv1"),
        ("output_blocks.2.2.conv", "up_blocks.0.upsamplers.0.conv"),
        ("output_blocks.4.1.proj_in", "up_blocks.1.attentions.1.proj_in"),
        ("output_blocks.8.0.in_layers.2", "up_blocks.2.resnets.2.conv1"),
        // Stable Diffusion 1 has no attention on its deepest level.
        ("output_blocks.2.1.conv", "up_blocks.0.upsamplers.0.conv"),
        ("time_embed.2", "time_embedding.linear_2"),
        ("label_emb.0.0", "add_embedding.linear_1"),
        ("out.2", "conv_out"),
    ] {
        assert_eq!(to_diffusers(original, 2).as_deref(), Some(path));
    }
    for nothing in [
        "input_blocks.0.1.proj_in",
        "input_blocks.1.0.op.op",
        "middle_block.3.proj_in",
        "output_blocks.0.3.conv",
        "input_blocks.99999999999999999999999.0.op",
        "input_blocks",
        "input_blocks.1",
        "",
    ] {
        assert_eq!(to_diffusers(nothing, 2), None, "{nothing}");
    }
}

#[test]
fn keys_of_every_program_name_the_same_layer() {
    let path = "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0";
    for key in [
        format!("base_model.model.{path}.lora_A.weight"),
        format!("unet.{path}.lora_A.weight"),
        format!("unet.{path}.lora.down.weight"),
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.down.weight"
            .into(),
        "mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.down.weight"
            .into(),
        format!("lora_unet_{}.lora_down.weight", path.replace('.', "_")),
    ] {
        let found = parse(&key, None).unwrap();
        assert_eq!(
            (found.place.component, found.place.path.as_str()),
            (Component::Unet, path),
            "{key}"
        );
    }
    let path = "text_model.encoder.layers.0.self_attn.out_proj";
    for key in [
        format!("text_encoder_2.{path}.lora_linear_layer.up.weight"),
        "text_encoder_2.text_model.encoder.layers.0.self_attn.to_out_lora.up.weight".into(),
        format!("lora_te2_{}.lora_up.weight", path.replace('.', "_")),
    ] {
        let found = parse(&key, None).unwrap();
        let component = Component::TextEncoder2;
        assert_eq!((found.place.component, found.place.path.as_str()), (component, path), "{key}");
    }
    for nothing in
        ["", "a", ".lora_A.weight", "conv_in.weight", "lora_unet_conv_in", "unet..alpha.x"]
    {
        assert!(parse(nothing, None).is_none(), "{nothing}");
    }
}

/// A place for files, and a network of one linear layer and one convolution.
struct Desk {
    folder: tempfile::TempDir,
    weights: Weights,
    linear: Linear,
    _conv: Conv2d,
}

fn numbers(shape: &[usize]) -> Tensor {
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|index| ((index * 7) % 11) as f32 / 11.0 - 0.4).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

impl Desk {
    fn new() -> Self {
        let weights = Weights::from_seed(1, DType::F32, &Device::Cpu);
        let at = weights.pp("mid_block.attentions.0");
        let linear = Linear::new(6, 4, &at.pp("proj_in")).unwrap();
        let conv = Conv2d::new(3, 5, 3, 2, 1, &weights.pp("conv_in")).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), weights, linear, _conv: conv }
    }

    fn write(&self, tensors: &[(&str, Tensor)]) -> PathBuf {
        let path = self.folder.path().join("file.safetensors");
        let tensors: HashMap<_, _> =
            tensors.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        candle_core::safetensors::save(&tensors, &path).unwrap();
        path
    }

    /// Why the tensors are refused, read or put on the network.
    fn refused(&self, tensors: &[(&str, Tensor)]) -> String {
        let path = self.write(tensors);
        let found = Adapter::open(&path)
            .and_then(|adapter| attach(&Networks::unet(&self.weights), &[(&adapter, 1.0)], true));
        found.unwrap_err().to_string()
    }
}

const DOWN: &str = "lora_unet_mid_block_attentions_0_proj_in.lora_down.weight";
const UP: &str = "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight";
const ALPHA: &str = "lora_unet_mid_block_attentions_0_proj_in.alpha";

fn scalar(value: f32) -> Tensor {
    Tensor::new(value, &Device::Cpu).unwrap()
}

#[test]
fn what_a_file_must_not_hold_is_named() {
    let desk = Desk::new();
    let (down, up) = ((DOWN, numbers(&[2, 6])), (UP, numbers(&[4, 2])));
    let with = |more: &[(&'static str, Tensor)]| {
        let mut tensors = vec![down.clone(), up.clone()];
        tensors.extend(more.iter().cloned());
        desk.refused(&tensors)
    };
    let expect = |error: &str, words: &[&str]| {
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    expect(&with(&[("stray.weight", scalar(1.0))]), &["unexpected: stray.weight"]);
    expect(&with(&[(ALPHA, scalar(f32::NAN))]), &["alpha", "must be a number"]);
    expect(&with(&[(ALPHA, numbers(&[3]))]), &["alpha", "one number"]);
    // The same layer under another key, and under the original code's name.
    let other = "unet.mid_block.attentions.0.proj_in.lora_A.weight";
    expect(&with(&[(other, numbers(&[2, 6]))]), &["proj_in", "twice"]);
    let original = "lora_unet_middle_block_1_proj_in";
    let (low, high) =
        (format!("{original}.lora_down.weight"), format!("{original}.lora_up.weight"));
    let twice = [down.clone(), up.clone(), (&low, numbers(&[2, 6])), (&high, numbers(&[4, 2]))];
    expect(&desk.refused(&twice), &["proj_in", "changed twice"]);
    expect(&desk.refused(std::slice::from_ref(&down)), &["proj_in", "lacks the factor up"]);
    expect(&desk.refused(&[]), &["holds no weights of an adapter"]);

    let damaged = |value: f32| {
        let mut values = vec![0.5f32; 12];
        values[7] = value;
        let down = Tensor::from_vec(values, (2, 6), &Device::Cpu).unwrap();
        desk.refused(&[(DOWN, down), up.clone()])
    };
    expect(&damaged(f32::NAN), &[DOWN, "no finite number"]);
    expect(&damaged(f32::INFINITY), &[DOWN, "no finite number"]);
    let whole = Tensor::zeros((2, 6), DType::U8, &Device::Cpu).unwrap();
    expect(&desk.refused(&[(DOWN, whole), up.clone()]), &[DOWN, "floating point"]);

    // Shapes: both are told.
    let shapes =
        |down: &[usize], up: &[usize]| desk.refused(&[(DOWN, numbers(down)), (UP, numbers(up))]);
    expect(&shapes(&[2, 7], &[4, 2]), &["[2, 7]", "[4, 6]"]);
    expect(&shapes(&[2, 6], &[5, 2]), &["[5, 2]", "[4, 6]"]);
    expect(&shapes(&[2, 6], &[4, 3]), &["[4, 3]", "[4, 6]"]);
    expect(&shapes(&[12], &[4, 2]), &["[12]", "[4, 6]"]);
    expect(&shapes(&[0, 6], &[4, 0]), &["is empty"]);
    expect(&shapes(&[20_000, 6], &[4, 20_000]), &["the rank is 20000"]);
    let elsewhere = ["lora_unet_conv_out.lora_down.weight", "lora_unet_conv_out.lora_up.weight"];
    let layers = [(elsewhere[0], numbers(&[2, 6])), (elsewhere[1], numbers(&[4, 2]))];
    expect(&desk.refused(&layers), &["is for another base", "the model has no unet conv_out"]);
    let text = "lora_te1_text_model_encoder_layers_0_mlp_fc1";
    let (low, high) = (format!("{text}.lora_down.weight"), format!("{text}.lora_up.weight"));
    let layers = [(low.as_str(), numbers(&[2, 6])), (high.as_str(), numbers(&[4, 2]))];
    expect(&desk.refused(&layers), &["the model has no text_encoder"]);
}

#[test]
fn products_of_other_kinds_must_fit_as_well() {
    let desk = Desk::new();
    let layer = |parts: &[(&str, &[usize])]| {
        let named: Vec<(String, Tensor)> = parts
            .iter()
            .map(|(part, shape)| (format!("lora_unet_conv_in.{part}"), numbers(shape)))
            .collect();
        let named: Vec<(&str, Tensor)> =
            named.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        desk.refused(&named)
    };
    let loha = |a: &[usize], b: &[usize]| {
        layer(&[
            ("hada_w1_a", a),
            ("hada_w1_b", b),
            ("hada_w2_a", &[5, 2]),
            ("hada_w2_b", &[2, 27]),
        ])
    };
    for error in [loha(&[4, 2], &[2, 27]), loha(&[5, 2], &[3, 27]), loha(&[5, 2], &[2, 26])] {
        assert!(error.contains("hada_w1_a") && error.contains("[5, 3, 3, 3]"), "{error}");
    }
    let core = |core: &[usize]| {
        let whole = [("hada_w2_a", [5, 2].as_slice()), ("hada_w2_b", &[2, 27])];
        let parts = [("hada_w1_a", [2, 5].as_slice()), ("hada_w1_b", &[2, 3]), ("hada_t1", core)];
        layer(&[parts.as_slice(), &whole].concat())
    };
    assert!(core(&[2, 2, 1, 1]).contains("core"));
    assert!(core(&[2, 3, 3, 3]).contains("core"));
    let lokr =
        |first: &[usize], second: &[usize]| layer(&[("lokr_w1", first), ("lokr_w2", second)]);
    for error in [lokr(&[5, 3], &[2, 1, 3, 3]), lokr(&[5, 1], &[1, 1, 3, 3]), lokr(&[5], &[1, 27])]
    {
        assert!(error.contains("lokr_w1") && error.contains("[5, 3, 3, 3]"), "{error}");
    }
    let error = layer(&[("lokr_w1", &[5, 3]), ("lokr_w2", &[1, 1, 3, 3]), ("lokr_w2_a", &[1, 1])]);
    assert!(error.contains("does not belong"), "{error}");
    let down_up =
        [("lora_down.weight", [2, 3, 3, 3].as_slice()), ("lora_up.weight", &[5, 2, 1, 1])];
    let error = layer(&[down_up.as_slice(), &[("dora_scale", &[4, 1, 1, 1])]].concat());
    assert!(error.contains("magnitude"), "{error}");
    let error = layer(&[down_up.as_slice(), &[("lora_mid.weight", &[2, 2, 3, 3])]].concat());
    assert!(error.contains("lora_A"), "{error}");
}

#[test]
fn a_file_that_is_cut_off_or_lies_is_refused() {
    let desk = Desk::new();
    let path = desk.write(&[(DOWN, numbers(&[2, 6])), (UP, numbers(&[4, 2]))]);
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 7, 8, 40, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        Adapter::open(&path).unwrap_err();
    }
    let mut long = whole.clone();
    long[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    std::fs::write(&path, &long).unwrap();
    assert!(Adapter::open(&path).unwrap_err().to_string().contains("longer than the file"));
    std::fs::write(&path, &whole).unwrap();
    Adapter::open(&path).unwrap();
    let pickle = path.with_extension("ckpt");
    std::fs::write(&pickle, &whole).unwrap();
    assert!(Adapter::open(&pickle).unwrap_err().to_string().contains("pickle"));
    assert!(Adapter::open(Path::new("/nowhere")).unwrap_err().to_string().contains("is missing"));
    let empty = tempfile::tempdir().unwrap();
    let error = Adapter::open(empty.path()).unwrap_err().to_string();
    assert!(error.contains("adapter_config.json"), "{error}");
}

/// By columns, as LyCORIS wrote it before its version 3, and with a core between the factors: written
/// out value by value.
#[test]
fn what_lycoris_alone_knows_follows_its_formulas() {
    let desk = Desk::new();
    let (down, up) = (numbers(&[2, 6]), numbers(&[4, 2]));
    let scale = numbers(&[1, 6]);
    let name = "lora_unet_mid_block_attentions_0_proj_in.dora_scale";
    let path = desk.write(&[(DOWN, down.clone()), (UP, up.clone()), (name, scale.clone())]);
    let adapter = Adapter::open(&path).unwrap();
    let eye = Tensor::eye(6, DType::F32, &Device::Cpu).unwrap();
    let weight = || desk.linear.forward(&eye).unwrap().to_vec2::<f32>().unwrap();
    let zero = desk.linear.forward(&eye.zeros_like().unwrap()).unwrap().to_vec2::<f32>().unwrap();
    let before = weight();
    attach(&Networks::unet(&desk.weights), &[(&adapter, 1.0)], false).unwrap();
    let after = weight();
    let (down, up) = (down.to_vec2::<f32>().unwrap(), up.to_vec2::<f32>().unwrap());
    let scale = scale.to_vec2::<f32>().unwrap();
    for column in 0..6 {
        let changed: Vec<f32> = (0..4)
            .map(|row| {
                let product: f32 = (0..2).map(|rank| up[row][rank] * down[rank][column]).sum();
                before[column][row] - zero[column][row] + product
            })
            .collect();
        let length = changed.iter().map(|value| value * value).sum::<f32>().sqrt();
        for row in 0..4 {
            let expected = changed[row] * scale[0][column] / length + zero[column][row];
            assert!((after[column][row] - expected).abs() < 1e-5, "{column} {row}");
        }
    }
    // PEFT and diffusers have no such magnitude; kohya's form keeps it.
    let out = desk.folder.path().join("peft");
    assert!(adapter.save(Form::Peft, &out).unwrap_err().to_string().contains("columns"));
    let out = desk.folder.path().join("again.safetensors");
    adapter.save(Form::Kohya, &out).unwrap();
    attach(&Networks::unet(&desk.weights), &[(&Adapter::open(&out).unwrap(), 1.0)], false).unwrap();
    assert_eq!(weight(), after);
}

#[test]
fn a_saved_adapter_keeps_its_card_and_its_words() {
    let desk = Desk::new();
    let config = AdapterConfig::lora(2, 3.0, &["proj_in"]);
    let networks = Networks::unet(&desk.weights);
    let (fresh, _) = config.fresh(&networks, 1, &Device::Cpu).unwrap();
    let card = AdapterCard {
        name: "Effusions".into(),
        base_model: "tiny".into(),
        base_sha256: "abc".into(),
        ..AdapterCard::default()
    };
    let trained = desk.folder.path().join("trained");
    fresh.save_trained(&trained, &card).unwrap();
    let adapter = Adapter::open(&trained).unwrap();
    for (form, name) in [
        (Form::Peft, "p"),
        (Form::Diffusers, "d"),
        (Form::Diffusers, "d.safetensors"),
        (Form::Kohya, "k.safetensors"),
    ] {
        let out = desk.folder.path().join(name);
        adapter.save(form, &out).unwrap();
        let read = Adapter::open(&out).unwrap();
        assert_eq!((read.card(), read.name(), read.form()), (Some(&card), "Effusions", form));
        assert_eq!(weights_sha256(&out).unwrap(), read.sha256());
        let error = read.check(&Networks::unet(&desk.weights), "other").unwrap_err();
        assert!(error.to_string().contains("tiny with other weights"), "{error}");
        read.check(&Networks::unet(&desk.weights), "abc").unwrap();
        let summary = summarise(&out).unwrap();
        assert_eq!((summary.kind.as_str(), summary.ranks), ("lora", Some((2, 2))));
        assert_eq!(summary.layers, [("unet", 1)].into());
    }
    let there = desk.folder.path().join("p");
    assert!(adapter.save(Form::Peft, &there).is_err(), "nothing is overwritten");
    assert!(adapter.save(Form::Kohya, &desk.folder.path().join("x")).is_err());
}
