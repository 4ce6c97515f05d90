//! `skiagraph-engine dicom deidentify`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use skiagraph_compliance::deidentification::{Edition, Policy, ProfileOption, Pseudonyms};
use skiagraph_engine::dicom::{Deidentifier, DeidentifyOptions, deidentify_folder};
use skiagraph_engine::files;

use super::Output;

#[derive(Args)]
pub(crate) struct DeidentifyArguments {
    /// The folder of DICOM objects.
    #[arg(long = "in", value_name = "FOLDER")]
    input: PathBuf,
    /// The folder to make, of clean objects.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The folder to make, of objects that could not be shown clean, each with the reason; by default
    /// `OUT-quarantine`.
    #[arg(long, value_name = "FOLDER")]
    quarantine: Option<PathBuf>,
    /// Options of the Basic Profile, by name or by code of CID 7050, between commas: clean-pixel-data,
    /// clean-recognizable-visual-features, clean-graphics, clean-structured-content, clean-descriptors,
    /// retain-full-dates, retain-modified-dates, retain-patient-characteristics, retain-device-identity,
    /// retain-uids, retain-safe-private, retain-institution-identity.
    #[arg(long, value_delimiter = ',', value_parser = option)]
    options: Vec<ProfileOption>,
    /// Edition of PS3.15 whose table counts: 2024b or 2026c.
    #[arg(long, value_parser = edition, default_value_t)]
    edition: Edition,
    /// A file of at least sixteen bytes from which pseudonyms, UIDs and spans of dates are made. Who has
    /// it finds patients again: keep it apart from the objects.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Also write what was done: FILE with the extension `json` for programs, and with `md` the page that a
    /// person signs.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn option(text: &str) -> Result<ProfileOption, String> {
    ProfileOption::parse(text).ok_or_else(|| {
        let known: Vec<&str> = ProfileOption::all().map(ProfileOption::name).collect();
        format!("known are {}", known.join(", "))
    })
}

fn edition(text: &str) -> Result<Edition, &'static str> {
    Edition::ALL
        .into_iter()
        .find(|edition| edition.name() == text)
        .ok_or("known are 2024b and 2026c")
}

pub(crate) fn run(arguments: DeidentifyArguments, output: &Output) -> anyhow::Result<()> {
    let key = std::fs::read(&arguments.key).context("key: the file cannot be read")?;
    let policy = Policy::new(arguments.edition, arguments.options)?;
    let deidentifier = Deidentifier::new(policy, Pseudonyms::new(&key)?);
    let quarantine = arguments.quarantine.unwrap_or_else(|| {
        let mut name = arguments.out.file_name().unwrap_or_default().to_owned();
        name.push("-quarantine");
        arguments.out.with_file_name(name)
    });
    let options = DeidentifyOptions { input: arguments.input, out: arguments.out, quarantine };
    let bar = output.progress("objects");
    let summary =
        deidentify_folder(&deidentifier, &options, &mut |done, total| bar.at(done, total));
    bar.finish();
    let summary = summary?;
    if let Some(report) = &arguments.report {
        let json = serde_json::to_vec_pretty(&summary)?;
        files::replace(&report.with_extension("json"), &json).context("report")?;
        files::replace(&report.with_extension("md"), summary.page().as_bytes())
            .context("report")?;
    }
    let words = format!(
        "{} objects are clean, in {}\n{} are in quarantine, in {}\n",
        summary.clean,
        options.out.display(),
        summary.quarantined,
        options.quarantine.display()
    );
    output.result("deidentified", &summary, &words)
}
