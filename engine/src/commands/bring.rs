//! `skiagraph-engine model import` and `model pull`: models from elsewhere.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;
use skiagraph_engine::hub::{Client, Commit, pull as pull_files};
use skiagraph_engine::model::{
    ImportOptions, Imported, ModelError, Wishes, adopt, choose, import as import_model,
};

use super::Output;

#[derive(clap::Args)]
pub(crate) struct Import {
    /// A folder in diffusers' layout, or a checkpoint in one safetensors file.
    path: PathBuf,
    /// The folder to make.
    #[arg(long)]
    to: PathBuf,
    /// A folder with configurations and tokenizers, for a checkpoint of one file.
    #[arg(long)]
    config: Option<PathBuf>,
    /// What the network of a checkpoint of one file predicts, where its kind does not tell.
    #[arg(long, value_parser = ["epsilon", "v_prediction", "sample"])]
    prediction_type: Option<String>,
    /// Sides of the images that a checkpoint of one file was trained on, in pixels.
    #[arg(long, value_parser = clap::value_parser!(u16).range(64..=4096))]
    image_size: Option<u16>,
    /// The model's name on its card.
    #[arg(long)]
    name: Option<String>,
    /// The licence on its card.
    #[arg(long)]
    licence: Option<String>,
}

#[derive(clap::Args)]
pub(crate) struct Pull {
    /// The repository, as owner/name.
    repository: String,
    /// The folder to make.
    #[arg(long)]
    to: PathBuf,
    /// A branch, a tag or a commit. The card says which commit it was.
    #[arg(long, default_value = "main")]
    revision: String,
    /// The hub, or a mirror of it.
    #[arg(long, env = "HF_ENDPOINT", default_value = "https://huggingface.co")]
    endpoint: String,
}

pub(crate) fn import(arguments: &Import, output: &Output) -> anyhow::Result<()> {
    let options = ImportOptions {
        config: arguments.config.clone(),
        wishes: Wishes {
            prediction_type: arguments.prediction_type.clone(),
            image_size: arguments.image_size.map(usize::from),
        },
        name: arguments.name.clone(),
        licence: arguments.licence.clone(),
        source: None,
    };
    let imported = import_model(&arguments.path, &arguments.to, &options)?;
    tell(&imported, &arguments.to, output)
}

pub(crate) fn pull(arguments: &Pull, output: &Output) -> anyhow::Result<()> {
    let target = &arguments.to;
    if target.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{}: the folder exists and is not empty", target.display());
    }
    // A token is no argument: arguments are seen by everybody on the machine.
    let token = std::env::var("HF_TOKEN").ok().filter(|token| !token.is_empty());
    let client = Client::new(&arguments.endpoint, token)?;
    let commit = client.commit(&arguments.repository, &arguments.revision)?;
    let names: Vec<&str> = commit.files.iter().map(|file| file.path.as_str()).collect();
    let chosen: BTreeSet<String> = choose(&names)?.into_iter().collect();
    let desk = desk(target, &commit)?;
    let progress = output.progress("bytes");
    pull_files(&client, &commit, &desk, &|name| chosen.contains(name), &mut |done, total| {
        progress.at(done, total);
    })?;
    progress.finish();
    let options = ImportOptions {
        name: arguments.repository.rsplit('/').next().map(str::to_owned),
        licence: commit.licence.clone(),
        source: Some(format!("{}@{}", commit.repository, commit.sha)),
        ..ImportOptions::default()
    };
    let imported = adopt(&desk, target, &options)?;
    tell(&imported, target, output)
}

/// Where a pull of a commit puts its files until they are a model: beside the target, by a name that the
/// same pull finds again, and another commit's does not.
fn desk(target: &Path, commit: &Commit) -> anyhow::Result<PathBuf> {
    let mut name = OsString::from(".pull-");
    name.push(target.file_name().context("--to names no folder")?);
    name.push("-");
    name.push(&commit.sha[..12]);
    let desk = target.with_file_name(name);
    std::fs::create_dir_all(&desk).map_err(|cause| ModelError::file(&desk, cause))?;
    Ok(desk)
}

fn tell(imported: &Imported, to: &Path, output: &Output) -> anyhow::Result<()> {
    let card = &imported.card;
    let mut words = vec![
        format!("{}: {} with {}", to.display(), card.name, imported.parts.join(", ")),
        format!("weights {}, licence {}", card.weights_sha256, card.licence),
    ];
    if !imported.left_out.is_empty() {
        words.push(format!(
            "{} tensors belong to no network and were left out",
            imported.left_out.len()
        ));
    }
    words.extend(imported.notes.iter().map(|note| format!("note: {note}")));
    let event = json!({
        "path": to,
        "card": card,
        "parts": imported.parts,
        "left_out": imported.left_out,
        "notes": imported.notes,
    });
    output.result("model", &event, &words.join("\n"))
}
