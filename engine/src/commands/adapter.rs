//! `skiagraph-engine adapter`.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use skiagraph_engine::adapter::{Adapter, Form, ImagePrompts, summarise};

use super::Output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say what an adapter is: kind, ranks, layers, base, hash.
    Show {
        /// A folder or a .safetensors file.
        path: PathBuf,
    },
    /// Write an adapter in another form.
    Convert {
        /// The form to write.
        #[arg(long)]
        to: Target,
        /// Residual blocks of a level of the UNet that it is for, by which kohya's names for SDXL count.
        #[arg(long, default_value_t = 2)]
        layers_per_block: usize,
        /// A folder or a .safetensors file.
        input: PathBuf,
        /// The folder or, ending in .safetensors, the file to write.
        output: PathBuf,
    },
}

/// Forms of an adapter on disk.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Target {
    /// A folder with adapter_config.json.
    Peft,
    /// A folder with pytorch_lora_weights.safetensors, or such a file.
    Diffusers,
    /// A file of kohya's sd-scripts, or of LyCORIS.
    Kohya,
}

pub(crate) fn run(command: Command, output: &Output) -> anyhow::Result<()> {
    let path = match command {
        Command::Show { path } => path,
        Command::Convert { to, layers_per_block, input, output: out } => {
            if out.exists() {
                bail!("{} exists already", out.display());
            }
            if !(1..=16).contains(&layers_per_block) {
                bail!("--layers-per-block: must lie between 1 and 16");
            }
            let form = match to {
                Target::Peft => Form::Peft,
                Target::Diffusers => Form::Diffusers,
                Target::Kohya => Form::Kohya,
            };
            Adapter::open(&input)?.with_diffusers_names(layers_per_block)?.save(form, &out)?;
            out
        }
    };
    let summary = summarise(&path)?;
    let networks: Vec<String> =
        summary.layers.iter().map(|(network, count)| format!("{network} {count}")).collect();
    let size = match (&summary.image_prompts, summary.ranks) {
        (Some(ImagePrompts { tokens: Some(tokens), width, .. }), _) => {
            format!("{tokens} tokens {width} wide")
        }
        (Some(ImagePrompts { tokens: None, width, .. }), _) => {
            format!("as many tokens as the image encoder has, {width} wide")
        }
        (None, Some((least, most))) if least == most => format!("rank {least}"),
        (None, Some((least, most))) => format!("ranks {least} to {most}"),
        (None, None) => "no rank".to_owned(),
    };
    let words = format!(
        "{}: {}, {size}, {}\nbase {}\nweights {}",
        summary.name,
        summary.kind,
        networks.join(", "),
        summary.base_model.as_deref().unwrap_or("unknown"),
        summary.weights_sha256,
    );
    output.result("adapter", &summary, &words)
}
