//! diffusers' configurations of the networks in a checkpoint of one file, from the shapes of their
//! weights.
//!
//! Shapes do not tell everything. What they leave open is what every model of its kind has: attention in
//! heads of 64 channels where projections are linear (Stable Diffusion 2 and XL) and in 8 heads elsewhere,
//! group norms of 32 groups, text encoders with heads of 64 channels. A model that differs is imported
//! with a folder of configurations.

use serde_json::{Value, json};

use super::shapes::{Level, Shapes};
use super::{Form, Found, SingleFile};
use crate::model::Part;

/// What somebody knows better than a checkpoint's shapes can tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `epsilon`, `v_prediction` or `sample`.
    pub prediction_type: Option<String>,
    /// Sides of the square image in training, in pixels.
    pub image_size: Option<usize>,
}

/// Channels of one head of attention.
const HEAD: usize = 64;
/// Groups of a group norm.
const GROUPS: usize = 32;

/// What to do where shapes are not enough.
const ASK: &str = "give a folder with its configurations";

/// The configuration of a part that was found.
pub(super) fn of(file: &SingleFile, found: Found, wishes: &Wishes) -> Result<Value, String> {
    if found.form == Form::Today {
        return match found.part {
            Part::TextEncoder | Part::TextEncoder2 => clip(file, found),
            Part::Vae | Part::Unet | Part::ControlNet(_) | Part::T2iAdapter => {
                Err(format!("has diffusers' names already, which leave its sizes open: {ASK}"))
            }
        };
    }
    match found.part {
        Part::Vae => vae(file, found, wishes),
        Part::Unet => unet(file, found, wishes),
        Part::ControlNet(_) => controlnet(file, found),
        Part::TextEncoder | Part::TextEncoder2 => open_clip(file, found),
        Part::T2iAdapter => Err(format!("is known in a folder alone: {ASK}")),
    }
}

/// Whether the checkpoint is of Stable Diffusion XL, which sees the image's size beside the text.
fn is_large(file: &SingleFile) -> bool {
    file.of(Part::Unet).is_some_and(|found| file.inside(found).holds("label_emb.0.0.weight"))
}

/// Whether the checkpoint is of Stable Diffusion 2, by the width of its text.
fn is_second(file: &SingleFile) -> bool {
    file.of(Part::TextEncoder).is_some_and(|found| found.form == Form::OpenClipShort)
}

/// Sides of the square image in training, in pixels.
pub(super) fn image_size(file: &SingleFile, wishes: &Wishes) -> usize {
    // modelspec.resolution: what newer training programs note, "768x768".
    let noted = || {
        let (width, height) = file.metadata.get("modelspec.resolution")?.split_once('x')?;
        let side = width.parse::<usize>().ok()?.min(height.parse().ok()?);
        (64..=4096).contains(&side).then_some(side)
    };
    wishes.image_size.or_else(noted).unwrap_or(if is_large(file) {
        1024
    } else if is_second(file) && prediction(file, wishes) == "v_prediction" {
        768
    } else {
        512
    })
}

/// What the UNet predicts.
fn prediction(file: &SingleFile, wishes: &Wishes) -> String {
    if let Some(wish) = &wishes.prediction_type {
        return wish.clone();
    }
    let noted = file.metadata.get("modelspec.prediction_type").map(String::as_str);
    // An empty tensor of this name is how training programs mark velocity.
    if file.shapes.holds("v_pred") || noted == Some("v") {
        return "v_prediction".into();
    }
    if noted == Some("epsilon") {
        return "epsilon".into();
    }
    // As diffusers has it: Stable Diffusion 2 is taken for 2.1 at 768 pixels.
    if is_second(file) { "v_prediction".into() } else { "epsilon".into() }
}

/// The scheduler of the checkpoint's kind.
pub(super) fn scheduler(file: &SingleFile, wishes: &Wishes) -> Value {
    let class = if is_large(file) {
        "EulerDiscreteScheduler"
    } else if is_second(file) {
        "DDIMScheduler"
    } else {
        "PNDMScheduler"
    };
    let mut config = json!({
        "_class_name": class,
        "num_train_timesteps": 1000,
        "beta_start": 0.000_85,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "prediction_type": prediction(file, wishes),
        "timestep_spacing": "leading",
        "steps_offset": 1,
        "set_alpha_to_one": false,
        "clip_sample": false,
        "skip_prk_steps": true,
    });
    // The mark of a training down to zero signal (arXiv 2305.08891).
    if file.shapes.holds("ztsnr") {
        config["rescale_betas_zero_snr"] = true.into();
        config["timestep_spacing"] = "trailing".into();
    }
    config
}

