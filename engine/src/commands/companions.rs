//! `skiagraph-engine dicom segmentation` and `report`: what stands beside a synthetic image.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde::Serialize;
use skiagraph_engine::control::{ControlKind, read_picture};
use skiagraph_engine::dicom::{Review, Verdict, write_report, write_segmentation};

use super::Output;

#[derive(Args)]
pub(crate) struct SegmentationArguments {
    /// The synthetic image, a DICOM file.
    image: PathBuf,
    /// The mask that it was made to follow: PNG, JPEG or DICOM, white on black.
    #[arg(long, value_name = "FILE")]
    mask: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
pub(crate) struct ReportArguments {
    /// The synthetic image, a DICOM file.
    image: PathBuf,
    /// What was decided.
    #[arg(long)]
    verdict: Decision,
    /// Why; a rejection needs a reason.
    #[arg(long, required_if_eq("verdict", "reject"))]
    reason: Option<String>,
    /// How real the image looks, from 1 to 5.
    #[arg(long)]
    realism: Option<u8>,
    /// Who decided. The name leaves with the report; a pseudonym does as well.
    #[arg(long, value_name = "NAME")]
    reviewer: String,
    /// When, as in 2026-11-28T10:00:00Z; now without it.
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Decision {
    Release,
    Reject,
}

#[derive(Serialize)]
struct Written<'a> {
    file: &'a Path,
}

fn bytes(option: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{option}: {}", path.display()))
}

fn write(path: &Path, bytes: &[u8], event: &str, output: &Output) -> anyhow::Result<()> {
    skiagraph_engine::files::replace(path, bytes)
        .with_context(|| format!("--out: {}", path.display()))?;
    output.result(event, &Written { file: path }, &path.display().to_string())
}

pub(crate) fn segmentation(
    arguments: &SegmentationArguments,
    output: &Output,
) -> anyhow::Result<()> {
    let image = bytes("image", &arguments.image)?;
    let mask = read_picture(&bytes("--mask", &arguments.mask)?)
        .with_context(|| format!("--mask: {}", arguments.mask.display()))?;
    let written = write_segmentation(&image, &ControlKind::Mask.condition(&mask))?;
    write(&arguments.out, &written, "segmentation", output)
}

pub(crate) fn report(arguments: &ReportArguments, output: &Output) -> anyhow::Result<()> {
    let review = Review {
        verdict: match arguments.verdict {
            Decision::Release => Verdict::Release,
            Decision::Reject => Verdict::Reject,
        },
        reason: arguments.reason.clone(),
        realism: arguments.realism,
        reviewer: arguments.reviewer.clone(),
        reviewed_at: arguments.at.unwrap_or_else(Utc::now),
    };
    let written = write_report(&bytes("image", &arguments.image)?, &review)?;
    write(&arguments.out, &written, "report", output)
}
