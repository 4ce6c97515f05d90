//! `skiagraph audit export | verify | public-key`

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use futures::TryStreamExt;
use skiagraph_compliance::audit::{Break, ExportVerifier, Form, PublicKey, Signatures, Spelling};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::platform::Platform;
use crate::audit::{Actor, signer};
use crate::auth::Ledger;
use crate::config::Config;
use crate::views::audit::AuditQuery;

/// The audit log from the command line.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Write the log as a file
    Export {
        /// Form of the file
        #[arg(long, value_enum, default_value = "csv")]
        format: Format,
        /// Not before this time (RFC 3339) or day
        #[arg(long)]
        from: Option<String>,
        /// Not after this time (RFC 3339) or the end of this day
        #[arg(long)]
        to: Option<String>,
        /// Where to write it; standard output when not given
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Check that every row is as it was written; exits with 1 and names the first that is not
    Verify {
        /// An export in any form, in place of the log itself: no database is opened
        #[arg(long, requires = "public_key")]
        export: Option<PathBuf>,
        /// The platform's public key (PEM), to hold the export against
        #[arg(long, requires = "export")]
        public_key: Option<PathBuf>,
    },
    /// Print the key that the log's signatures are held against (PEM)
    PublicKey,
}

/// Form of an export.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// Comma-separated values, RFC 4180
    Csv,
    /// JSON lines
    Jsonl,
    /// Audit messages of DICOM PS3.15 A.5, `csd-code` and `originalText`
    AtnaXml,
    /// The same with `code` and `displayName`, as before 2012
    AtnaXmlEarly,
    /// FHIR R4 AuditEvents by IHE BALP, one a line
    Balp,
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Jsonl => Self::JsonLines,
            Format::AtnaXml => Self::AtnaXml(Spelling::Current),
            Format::AtnaXmlEarly => Self::AtnaXml(Spelling::Early),
            Format::Balp => Self::Balp,
        }
    }
}

pub(super) async fn run(config: Config, command: Audit) -> anyhow::Result<ExitCode> {
    match command {
        Audit::Export { format, from, to, out } => {
            let ledger = ledger(config).await?;
            export(&ledger, format.into(), from, to, out).await?;
            Ok(ExitCode::SUCCESS)
        }
        Audit::Verify { export: Some(export), public_key: Some(key) } => {
            verify_export(&export, &key)
        }
        Audit::Verify { .. } => verify(&ledger(config).await?).await,
        Audit::PublicKey => {
            print!("{}", ledger(config).await?.public_key().to_pem()?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn ledger(config: Config) -> anyhow::Result<Ledger> {
    let platform = Platform::open_migrated(config).await?;
    let signer = signer(&platform.config.data_dir)?;
    Ok(Ledger::new(platform.db, signer))
}

async fn export(
    ledger: &Ledger,
    form: Form,
    from: Option<String>,
    to: Option<String>,
    out: Option<PathBuf>,
) -> anyhow::Result<()> {
    let query = AuditQuery { actor: None, action: None, object: None, outcome: None, from, to };
    let lines = ledger.export(&actor(), form, query.filter()?).await?;
    match out {
        None => write(lines, tokio::io::stdout()).await,
        Some(path) => {
            // Under its name only when whole.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let temporary = tempfile::NamedTempFile::new_in(folder.unwrap_or(".".as_ref()))
                .with_context(|| format!("{} cannot be written", path.display()))?;
            let file = tokio::fs::File::from_std(temporary.reopen()?);
            write(lines, file).await?;
            temporary.as_file().sync_all()?;
            temporary
                .persist(&path)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            Ok(())
        }
    }
}

async fn write(
    lines: impl futures::Stream<Item = Result<bytes::Bytes, crate::error::ApiError>>,
    mut out: impl AsyncWrite + Unpin,
) -> anyhow::Result<()> {
    let mut lines = pin!(lines);
    while let Some(line) = lines.try_next().await? {
        out.write_all(&line).await?;
    }
    Ok(out.flush().await?)
}

async fn verify(ledger: &Ledger) -> anyhow::Result<ExitCode> {
    let verdict = ledger.verify(&actor()).await?;
    let key = ledger.public_key();
    Ok(say(verdict.checked, "rows", verdict.first_broken, &verdict.signatures, &key))
}

/// Holds an export against the key, line by line.
pub(super) fn verify_export(export: &Path, key: &Path) -> anyhow::Result<ExitCode> {
    let unreadable = |path: &Path| format!("{} cannot be read", path.display());
    let pem = std::fs::read_to_string(key).with_context(|| unreadable(key))?;
    let key = PublicKey::from_pem(&pem)?;
    let mut verifier = ExportVerifier::new(key.clone());
    let mut lines = BufReader::new(File::open(export).with_context(|| unreadable(export))?);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).with_context(|| unreadable(export))? > 0 {
        // Bytes that are no text become letters that no export holds, and the row is named.
        verifier.line(&String::from_utf8_lossy(&line))?;
        line.clear();
    }
    let report = verifier.finish()?;
    let what = if report.whole { "rows of the whole log" } else { "chosen rows" };
    Ok(say(report.checked, what, report.first_broken, &report.signatures, &key))
}

/// Says what was found, and how far the signatures reach.
fn say(
    checked: u64,
    what: &str,
    first_broken: Option<Break>,
    signatures: &Signatures,
    key: &PublicKey,
) -> ExitCode {
    let code = match first_broken {
        None => {
            println!("intact: {checked} {what} are as they were written");
            ExitCode::SUCCESS
        }
        Some(found) => {
            println!("broken at sequence {}: {}", found.sequence, found.cause.words());
            ExitCode::FAILURE
        }
    };
    let key = key.fingerprint();
    match &signatures.signed_at {
        Some(time) => {
            println!("signed by key {key} through row {}, at {time}", signatures.through);
        }
        None => println!("no signature of key {key} was found"),
    }
    if signatures.foreign > 0 {
        println!("{} signatures of another key were passed over", signatures.foreign);
    }
    code
}

fn actor() -> Actor {
    Actor::system("command-line")
}
