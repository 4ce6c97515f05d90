//! `skiagraph-engine evaluate`.

use std::path::PathBuf;

use anyhow::Context;
use skiagraph_engine::device::DeviceChoice;
use skiagraph_engine::{evaluate, files};

use super::Output;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The model's folder: a judge, a lung segmenter, or a bundle, whose autoencoder is measured.
    #[arg(long)]
    model: PathBuf,
    /// The data set's folder; its held-out patients are looked at.
    #[arg(long)]
    dataset: PathBuf,
    /// The folder for `report.json` and `report.md`.
    #[arg(long)]
    out: PathBuf,
}

pub(crate) fn run(
    arguments: &Arguments,
    device: DeviceChoice,
    output: &Output,
) -> anyhow::Result<()> {
    let device = device.open()?;
    let report = evaluate::evaluate(&arguments.model, &arguments.dataset, &device)?;
    let out = &arguments.out;
    std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let table = report.table();
    let mut json = serde_json::to_vec_pretty(&report)?;
    json.push(b'\n');
    for (name, bytes) in [("report.json", json.as_slice()), ("report.md", table.as_bytes())] {
        let path = out.join(name);
        files::replace(&path, bytes).with_context(|| path.display().to_string())?;
    }
    output.result("report", &report, &table)
}
