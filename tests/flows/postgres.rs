//! The same platform on a real PostgreSQL, in a cluster of the test's own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::harness::Server;

/// A cluster that runs until it is dropped. The server refuses to run as root: then the account
/// `postgres` that its package made owns it.
struct Cluster {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl Cluster {
    /// `None` where PostgreSQL is not installed.
    fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("skiagraph-pg-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self { programs, folder, port };
        let data = cluster.data();
        cluster.run("initdb", &["-D", &data, "-U", "skiagraph", "--auth=trust", "-E", "UTF8"]);
        let options = format!(
            "-p {port} -k {} -c listen_addresses=127.0.0.1",
            cluster.folder.path().display()
        );
        let log = cluster.folder.path().join("log");
        cluster.run(
            "pg_ctl",
            &["-D", &data, "-o", &options, "-l", log.to_str().unwrap(), "-w", "start"],
        );
        Some(cluster)
    }

    fn data(&self) -> String {
        self.folder.path().join("data").to_str().unwrap().to_owned()
    }

    fn url(&self) -> String {
        format!("postgres://skiagraph@127.0.0.1:{}/postgres", self.port)
    }

    fn try_run(&self, program: &str, arguments: &[&str]) -> Output {
        let program = self.programs.join(program);
        let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let mut command = if root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(arguments).current_dir("/").output().unwrap()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let done = self.try_run(program, arguments);
        assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Runs SQL; returns what it prints.
    fn sql(&self, statement: &str) -> String {
        let port = self.port.to_string();
        let done = self.try_run(
            "psql",
            &[
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "skiagraph",
                "-d",
                "postgres",
                "-At",
                "-c",
                statement,
            ],
        );
        String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.try_run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"]);
    }
}

/// The folder of the newest PostgreSQL's programs.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop().or_else(|| {
        let found = Command::new("sh").args(["-c", "command -v initdb"]).output().ok()?;
        let path = String::from_utf8(found.stdout).ok()?;
        Path::new(path.trim()).parent().filter(|_| !path.trim().is_empty()).map(Path::to_path_buf)
    })
}

#[tokio::test]
async fn migrations_login_and_audit_on_postgres() {
    let Some(cluster) = Cluster::start() else {
        println!("SKIPPED: PostgreSQL is not installed; `make test` installs it");
        return;
    };
    let server = Server::start_with(&[("DATABASE_URL", &cluster.url())]).await;
    let auditor = server.user(&["auditor"]).await;
    let clinician = server.user(&["clinician"]).await;
    assert_eq!(clinician.get("/audit/events").await.0, 403);
    let (_, users) = server.admin().await.get("/users").await;
    assert_eq!(users["total"], 3, "{users}");
    let (status, verdict) = auditor.post("/audit/verify", &json!({})).await;
    assert_eq!((status, &verdict["intact"]), (200, &json!(true)), "{verdict}");

    // The records are there and not in a file beside.
    let count = cluster.sql("SELECT count(*) FROM users");
    assert_eq!(count.trim(), "3", "{count}");
    let refused = cluster.sql("UPDATE audit_events SET actor_name = 'x' WHERE sequence = 2");
    assert!(refused.contains("append-only"), "{refused}");

    cluster.sql("ALTER TABLE audit_events DISABLE TRIGGER ALL");
    cluster.sql("UPDATE audit_events SET actor_name = actor_name || 'x' WHERE sequence = 2");
    let (code, words) = server.command(&["audit", "verify"]);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains('2'), "{words}");
}
