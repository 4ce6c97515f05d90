//! Names with underscores for dots, as kohya's sd-scripts and LyCORIS write them, and the names of
//! the original latent diffusion code (`input_blocks` …), under which sd-scripts trains SDXL.

/// Words that are one step of a path although an underscore stands in them.
const COMPOUNDS: [&str; 34] = [
    "add_embedding",
    "conv_in",
    "conv_out",
    "conv_shortcut",
    "down_blocks",
    "emb_layers",
    "in_layers",
    "input_blocks",
    "k_proj",
    "label_emb",
    "linear_1",
    "linear_2",
    "mid_block",
    "middle_block",
    "out_layers",
    "out_proj",
    "output_blocks",
    "proj_in",
    "proj_out",
    "q_proj",
    "self_attn",
    "skip_connection",
    "text_model",
    "text_projection",
    "time_emb_proj",
    "time_embed",
    "time_embedding",
    "to_k",
    "to_out",
    "to_q",
    "to_v",
    "transformer_blocks",
    "up_blocks",
    "v_proj",
];

/// The path with its dots: `down_blocks_0_attentions_1_proj_in` is `down_blocks.0.attentions.1.proj_in`.
pub(super) fn with_dots(flat: &str) -> String {
    let mut path = String::with_capacity(flat.len());
    let mut rest = flat;
    loop {
        let length = step(rest);
        path.push_str(&rest[..length]);
        match rest[length..].strip_prefix('_') {
            Some(after) => {
                path.push('.');
                rest = after;
            }
            None => return path,
        }
    }
}

/// Bytes of the first step: of the longest compound that ends where a step may end, or of one word.
fn step(rest: &str) -> usize {
    let ends = |compound: &&&str| {
        rest.strip_prefix(**compound)
            .is_some_and(|after| after.is_empty() || after.starts_with('_'))
    };
    let longest = COMPOUNDS.iter().filter(ends).map(|compound| compound.len()).max();
    longest.unwrap_or_else(|| rest.find('_').unwrap_or(rest.len()))
}

/// Whether a path is one of the original latent diffusion code.
pub(super) fn is_original(path: &str) -> bool {
    ["input_blocks.", "middle_block.", "output_blocks.", "time_embed.", "label_emb.", "out.2"]
        .iter()
        .any(|beginning| path.starts_with(beginning))
}

/// diffusers' path for one of the original code, in a network with so many residual blocks a level.
/// `None` where the original network has no such place.
pub(super) fn to_diffusers(path: &str, layers_per_block: usize) -> Option<String> {
    let fixed = match path {
        "input_blocks.0.0" => Some("conv_in"),
        "time_embed.0" => Some("time_embedding.linear_1"),
        "time_embed.2" => Some("time_embedding.linear_2"),
        "label_emb.0.0" => Some("add_embedding.linear_1"),
        "label_emb.0.2" => Some("add_embedding.linear_2"),
        "out.2" => Some("conv_out"),
        _ => None,
    };
    if let Some(fixed) = fixed {
        return Some(fixed.to_owned());
    }
    let mut steps = path.splitn(3, '.');
    let (side, block) = (steps.next()?, steps.next()?.parse::<usize>().ok()?);
    let rest = steps.next()?;
    let a_level = layers_per_block + 1;
    if side == "middle_block" {
        return Some(match block {
            0 => format!("mid_block.resnets.0.{}", resnet(rest)?),
            1 => format!("mid_block.attentions.0.{rest}"),
            2 => format!("mid_block.resnets.1.{}", resnet(rest)?),
            _ => return None,
        });
    }
    let (inner, rest) = rest.split_once('.')?;
    match (side, inner) {
        ("input_blocks", "0") => {
            let (level, layer) = (block.checked_sub(1)? / a_level, (block - 1) % a_level);
            Some(if rest == "op" {
                format!("down_blocks.{level}.downsamplers.0.conv")
            } else {
                format!("down_blocks.{level}.resnets.{layer}.{}", resnet(rest)?)
            })
        }
        ("input_blocks", "1") => {
            let (level, layer) = (block.checked_sub(1)? / a_level, (block - 1) % a_level);
            Some(format!("down_blocks.{level}.attentions.{layer}.{rest}"))
        }
        ("output_blocks", "0") => {
            let (level, layer) = (block / a_level, block % a_level);
            Some(format!("up_blocks.{level}.resnets.{layer}.{}", resnet(rest)?))
        }
        // Where a level has no attention, the upsampler follows the residual block at once.
        ("output_blocks", "1" | "2") if rest == "conv" => {
            Some(format!("up_blocks.{}.upsamplers.0.conv", block / a_level))
        }
        ("output_blocks", "1") => {
            let (level, layer) = (block / a_level, block % a_level);
            Some(format!("up_blocks.{level}.attentions.{layer}.{rest}"))
        }
        _ => None,
    }
}

fn resnet(layer: &str) -> Option<&'static str> {
    match layer {
        "in_layers.2" => Some("conv1"),
        "emb_layers.1" => Some("time_emb_proj"),
        "out_layers.3" => Some("conv2"),
        "skip_connection" => Some("conv_shortcut"),
        _ => None,
    }
}
