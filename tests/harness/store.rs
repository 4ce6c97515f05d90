//! A look behind the API, for what must not have changed there.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Row};

/// What a data directory holds: rows by table, and the files beside the databases.
#[derive(Debug, PartialEq, Eq)]
pub struct Footprint {
    pub rows: BTreeMap<String, i64>,
    pub files: Vec<String>,
}

/// The platform's database.
pub async fn database(data: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(data.join("skiagraph.sqlite"))
        .busy_timeout(std::time::Duration::from_secs(10));
    SqlitePool::connect_with(options).await.unwrap()
}

/// Counts everything that an upload, an order or a job would leave. The audit log and the sessions
/// may grow: a refusal is logged.
pub async fn footprint(data: &Path) -> Footprint {
    let database = database(data).await;
    let names = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'");
    let mut rows = BTreeMap::new();
    for row in names.fetch_all(&database).await.unwrap() {
        let name: String = row.get(0);
        if name.starts_with("audit") || name.starts_with("sqlite") || name == "refresh_tokens" {
            continue;
        }
        let count = sqlx::query(AssertSqlSafe(format!("SELECT count(*) FROM \"{name}\"")));
        rows.insert(name, count.fetch_one(&database).await.unwrap().get(0));
    }
    database.close().await;
    let mut files = Vec::new();
    walk(data, data, &mut files);
    files.sort();
    Footprint { rows, files }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            // Locks of living workers and records come and go.
            if name != "leases" && name != "workers" {
                walk(root, &path, files);
            }
        } else if !name.contains(".sqlite") {
            files.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
        }
    }
}
