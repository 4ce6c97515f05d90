//! The connection to the database, and how a writing transaction begins.

use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

/// How long a writer waits for another.
const BUSY: Duration = Duration::from_secs(20);
/// Connections of this process.
const CONNECTIONS: u32 = 16;

/// The URL of the SQLite file of a data directory.
pub fn sqlite_url(data_dir: &Path) -> String {
    format!("sqlite://{}?mode=rwc", data_dir.join("skiagraph.sqlite").display())
}

/// Connects. On SQLite: a write-ahead log, so that readers do not wait for a writer; a full sync at
/// every commit, so that nothing acknowledged is lost with the power; foreign keys.
pub async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(CONNECTIONS)
        .acquire_timeout(BUSY)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(BUSY)
                .foreign_keys(true)
        });
    // The future is large; every command holds it.
    Box::pin(Database::connect(options)).await
}

/// Begins a transaction that will write. SQLite would refuse to turn a reading transaction into a
/// writing one once another has written, so it takes its lock at once.
pub async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    db.begin_with_options(TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    })
    .await
}

/// Begins a transaction that reads one state of the database, whatever others write meanwhile.
pub async fn snapshot(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    // SQLite's transactions are snapshots as they are.
    let postgres = db.get_database_backend() == DbBackend::Postgres;
    db.begin_with_options(TransactionOptions {
        isolation_level: postgres.then_some(IsolationLevel::RepeatableRead),
        ..TransactionOptions::default()
    })
    .await
}
