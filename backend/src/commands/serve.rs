//! `skiagraph serve`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use actix_web::{HttpServer, web};
use anyhow::Context;
use skiagraph_compliance::audit::Action;
use skiagraph_compliance::role::Role;

use super::platform::Platform;
use super::user;
use crate::audit::{Actor, Entry};
use crate::auth::{Ledger, Throttle, Tokens};
use crate::config::{Config, Flags};
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
    let server = HttpServer::new({
        let state = state.clone();
        move || router::app(state.clone())
    })
    .shutdown_timeout(platform.config.shutdown_seconds)
    .bind(platform.config.bind)
    .with_context(|| format!("{} cannot be listened on", platform.config.bind))?;

    // Only now: a password that was printed before a failed start would be lost.
    let address = server.addrs().first().copied().unwrap_or(platform.config.bind);
    println!("Skiagraph listens on http://{address}");
    first_administrator(&state.ledger, &platform).await?;
    let system = Actor::system("serve");
    state.ledger.record(&system, Entry::new(Action::ApplicationStart, "platform")).await?;
    tracing::info!(%address, "the platform serves");

    // Ends at SIGINT or SIGTERM, when the requests under way have their answers.
    server.run().await?;

    state.ledger.record(&system, Entry::new(Action::ApplicationStop, "platform")).await?;
    tracing::info!("the platform ended");
    telemetry.end();
    Ok(ExitCode::SUCCESS)
}

fn state(platform: &Platform) -> anyhow::Result<AppState> {
    let config = platform.config.clone();
    let key = secrets::load_or_create(&config.data_dir, "token.key")?;
    let objects = config.data_dir.join("objects");
    Ok(AppState {
        storage: Storage::open(config.storage_url.as_deref(), &objects)?,
        folders: Folders::new(&config.data_dir),
        readiness: Readiness::default(),
        ledger: Ledger::new(platform.db.clone()),
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
    let name = "admin".to_owned();
    let password = user::add(ledger, name, "Administrator".to_owned(), vec![Role::Admin]).await?;
    println!();
    println!("  This is the first start. The administrator:");
    println!("    name:              admin");
    println!("    one-time password: {password}");
    println!("  It is shown this once, and must be changed at the first login.");
    println!();
    Ok(())
}
