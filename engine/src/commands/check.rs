//! `skiagraph-engine dicom check`.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use skiagraph_engine::dicom::{self, DicomError, Radiograph, ReadOptions};
use skiagraph_engine::quality::{Doubt, DoubtKind, Fingerprint, Frontal, doubts};

use super::Output;

#[derive(Args)]
pub(crate) struct CheckArguments {
    /// DICOM files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Also write a picture of each object that something speaks against, PNG by the file's number from 1.
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
}

#[derive(Serialize)]
struct Checked<'a> {
    file: &'a Path,
    readable: bool,
    cause: Option<String>,
    doubts: Vec<Doubt>,
}

/// Reads every frame of a file, one at a time; answers the first.
fn read_all(file: &Path) -> Result<Radiograph, DicomError> {
    let first = ReadOptions { frame: Some(1), ..ReadOptions::default() };
    let radiograph = dicom::read_from(File::open(file)?, first)?;
    for frame in 2..=radiograph.header.frames {
        dicom::read_from(File::open(file)?, ReadOptions { frame: Some(frame), ..first })?;
    }
    Ok(radiograph)
}

pub(crate) fn run(arguments: &CheckArguments, output: &Output) -> anyhow::Result<()> {
    let frontal = Frontal::bundled()?;
    if let Some(folder) = &arguments.pictures {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut seen: Vec<(Fingerprint, usize)> = Vec::new();
    let mut unreadable = 0;
    for (index, file) in arguments.files.iter().enumerate() {
        let (cause, doubts) = match read_all(file) {
            Err(error) => (Some(error.to_string()), Vec::new()),
            Ok(Radiograph { header, frame }) => {
                let mut doubts = doubts(&header, &frame, &frontal);
                let print = Fingerprint::of(&frame);
                if let Some((_, other)) = seen.iter().find(|(other, _)| other.is_near(&print)) {
                    doubts.push(Doubt {
                        kind: DoubtKind::Duplicate,
                        cause: format!("nearly the same picture as file {}", other + 1),
                    });
                }
                seen.push((print, index));
                if let Some(folder) = arguments.pictures.as_ref().filter(|_| !doubts.is_empty()) {
                    let path = folder.join(format!("{:06}.png", index + 1));
                    std::fs::write(&path, dicom::render_png(&frame, None)?)
                        .with_context(|| path.display().to_string())?;
                }
                (None, doubts)
            }
        };
        unreadable += usize::from(cause.is_some());
        let words = words(file, cause.as_deref(), &doubts);
        let checked = Checked { file, readable: cause.is_none(), cause, doubts };
        output.result("checked", &checked, &words)?;
    }
    if unreadable > 0 {
        bail!("{unreadable} of {} objects cannot be used", arguments.files.len());
    }
    Ok(())
}

fn words(file: &Path, cause: Option<&str>, doubts: &[Doubt]) -> String {
    let verdict = match cause {
        Some(cause) => cause,
        None if doubts.is_empty() => "readable",
        None => "readable, and to be looked at",
    };
    doubts.iter().fold(format!("{}: {verdict}\n", file.display()), |text, doubt| {
        format!("{text}    {}: {}\n", doubt.kind.word(), doubt.cause)
    })
}
