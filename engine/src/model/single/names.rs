//! From the names of latent diffusion's checkpoints (`ldm`) to diffusers' names.
//!
//! Read from the structure of both networks: a level of `layers` residual blocks and one change of size
//! is `layers + 1` numbers on the way down, and on the way up, where a level has one block more, the
//! change of size stands inside the last number.

use crate::nn::Cut;

/// diffusers' name of a weight of the UNet, or of a ControlNet's copy of it, with `layers` residual
/// blocks a level; nothing for what neither has.
pub(super) fn unet(name: &str, layers: usize) -> Option<String> {
    let (head, rest) = name.split_once('.')?;
    match head {
        "time_embed" => embedding("time_embedding", rest),
        // One more table around the same two layers.
        "label_emb" => embedding("add_embedding", rest.strip_prefix("0.")?),
        "out" => layer(rest, &[("0", "conv_norm_out"), ("2", "conv_out")]),
        "input_blocks" => {
            let (number, rest) = number(rest)?;
            if number == 0 {
                return layer(rest, &[("0", "conv_in")]);
            }
            let (level, index) = ((number - 1) / (layers + 1), (number - 1) % (layers + 1));
            let path = format!("down_blocks.{level}");
            let (kind, inside) = rest.split_once('.')?;
            match (kind, inside.strip_prefix("op.")) {
                ("0", Some(kind)) => Some(format!("{path}.downsamplers.0.conv.{kind}")),
                ("0", None) => resnet(&format!("{path}.resnets.{index}"), inside),
                ("1", _) => Some(format!("{path}.attentions.{index}.{inside}")),
                _ => None,
            }
        }
        "middle_block" => match rest.split_once('.')? {
            ("0", inside) => resnet("mid_block.resnets.0", inside),
            ("1", inside) => Some(format!("mid_block.attentions.0.{inside}")),
            ("2", inside) => resnet("mid_block.resnets.1", inside),
            _ => None,
        },
        "output_blocks" => {
            let (number, rest) = number(rest)?;
            let (level, index) = (number / (layers + 1), number % (layers + 1));
            let path = format!("up_blocks.{level}");
            let (kind, inside) = rest.split_once('.')?;
            match (kind, inside.strip_prefix("conv.")) {
                ("0", _) => resnet(&format!("{path}.resnets.{index}"), inside),
                ("1" | "2", Some(kind)) => Some(format!("{path}.upsamplers.0.conv.{kind}")),
                ("1", None) => Some(format!("{path}.attentions.{index}.{inside}")),
                _ => None,
            }
        }
        _ => None,
    }
}

/// diffusers' name of a weight of a ControlNet, whose last convolution over the condition is number
/// `last` of its block.
pub(super) fn controlnet(name: &str, layers: usize, last: usize) -> Option<String> {
    let (head, rest) = name.split_once('.')?;
    match head {
        "input_hint_block" => {
            let (number, kind) = number(rest)?;
            let place = match number {
                0 => "conv_in".to_owned(),
                _ if number == last => "conv_out".to_owned(),
                // Every second number is an activation, which has no weights.
                _ if number % 2 == 0 => format!("blocks.{}", number / 2 - 1),
                _ => return None,
            };
            Some(format!("controlnet_cond_embedding.{place}.{kind}"))
        }
        "zero_convs" => {
            let (number, rest) = number(rest)?;
            Some(format!("controlnet_down_blocks.{number}.{}", rest.strip_prefix("0.")?))
        }
        "middle_block_out" => Some(format!("controlnet_mid_block.{}", rest.strip_prefix("0.")?)),
        "out" | "output_blocks" => None,
        _ => unet(name, layers),
    }
}

