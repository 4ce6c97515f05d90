//! `skiagraph-engine verify`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use skiagraph_engine::credential::{Credential, CredentialState};
use skiagraph_engine::verify::{CredentialFinding, Format, Means, Report, Said, Verdict, verify};
use skiagraph_engine::watermark::Key;

use super::Output;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A DICOM, PNG or JPEG file.
    file: PathBuf,
    /// A file with the secret that marks were made with, beside the key that everybody has; may be given again.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Certificates (PEM) whose signers are trusted.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

/// The report with what follows from it.
#[derive(Serialize)]
struct Judged {
    #[serde(flatten)]
    report: Report,
    verdict: Verdict,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> anyhow::Result<()> {
    let keys = arguments.key.iter().map(|path| key("--key", path)).collect::<Result<_, _>>()?;
    let anchors = arguments.trust.as_ref().map(|path| {
        std::fs::read_to_string(path).with_context(|| format!("--trust: {}", path.display()))
    });
    let means = Means { keys, anchors: anchors.transpose()? };
    let place = || arguments.file.display().to_string();
    let bytes = std::fs::read(&arguments.file).with_context(place)?;
    let report = verify(&bytes, &means).with_context(place)?;
    let verdict = report.verdict(false);
    let words = words(&report, verdict);
    output.result("verified", &Judged { report, verdict }, &words)
}

/// The key of a watermark, from a file.
pub(crate) fn watermark_key(path: &Path) -> anyhow::Result<Key> {
    key("--watermark-key", path)
}

fn key(option: &str, path: &Path) -> anyhow::Result<Key> {
    let place = || format!("{option}: {}", path.display());
    Key::from_secret(&std::fs::read(path).with_context(place)?).with_context(place)
}

fn words(report: &Report, verdict: Verdict) -> String {
    let form = match report.format {
        Format::Dicom => "DICOM",
        Format::Png => "PNG",
        Format::Jpeg => "JPEG",
    };
    let mark = &report.watermark;
    let found = if mark.found { "found" } else { "not found" };
    format!(
        "file        {form}, {} × {}\nsays        {}\ncredential  {}\nwatermark   {found}: score {:.1}, from {:.2} on it is one (key {})\nverdict     {}",
        report.width,
        report.height,
        said(&report.said),
        match &report.credential {
            CredentialFinding::Absent => "none".to_owned(),
            CredentialFinding::NotRead => "not read of such a file".to_owned(),
            CredentialFinding::Present(credential) => signed(credential),
        },
        mark.score,
        mark.threshold,
        mark.key,
        verdict.sentence(),
    )
}

fn said(said: &Said) -> String {
    let mut parts = Vec::new();
    if said.synthetic_data {
        parts.push("Synthetic Data (0008,001C) YES".to_owned());
    }
    if let Some(equipment) = &said.equipment {
        let named = [&equipment.manufacturer, &equipment.model, &equipment.version];
        let named: Vec<&str> = named.into_iter().flatten().map(String::as_str).collect();
        parts.push(format!("synthesizing equipment {}", named.join(" ")));
    }
    if said.source_type {
        parts.push("digital source type trainedAlgorithmicMedia".to_owned());
    }
    if let Some(made) = &said.provenance {
        let made = &made.provenance;
        parts.push(format!(
            "made by {} {} with {}, seed {}",
            made.program, made.version, made.model, made.seed
        ));
    }
    if parts.is_empty() { "nothing".to_owned() } else { plain(&parts.join("; ")) }
}

/// What a stranger has written, without what would move a terminal's cursor or make a line of its own.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn signed(credential: &Credential) -> String {
    let by = plain(credential.signer.as_deref().unwrap_or("nobody"));
    match credential.state {
        CredentialState::Trusted => format!("signed by {by}, who is trusted"),
        CredentialState::Valid => format!("signed by {by}, for whom nobody vouches (--trust)"),
        CredentialState::Invalid => {
            format!("does not hold: {}", plain(&credential.faults.join(", ")))
        }
    }
}