/// Heads at a level: by their width where projections are linear, 8 elsewhere.
fn heads(linear: bool, channels: usize, attends: bool) -> Result<usize, String> {
    let heads = if linear { (channels / HEAD).max(1) } else { 8 };
    let narrow = linear && attends && channels < HEAD;
    if narrow || !channels.is_multiple_of(heads) || !channels.is_multiple_of(GROUPS) {
        return Err(format!("has {channels} channels, which no known model has: {ASK}"));
    }
    Ok(heads)
}

/// What a UNet and a ControlNet share.
fn network(inside: &Shapes) -> Result<serde_json::Map<String, Value>, String> {
    let levels = inside.levels()?;
    let layers = inside.layers_of_a_level()?;
    let mid = inside.count("middle_block.1.transformer_blocks.");
    let Some(last) = levels.last().filter(|_| mid > 0) else {
        return Err(format!("has no attention in its middle: {ASK}"));
    };
    if last.depth != 0 && last.depth != mid {
        return Err(format!("has {mid} transformer blocks in its middle: {ASK}"));
    }
    let first = "middle_block.1.transformer_blocks.0.attn2.to_k.weight";
    let context = inside.side(first, 1)?;
    let linear = inside.side("middle_block.1.proj_in.weight", 2).is_err();
    let heads = levels
        .iter()
        .enumerate()
        // The middle attends in the heads of the last level.
        .map(|(index, level)| {
            heads(linear, level.channels, level.depth > 0 || index + 1 == levels.len())
        })
        .collect::<Result<Vec<_>, _>>()?;
    let types = |with: &'static str, without: &'static str| {
        let name = move |level: &Level| if level.depth > 0 { with } else { without };
        levels.iter().map(name).collect::<Vec<_>>()
    };
    let mut up = types("CrossAttnUpBlock2D", "UpBlock2D");
    up.reverse();
    let mut depths: Vec<usize> = levels.iter().map(|level| level.depth.max(1)).collect();
    if let Some(depth) = depths.last_mut() {
        *depth = mid;
    }
    let config = json!({
        "in_channels": inside.side("input_blocks.0.0.weight", 1)?,
        "block_out_channels": levels.iter().map(|level| level.channels).collect::<Vec<_>>(),
        "down_block_types": types("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": up,
        "layers_per_block": layers,
        "cross_attention_dim": context,
        "attention_head_dim": heads,
        "transformer_layers_per_block": depths,
        "use_linear_projection": linear,
        "norm_num_groups": GROUPS,
        "norm_eps": 1e-5,
        "act_fn": "silu",
        "flip_sin_to_cos": true,
        "freq_shift": 0,
        "downsample_padding": 1,
        "mid_block_scale_factor": 1,
    });
    match config {
        Value::Object(config) => Ok(config),
        _ => Err("makes no configuration".into()),
    }
}

/// The keys of the embedding of text and size, of Stable Diffusion XL.
fn added(
    inside: &Shapes,
    pooled: usize,
    config: &mut serde_json::Map<String, Value>,
) -> Result<(), String> {
    if !inside.holds("label_emb.0.0.weight") {
        return Ok(());
    }
    let width = inside.side("label_emb.0.0.weight", 1)?;
    // Beside the pooled text there are six numbers: size, corner and target.
    let times = width.checked_sub(pooled).filter(|rest| *rest > 0 && rest % 6 == 0);
    let Some(times) = times else {
        return Err(format!("embeds {width} numbers beside {pooled} of the text: {ASK}"));
    };
    config.insert("addition_embed_type".into(), "text_time".into());
    config.insert("addition_time_embed_dim".into(), (times / 6).into());
    config.insert("projection_class_embeddings_input_dim".into(), width.into());
    Ok(())
}

fn unet(file: &SingleFile, found: Found, wishes: &Wishes) -> Result<Value, String> {
    let inside = file.inside(found);
    let mut config = network(&inside)?;
    config.insert("_class_name".into(), "UNet2DConditionModel".into());
    config.insert("out_channels".into(), inside.side("out.2.weight", 0)?.into());
    let levels = match file.of(Part::Vae) {
        Some(found) if found.form == Form::Ldm => file.inside(found).count("encoder.down."),
        Some(_) | None => 4,
    };
    let compression = 1 << levels.clamp(1, 8).saturating_sub(1);
    config.insert("sample_size".into(), (image_size(file, wishes) / compression).into());
    let pooled = match file.of(Part::TextEncoder2) {
        Some(found) => file.inside(found).side("text_projection", 1)?,
        None => 1280,
    };
    added(&inside, pooled, &mut config)?;
    Ok(Value::Object(config))
}

fn controlnet(file: &SingleFile, found: Found) -> Result<Value, String> {
    let inside = file.inside(found);
    let mut config = network(&inside)?;
    config.remove("up_block_types");
    config.remove("out_channels");
    config.insert("_class_name".into(), "ControlNetModel".into());
    config.insert(
        "conditioning_channels".into(),
        inside.side("input_hint_block.0.weight", 1)?.into(),
    );
    // Every second convolution halves the image and brings the next level's channels.
    let last = inside.last("input_hint_block.").unwrap_or(0);
    let mut channels = vec![inside.side("input_hint_block.0.weight", 0)?];
    for number in (4..last).step_by(4) {
        channels.push(inside.side(&format!("input_hint_block.{number}.weight"), 0)?);
    }
    config.insert("conditioning_embedding_out_channels".into(), channels.into());
    config.insert("controlnet_conditioning_channel_order".into(), "rgb".into());
    added(&inside, 1280, &mut config)?;
    Ok(Value::Object(config))
}

fn vae(file: &SingleFile, found: Found, wishes: &Wishes) -> Result<Value, String> {
    let inside = file.inside(found);
    let levels = inside.count("encoder.down.");
    let channels = (0..levels)
        .map(|level| inside.side(&format!("encoder.down.{level}.block.0.conv1.weight"), 0))
        .collect::<Result<Vec<_>, _>>()?;
    if channels.is_empty() || channels.iter().any(|channels| channels % GROUPS != 0) {
        return Err(format!("has levels of {channels:?} channels: {ASK}"));
    }
    let large = is_large(file);
    Ok(json!({
        "_class_name": "AutoencoderKL",
        "in_channels": inside.side("encoder.conv_in.weight", 1)?,
        "out_channels": inside.side("decoder.conv_out.weight", 0)?,
        "latent_channels": inside.side("decoder.conv_in.weight", 1)?,
        "block_out_channels": channels,
        "down_block_types": vec!["DownEncoderBlock2D"; levels],
        "up_block_types": vec!["UpDecoderBlock2D"; levels],
        "layers_per_block": inside.count("encoder.down.0.block."),
        "norm_num_groups": GROUPS,
        "act_fn": "silu",
        "sample_size": image_size(file, wishes),
        "scaling_factor": if large { 0.130_25 } else { 0.182_15 },
        "mid_block_add_attention": inside.holds("encoder.mid.attn_1.q.weight"),
    }))
}

/// A text encoder with transformers' names.
fn clip(file: &SingleFile, found: Found) -> Result<Value, String> {
    let inside = file.inside(found);
    let wrapped = inside.holds("text_model.final_layer_norm.weight");
    let path = if wrapped { "text_model." } else { "" };
    let fc1 = format!("{path}encoder.layers.0.mlp.fc1.weight");
    text(
        &inside,
        found.part,
        [
            &format!("{path}embeddings.token_embedding.weight"),
            &format!("{path}embeddings.position_embedding.weight"),
            &fc1,
        ],
        inside.count(&format!("{path}encoder.layers.")),
        "quick_gelu",
    )
}

/// A text encoder with `OpenCLIP`'s names.
fn open_clip(file: &SingleFile, found: Found) -> Result<Value, String> {
    let inside = file.inside(found);
    let layers = inside.count("transformer.resblocks.");
    text(
        &inside,
        found.part,
        [
            "token_embedding.weight",
            "positional_embedding",
            "transformer.resblocks.0.mlp.c_fc.weight",
        ],
        if found.form == Form::OpenClipShort { layers.saturating_sub(1) } else { layers },
        "gelu",
    )
}

fn text(
    inside: &Shapes,
    part: Part,
    [tokens, positions, inner]: [&str; 3],
    layers: usize,
    activation: &str,
) -> Result<Value, String> {
    let width = inside.side(tokens, 1)?;
    if width % HEAD != 0 {
        return Err(format!("is {width} wide, which no known model is: {ASK}"));
    }
    let projected = part == Part::TextEncoder2;
    let class = if projected { "CLIPTextModelWithProjection" } else { "CLIPTextModel" };
    Ok(json!({
        "architectures": [class],
        "model_type": "clip_text_model",
        "vocab_size": inside.side(tokens, 0)?,
        "hidden_size": width,
        "intermediate_size": inside.side(inner, 0)?,
        "num_hidden_layers": layers,
        "num_attention_heads": width / HEAD,
        "max_position_embeddings": inside.side(positions, 0)?,
        "hidden_act": activation,
        "layer_norm_eps": 1e-5,
        "projection_dim": if projected { inside.side("text_projection", 1)? } else { width },
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 1,
    }))
}
