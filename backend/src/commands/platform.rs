//! Opens what every command works on.

use std::os::unix::fs::DirBuilderExt;

use anyhow::{Context, ensure};
use sea_orm::DatabaseConnection;
use skiagraph_migrations::{Migrator, MigratorTrait};

use crate::config::Config;
use crate::database;

/// The data directory and the database.
pub(super) struct Platform {
    /// The settings.
    pub(super) config: Config,
    /// The database.
    pub(super) db: DatabaseConnection,
}

impl Platform {
    /// Makes the data directory where there is none, and connects.
    pub(super) async fn open(config: Config) -> anyhow::Result<Self> {
        let folder = &config.data_dir;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("the data directory {} cannot be made", folder.display()))?;
        let db = database::connect(&config.database())
            .await
            // The URL may hold a password: it is not repeated.
            .context("the database cannot be opened; see data_dir and DATABASE_URL")?;
        Ok(Self { config, db })
    }

    /// The same, whose schema must be up to date: only `serve` and `migrate` change it.
    pub(super) async fn open_migrated(config: Config) -> anyhow::Result<Self> {
        let platform = Self::open(config).await?;
        let pending = Migrator::get_pending_migrations(&platform.db).await?;
        ensure!(
            pending.is_empty(),
            "the database's schema is not up to date; run: skiagraph migrate"
        );
        Ok(platform)
    }

    /// Brings the schema up to date.
    pub(super) async fn migrate(&self) -> anyhow::Result<()> {
        Migrator::up(&self.db, None)
            .await
            .context("the database's schema cannot be brought up to date")
    }
}
