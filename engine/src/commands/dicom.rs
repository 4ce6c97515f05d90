//! `skiagraph-engine dicom`.

use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use skiagraph_engine::dicom::{self, Columns, DicomError, Header, ReadOptions, WrapOptions};
use skiagraph_engine::terms::{AgeGroup, Sex};

use super::Output;
use super::deidentify::{self, DeidentifyArguments};
use super::exchange::{self, PeerArguments, SendArguments};

/// Years written for a child whose age is not known more closely.
const CHILD_YEARS: u16 = 3;
/// Years written for an adult whose age is not known more closely.
const ADULT_YEARS: u16 = 50;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say what an object's header holds.
    Info {
        /// The DICOM file.
        file: PathBuf,
        /// Also write the calibrated picture as an 8-bit PNG.
        #[arg(long, value_name = "FILE")]
        png: Option<PathBuf>,
        /// Which frame of several, from 1.
        #[arg(long)]
        frame: Option<u32>,
        /// Which of the object's VOI LUTs and then its windows the picture is shown through, from 1;
        /// the first without it.
        #[arg(long, requires = "png")]
        window: Option<u32>,
    },
    /// Turn a folder of images and a label table into DX objects.
    Wrap(Box<WrapArguments>),
    /// Take out what identifies patients, by the Basic Profile of PS3.15 Annex E and its options.
    Deidentify(Box<DeidentifyArguments>),
    /// Read objects in full, pixels and all, and say which cannot be used.
    Check {
        /// DICOM files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Ask an archive whether it is there: C-ECHO.
    Echo(Box<PeerArguments>),
    /// Send objects to an archive: C-STORE.
    Send(Box<SendArguments>),
}

#[derive(Args)]
pub(crate) struct WrapArguments {
    /// The folder of JPEG and PNG images.
    #[arg(long)]
    images: PathBuf,
    /// The label table: CSV with a header line.
    #[arg(long)]
    labels: PathBuf,
    /// The folder to make.
    #[arg(long)]
    out: PathBuf,
    /// View position of rows that have none: AP, PA, LL or RL.
    #[arg(long)]
    view: Option<String>,
    /// Age of rows that have none, when only child or adult is known: written as 3 or 50 years,
    /// which is approximate.
    #[arg(long, value_parser = age_group, conflicts_with = "default_age")]
    age_group: Option<AgeGroup>,
    /// Age in years of rows that have none; approximate.
    #[arg(long)]
    default_age: Option<u16>,
    /// Sex of rows that have none: F, M or O.
    #[arg(long, value_parser = sex)]
    sex: Option<Sex>,
    /// Width over height of images that were squashed to a square and whose own size is not known.
    #[arg(long)]
    default_aspect: Option<f32>,
    /// Side of a pixel at the detector in millimetres; nominal without it.
    #[arg(long)]
    pixel_spacing: Option<f32>,
    /// Wrap only so many rows, spread over labels and patients.
    #[arg(long)]
    limit: Option<usize>,
    /// Which rows a limit picks.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Column of the image's file name.
    #[arg(long)]
    file_column: Option<String>,
    /// Column of the findings, joined by `|`.
    #[arg(long)]
    findings_column: Option<String>,
    /// Column of the patient's pseudonym.
    #[arg(long)]
    patient_column: Option<String>,
    /// Column of the age in years.
    #[arg(long)]
    age_column: Option<String>,
    /// Column of the sex.
    #[arg(long)]
    sex_column: Option<String>,
    /// Column of the view position.
    #[arg(long)]
    view_column: Option<String>,
    /// Column of the width before the image was squashed.
    #[arg(long)]
    original_width_column: Option<String>,
    /// Column of the height before the image was squashed.
    #[arg(long)]
    original_height_column: Option<String>,
}

fn age_group(text: &str) -> Result<AgeGroup, &'static str> {
    AgeGroup::parse(text).ok_or("known are child and adult")
}

fn sex(text: &str) -> Result<Sex, &'static str> {
    Sex::parse(text).ok_or("known are F, M and O")
}

impl From<WrapArguments> for WrapOptions {
    fn from(arguments: WrapArguments) -> Self {
        let years = |group| match group {
            AgeGroup::Child => CHILD_YEARS,
            AgeGroup::Adult => ADULT_YEARS,
        };
        Self {
            images: arguments.images,
            table: arguments.labels,
            out: arguments.out,
            columns: Columns {
                file: arguments.file_column,
                findings: arguments.findings_column,
                patient: arguments.patient_column,
                age: arguments.age_column,
                sex: arguments.sex_column,
                view: arguments.view_column,
                original_width: arguments.original_width_column,
                original_height: arguments.original_height_column,
            },
            default_view: arguments.view,
            default_age: arguments.default_age.or(arguments.age_group.map(years)),
            default_sex: arguments.sex,
            default_aspect: arguments.default_aspect,
            pixel_spacing: arguments.pixel_spacing,
            limit: arguments.limit,
            seed: arguments.seed,
        }
    }
}

