//! `skiagraph-engine compare`.

use std::path::PathBuf;

use skiagraph_engine::device::DeviceChoice;
use skiagraph_engine::train;

use super::Output;
use super::output::write_report;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folders of finished runs, and of searches, which are two runs each. Their losses must be of the same model,
    /// held-out patients and seed.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The run that all are compared with; without it, the one that trained the most weights.
    #[arg(long, value_name = "RUN")]
    against: Option<PathBuf>,
    /// A folder for `report.json` and `report.md`.
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(crate) fn run(
    arguments: &Arguments,
    device: DeviceChoice,
    output: &Output,
) -> anyhow::Result<()> {
    let device = device.open()?;
    let comparison = train::compare(&arguments.runs, arguments.against.as_deref(), &device)?;
    let table = comparison.table();
    if let Some(out) = &arguments.out {
        write_report(out, &comparison, &table)?;
    }
    output.result("comparison", &comparison, &table)
}
