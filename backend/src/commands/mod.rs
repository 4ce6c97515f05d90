//! The command line.

mod audit;
mod migrate;
mod platform;
mod serve;
mod user;
mod work;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Flags};

/// Makes synthetic X-rays to order, and proves what they are.
#[derive(Debug, Parser)]
#[command(name = "skiagraph", version)]
pub struct Arguments {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API and the pages, and do the work
    Serve(serve::Serve),
    /// Do work that another process serves: as many as there are machines
    Worker(work::Worker),
    /// Bring the database's schema up to date
    Migrate,
    /// Manage users
    #[command(subcommand)]
    User(user::User),
    /// Export or verify the audit log
    #[command(subcommand)]
    Audit(audit::Audit),
}

impl Arguments {
    /// Does what was asked.
    ///
    /// # Errors
    /// What could not be done, and why.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut flags = self.flags;
        match &self.command {
            Command::Serve(serve) => serve.lay_over(&mut flags),
            Command::Worker(worker) => worker.lay_over(&mut flags),
            Command::Migrate | Command::User(_) | Command::Audit(_) => {}
        }
        let config = Config::load(&flags)?;
        match self.command {
            Command::Serve(_) => serve::run(config).await,
            Command::Worker(_) => work::run(config).await,
            Command::Migrate => migrate::run(config).await,
            Command::User(command) => user::run(config, command).await,
            Command::Audit(command) => audit::run(config, command).await,
        }
    }
}