pub(crate) fn run(command: Command, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Info { file, png, frame, window } => {
            info(&file, png, ReadOptions { frame, window }, output)
        }
        Command::Wrap(arguments) => wrap(&(*arguments).into(), output),
        Command::Deidentify(arguments) => deidentify::run(*arguments, output),
        Command::Check { files } => check(&files, output),
        Command::Echo(arguments) => exchange::echo(*arguments, output),
        Command::Send(arguments) => exchange::send(*arguments, output),
    }
}

fn info(
    file: &PathBuf,
    png: Option<PathBuf>,
    mut options: ReadOptions,
    output: &Output,
) -> anyhow::Result<()> {
    if png.is_none() {
        // What is said of the header is the same for every frame.
        options.frame = options.frame.or(Some(1));
    }
    let name = || file.display().to_string();
    let open = || File::open(file).with_context(name);
    let header = dicom::inspect_from(open()?, options).with_context(name)?;
    if let Some(png) = png {
        let radiograph = dicom::read_from(open()?, options).with_context(name)?;
        std::fs::write(&png, dicom::render_png(&radiograph.frame, None)?)
            .with_context(|| png.display().to_string())?;
    }
    output.result("header", &header, &described(&header))
}

fn described(header: &Header) -> String {
    let or_unknown = |value: Option<&str>| value.unwrap_or("unknown").to_owned();
    [
        ("SOP class", header.sop_class_uid.clone()),
        ("SOP instance", header.sop_instance_uid.clone()),
        ("Transfer syntax", header.transfer_syntax_uid.clone()),
        ("Modality", header.modality.clone()),
        ("Age in years", or_unknown(header.age_years.map(|age| age.to_string()).as_deref())),
        ("Sex", or_unknown(header.sex.map(Sex::code))),
        ("View position", or_unknown(header.view_position.as_deref())),
        ("Laterality", or_unknown(header.laterality.as_deref())),
        ("Body part", or_unknown(header.body_part.as_deref())),
        ("Findings", header.findings.join(", ")),
        ("Size", format!("{} × {}", header.columns, header.rows)),
        ("Frames", header.frames.to_string()),
        ("Bits stored", header.bits_stored.to_string()),
        ("Photometric interpretation", header.photometric_interpretation.clone()),
        ("Synthetic", if header.synthetic { "YES" } else { "no" }.to_owned()),
    ]
    .iter()
    .fold(String::new(), |text, (name, value)| format!("{text}{name:28}{value}\n"))
}

fn wrap(options: &WrapOptions, output: &Output) -> anyhow::Result<()> {
    let bar = output.progress("objects");
    let summary = dicom::wrap(options, &mut |done, total| bar.at(done, total));
    bar.finish();
    let summary = summary?;
    let mut words = format!(
        "{} objects of {} patients in {}\n",
        summary.objects,
        summary.patients,
        summary.out.display()
    );
    if summary.unsquashed > 0 {
        writeln!(words, "{} images brought back to their own aspect", summary.unsquashed)?;
    }
    for (finding, count) in &summary.findings {
        writeln!(words, "{count:8}  {finding}")?;
    }
    output.result("wrapped", &summary, &words)
}

#[derive(Serialize)]
struct Checked {
    file: PathBuf,
    readable: bool,
    cause: Option<String>,
}

/// Reads every frame of a file, one at a time.
fn read_all(file: &Path) -> Result<(), DicomError> {
    let first = ReadOptions { frame: Some(1), ..ReadOptions::default() };
    let frames = dicom::read_from(File::open(file)?, first)?.header.frames;
    for frame in 2..=frames {
        dicom::read_from(File::open(file)?, ReadOptions { frame: Some(frame), ..first })?;
    }
    Ok(())
}

fn check(files: &[PathBuf], output: &Output) -> anyhow::Result<()> {
    let mut unreadable = 0;
    for file in files {
        let cause = read_all(file).err().map(|error| error.to_string());
        let words = match &cause {
            None => format!("{}: readable", file.display()),
            Some(cause) => format!("{}: {cause}", file.display()),
        };
        unreadable += usize::from(cause.is_some());
        let checked = Checked { file: file.clone(), readable: cause.is_none(), cause };
        output.result("checked", &checked, &words)?;
    }
    if unreadable > 0 {
        bail!("{unreadable} of {} objects cannot be used", files.len());
    }
    Ok(())
}
