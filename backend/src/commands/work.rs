//! `skiagraph worker`, and what `serve` and `worker` have in common: the work itself, and its end.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::platform::Platform;
use crate::config::{Config, Flags};
use crate::jobs::{self, JobContext};
use crate::marking::Marking;
use crate::storage::{Folders, Storage};
use crate::telemetry;

/// How to work.
#[derive(Debug, clap::Args)]
pub(super) struct Worker {
    /// Folder of the model bundle that generates
    #[arg(long)]
    model: Option<PathBuf>,
}

impl Worker {
    /// Adds what was said here to the flags of every command.
    pub(super) fn lay_over(&self, flags: &mut Flags) {
        flags.model.clone_from(&self.model);
    }
}

/// Takes jobs until SIGINT or SIGTERM; what is under way goes on with the next worker.
pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let telemetry = telemetry::start(&config)?;
    let platform = Platform::open_migrated(config).await?;
    let shutdown = CancellationToken::new();
    let context = context(&platform, &shutdown).await?;
    anyhow::ensure!(
        context.service.is_some(),
        "the model in {} does not load; see the log",
        platform.config.model.display()
    );
    tokio::spawn(async move { end_at_signal(shutdown).await });
    tracing::info!("the worker takes jobs");
    jobs::work(context).await?;
    tracing::info!("the worker ended");
    telemetry.end();
    Ok(ExitCode::SUCCESS)
}

/// What jobs need, over the platform's records and objects.
pub(super) async fn context(
    platform: &Platform,
    shutdown: &CancellationToken,
) -> anyhow::Result<JobContext> {
    let config = &platform.config;
    let objects = config.data_dir.join("objects");
    let storage = Storage::open(config.storage_url.as_deref(), &objects)?;
    // A record of a run holds the path: it must mean the same wherever the program is started.
    let model = std::path::absolute(&config.model)?;
    let data_dir = std::path::absolute(&config.data_dir)?;
    let (device, folders) = (config.device.open()?, Folders::new(data_dir));
    let destinations = config.destinations.clone();
    let marking = Marking::open(config).context("images cannot be marked")?;
    let (db, shutdown) = (platform.db.clone(), shutdown.clone());
    JobContext::open(db, storage, folders, (model, device), destinations, marking, shutdown)
        .await
        .context("the job queue in the data directory cannot be opened")
}

/// Cancels at the first SIGINT or SIGTERM.
pub(super) async fn end_at_signal(shutdown: CancellationToken) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("signals cannot be heard: only a kill ends the process");
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    shutdown.cancel();
}
