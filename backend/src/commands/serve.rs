//! `skiagraph serve`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use actix_web::{HttpServer, web};
use anyhow::Context;
use skiagraph_compliance::audit::Action;
use skiagraph_compliance::role::Role;
use tokio_util::sync::CancellationToken;

use super::platform::Platform;
use super::{user, work};
use crate::audit::{self, Actor, Entry};
use crate::auth::{Ledger, Throttle, Tokens};
use crate::config::{Config, Flags};
use crate::controllers::domain::Domain;
use crate::exchange::{self, Desk, Receiver};
use crate::intake::Limits;
use crate::jobs::{self, JobContext};
use crate::models;
use crate::router;
use crate::secrets;
use crate::state::{AppState, Readiness};
use crate::storage::{Folders, Storage};
use crate::telemetry;

/// How to serve.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// Address and port to listen on; 127.0.0.1:8080 when not given
    #[arg(long)]
    bind: Option<SocketAddr>,
    /// Folder of the model bundle that generates
    #[arg(long)]
    model: Option<PathBuf>,
}

impl Serve {
    /// Adds what was said here to the flags of every command.
    pub(super) fn lay_over(&self, flags: &mut Flags) {
        flags.bind = self.bind;
        flags.model.clone_from(&self.model);
    }
}

pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let telemetry = telemetry::start(&config)?;
    let platform = Platform::open(config).await?;
    platform.migrate().await?;
    let state = web::Data::new(state(&platform)?);
    let shutdown = CancellationToken::new();
    let context = work::context(&platform, &shutdown).await?;
    let domain = web::Data::new(domain(&platform.config, &context)?);
    // Before anybody can send more: what killed uploads have left.
    let swept = domain.janitor.sweep(&context.folders.scratch()).await?;
    if swept > 0 {
        tracing::info!(uploads = swept, "uploads that were cut off are cleared away");
    }
    state.readiness.set_model(context.service.is_some());
    let receiver = receiver(&platform, &context, &domain)?;
    let server = HttpServer::new({
        let (state, domain) = (state.clone(), domain.clone());
        move || router::app(state.clone(), domain.clone())
    })
    // The work and the streams of events end first, so the signals are heard here.
    .disable_signals()
    .shutdown_timeout(platform.config.shutdown_seconds)
    .bind(platform.config.bind)
    .with_context(|| format!("{} cannot be listened on", platform.config.bind))?;

    // Only now: a password that was printed before a failed start would be lost.
    let address = server.addrs().first().copied().unwrap_or(platform.config.bind);
    println!("Skiagraph listens on http://{address}");
    first_administrator(&state.ledger, &platform).await?;
    let system = Actor::system("serve");
    state.ledger.record(&system, Entry::new(Action::ApplicationStart, "platform")).await?;
    state.ledger.sign().await?;
    tracing::info!(%address, "the platform serves");
    if let Some(receiver) = &receiver {
        println!("Radiographs are received on {}", receiver.address());
    }
    tokio::spawn(fill_index(context.clone()));

    let worker = tokio::spawn({
        let readiness = state.readiness.clone();
        async move {
            readiness.set_worker(true);
            let ended = jobs::work(context).await;
            readiness.set_worker(false);
            ended
        }
    });
    let server = server.run();
    let handle = server.handle();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            work::end_at_signal(shutdown).await;
            handle.stop(true).await;
        }
    });
    // Ends at SIGINT or SIGTERM, when the requests under way have their answers.
    server.await?;
    shutdown.cancel();
    if let Some(receiver) = receiver {
        receiver.end().await;
    }
    worker.await.context("the worker panicked")??;

    state.ledger.record(&system, Entry::new(Action::ApplicationStop, "platform")).await?;
    tracing::info!("the platform ended");
    telemetry.end();
    Ok(ExitCode::SUCCESS)
}

pub(super) fn domain(config: &Config, context: &JobContext) -> anyhow::Result<Domain> {
    let limits = Limits { request_bytes: config.upload_bytes, ..Limits::default() };
    let key = secrets::load_or_create(&config.data_dir, "pseudonym.key")?;
    Ok(Domain::new(context, limits, Arc::new(key))?)
}

/// The receiver, where the configuration has one.
fn receiver(
    platform: &Platform,
    context: &JobContext,
    domain: &Domain,
) -> anyhow::Result<Option<Receiver>> {
    let Some(config) = &platform.config.receiver else { return Ok(None) };
    let desk = Desk {
        db: context.db.clone(),
        folders: context.folders.clone(),
        signer: context.signer.clone(),
        janitor: domain.janitor.clone(),
        limits: domain.limits.clone(),
        examiner: Arc::clone(&domain.examiner),
        pseudonym_key: Arc::clone(&domain.pseudonym_key),
        user: config.user.clone(),
    };
    let receiver = Receiver::start(config, desk);
    Ok(Some(receiver.with_context(|| format!("receiver.bind: {}", config.bind))?))
}

/// Makes the index's rows of objects that were there before it; the platform serves meanwhile.
async fn fill_index(context: JobContext) {
    match exchange::fill(&context.db, &context.storage, &context.shutdown).await {
        Ok(0) => {}
        Ok(rows) => tracing::info!(rows, "objects were added to the index"),
        Err(error) => tracing::error!(?error, "the index could not be filled"),
    }
}

pub(super) fn state(platform: &Platform) -> anyhow::Result<AppState> {
    let config = platform.config.clone();
    let key = secrets::load_or_create(&config.data_dir, "token.key")?;
    let objects = config.data_dir.join("objects");
    Ok(AppState {
        storage: Storage::open(config.storage_url.as_deref(), &objects)?,
        folders: Folders::new(&config.data_dir),
        readiness: Readiness::default(),
        ledger: Ledger::new(platform.db.clone(), audit::signer(&config.data_dir)?),
        tokens: Tokens::new(&key, config.access_token_seconds),
        throttle: Throttle::new(config.login_burst, config.login_per_minute),
        config,
    })
}

/// A platform without users gets its administrator, whose password is printed this once.
async fn first_administrator(ledger: &Ledger, platform: &Platform) -> anyhow::Result<()> {
    if models::users::count(&platform.db).await? > 0 {
        return Ok(());
    }
    let (name, display_name) = ("admin".to_owned(), "Administrator".to_owned());
    let actor = Actor::system("serve");
    let password = user::add(ledger, actor, name, display_name, vec![Role::Admin]).await?;
    println!();
    println!("  This is the first start. The administrator:");
    println!("    name:              admin");
    println!("    one-time password: {password}");
    println!("  It is shown this once, and must be changed at the first login.");
    println!();
    Ok(())
}
