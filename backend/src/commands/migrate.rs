//! `skiagraph migrate`

use std::process::ExitCode;

use skiagraph_migrations::{Migrator, MigratorTrait};

use super::platform::Platform;
use crate::config::Config;

pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let platform = Platform::open(config).await?;
    let pending = Migrator::get_pending_migrations(&platform.db).await?.len();
    platform.migrate().await?;
    println!("{pending} steps were applied; the schema is up to date");
    Ok(ExitCode::SUCCESS)
}
