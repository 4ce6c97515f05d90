//! `skiagraph audit export | verify`

use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use futures::TryStreamExt;
use skiagraph_compliance::audit::Action;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::platform::Platform;
use crate::audit::{self, Actor, Entry};
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
    Verify,
}

/// Form of an export.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// Comma-separated values, RFC 4180
    Csv,
}

pub(super) async fn run(config: Config, command: Audit) -> anyhow::Result<ExitCode> {
    let platform = Platform::open_migrated(config).await?;
    let ledger = Ledger::new(platform.db);
    match command {
        Audit::Export { format: Format::Csv, from, to, out } => {
            export(&ledger, from, to, out).await?;
            Ok(ExitCode::SUCCESS)
        }
        Audit::Verify => verify(&ledger).await,
    }
}

async fn export(
    ledger: &Ledger,
    from: Option<String>,
    to: Option<String>,
    out: Option<PathBuf>,
) -> anyhow::Result<()> {
    let query = AuditQuery { actor: None, action: None, object: None, outcome: None, from, to };
    let filter = query.filter()?;
    let entry = Entry::new(Action::AuditLogUsed, "audit_log").detail("use", "export");
    let records = ledger.read(&actor(), entry).await?;
    let lines = audit::csv(records.db().clone(), filter);
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
    match verdict.first_broken {
        None => {
            println!("intact: {} rows are as they were written", verdict.checked);
            Ok(ExitCode::SUCCESS)
        }
        Some(found) => {
            println!("broken at sequence {}: {}", found.sequence, found.cause.words());
            Ok(ExitCode::FAILURE)
        }
    }
}

fn actor() -> Actor {
    Actor::system("command-line")
}