/// diffusers' name of a weight of the autoencoder with `levels` levels.
pub(super) fn vae(name: &str, levels: usize) -> Option<(String, Cut)> {
    let whole = |name: String| Some((name, Cut::Whole));
    let (side, rest) = name.split_once('.')?;
    if side == "quant_conv" || side == "post_quant_conv" {
        return whole(name.to_owned());
    }
    if side != "encoder" && side != "decoder" {
        return None;
    }
    let (block, inside) = rest.split_once('.')?;
    match block {
        "conv_in" | "conv_out" => whole(name.to_owned()),
        "norm_out" => whole(format!("{side}.conv_norm_out.{inside}")),
        "down" | "up" => {
            let (number, inside) = number(inside)?;
            let (blocks, number, resize) = if block == "down" {
                ("down_blocks", number, "downsample")
            } else {
                ("up_blocks", levels.checked_sub(number + 1)?, "upsample")
            };
            let path = format!("{side}.{blocks}.{number}");
            if let Some(inside) = inside.strip_prefix("block.") {
                let inside = inside.replace("nin_shortcut", "conv_shortcut");
                return whole(format!("{path}.resnets.{inside}"));
            }
            let kind = inside.strip_prefix(resize)?.strip_prefix(".conv.")?;
            whole(format!("{path}.{resize}rs.0.conv.{kind}"))
        }
        "mid" => match inside.split_once('.')? {
            ("block_1", inside) => whole(format!("{side}.mid_block.resnets.0.{inside}")),
            ("block_2", inside) => whole(format!("{side}.mid_block.resnets.1.{inside}")),
            ("attn_1", inside) => {
                let (layer, kind) = inside.split_once('.')?;
                let (today, cut) = match layer {
                    "norm" => ("group_norm", Cut::Whole),
                    "q" => ("to_q", Cut::Flat),
                    "k" => ("to_k", Cut::Flat),
                    "v" => ("to_v", Cut::Flat),
                    "proj_out" => ("to_out.0", Cut::Flat),
                    _ => return None,
                };
                let cut = if kind == "weight" { cut } else { Cut::Whole };
                Some((format!("{side}.mid_block.attentions.0.{today}.{kind}"), cut))
            }
            _ => None,
        },
        _ => None,
    }
}

/// transformers' names of what a tensor of an `OpenCLIP` text encoder holds: one, or the three that it
/// stores fused.
pub(super) fn open_clip(name: &str) -> Vec<(String, Cut)> {
    let whole = |name: &str| vec![(format!("text_model.{name}"), Cut::Whole)];
    match name {
        "positional_embedding" => return whole("embeddings.position_embedding.weight"),
        "token_embedding.weight" => return whole("embeddings.token_embedding.weight"),
        "ln_final.weight" => return whole("final_layer_norm.weight"),
        "ln_final.bias" => return whole("final_layer_norm.bias"),
        "text_projection" => return vec![("text_projection.weight".into(), Cut::Transposed)],
        _ => {}
    }
    let Some((number, inside)) = name.strip_prefix("transformer.resblocks.").and_then(number)
    else {
        return Vec::new();
    };
    let path = format!("encoder.layers.{number}");
    if let Some(kind) = inside.strip_prefix("attn.in_proj_") {
        return ["q", "k", "v"]
            .iter()
            .enumerate()
            .map(|(index, letter)| {
                let name = format!("text_model.{path}.self_attn.{letter}_proj.{kind}");
                (name, Cut::Piece { index, of: 3 })
            })
            .collect();
    }
    let names = [
        ("ln_1", "layer_norm1"),
        ("ln_2", "layer_norm2"),
        ("mlp.c_fc", "mlp.fc1"),
        ("mlp.c_proj", "mlp.fc2"),
        ("attn.out_proj", "self_attn.out_proj"),
    ];
    layer(inside, &names).map_or_else(Vec::new, |inside| whole(&format!("{path}.{inside}")))
}

/// The two layers of an embedding, and the activation between them.
fn embedding(path: &str, rest: &str) -> Option<String> {
    layer(rest, &[("0", "linear_1"), ("2", "linear_2")]).map(|rest| format!("{path}.{rest}"))
}

/// A weight of a residual block.
fn resnet(path: &str, inside: &str) -> Option<String> {
    let names = [
        ("in_layers.0", "norm1"),
        ("in_layers.2", "conv1"),
        ("emb_layers.1", "time_emb_proj"),
        ("out_layers.0", "norm2"),
        ("out_layers.3", "conv2"),
        ("skip_connection", "conv_shortcut"),
    ];
    layer(inside, &names).map(|inside| format!("{path}.{inside}"))
}

/// `name` with the layer at its beginning renamed.
fn layer(name: &str, names: &[(&str, &str)]) -> Option<String> {
    names.iter().find_map(|(old, new)| {
        let kind = name.strip_prefix(old)?.strip_prefix('.')?;
        Some(format!("{new}.{kind}"))
    })
}

/// The number at the beginning of `name`, and what follows its point.
pub(super) fn number(name: &str) -> Option<(usize, &str)> {
    let (number, rest) = name.split_once('.')?;
    Some((number.parse::<u16>().ok()?.into(), rest))
}
