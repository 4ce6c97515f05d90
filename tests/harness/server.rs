//! The platform as a child process, over a folder of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::OnceCell;

use super::session::Session;

/// Starts the program in the background, notes its process id, and ends it when the test's own
/// process is gone, whatever became of it: then the standard input closes.
const WATCH: &str = r#"
"$@" >>"$LOG" 2>&1 </dev/null &
echo $! >"$PID.new" && mv "$PID.new" "$PID"
cat >/dev/null
kill -9 "$(cat "$PID")" 2>/dev/null
[ -z "$REMOVE" ] || rm -rf "$REMOVE"
"#;

/// The password that every user of the tests has, once the one-time password is changed.
pub const PASSWORD: &str = "correct horse battery staple 7";
/// The roles that a user may have.
pub const ROLES: [&str; 4] = ["clinician", "ml_engineer", "auditor", "admin"];

/// A running platform.
pub struct Server {
    /// `http://127.0.0.1:<port>`.
    pub address: String,
    /// The data directory.
    pub data: PathBuf,
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
    model: PathBuf,
    watch: Option<Child>,
    admin: OnceCell<Session>,
}

/// A program that `make` has built.
pub fn program(name: &str) -> PathBuf {
    let variable = match name {
        "skiagraph" => "SKIAGRAPH_BIN",
        _ => "SKIAGRAPH_ENGINE_BIN",
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = std::env::var_os(variable).map_or_else(
        || {
            let target = std::env::var_os("CARGO_TARGET_DIR")
                .map_or_else(|| root.join("target"), |folder| root.join(folder));
            target.join("release").join(name)
        },
        PathBuf::from,
    );
    assert!(path.exists(), "{} is not built: run `make build`, or set {variable}", path.display());
    path
}

/// The folder of a model for tests: tiny, with random weights, made once.
pub fn tiny_model() -> PathBuf {
    static MODEL: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    MODEL
        .get_or_init(|| {
            let folder =
                std::env::temp_dir().join(format!("skiagraph-model-{}", std::process::id()));
            let made = Command::new(program("skiagraph-engine"))
                .args(["model", "init", "--preset", "tiny", "--out"])
                .arg(&folder)
                .output()
                .unwrap();
            let words = String::from_utf8_lossy(&made.stderr);
            assert!(made.status.success(), "model init: {words}");
            folder
        })
        .clone()
}

impl Server {
    /// A platform over an empty folder.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more variables in its environment.
    pub async fn start_with(environment: &[(&str, &str)]) -> Self {
        Self::start_on(tiny_model(), environment).await
    }

    /// The same with another model than the tiny one.
    pub async fn start_on(model: PathBuf, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("skiagraph-test-").tempdir().unwrap();
        let data = folder.path().join("data");
        let mut server = Self {
            address: format!("http://127.0.0.1:{}", free_port()),
            data,
            folder,
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            model,
            watch: None,
            admin: OnceCell::new(),
        };
        server.spawn().await;
        server
    }

    /// Starts the process and waits until it answers.
    async fn spawn(&mut self) {
        let _ = std::fs::remove_file(self.pid_file());
        let watch = Command::new("sh")
            .args(["-c", WATCH, "watch"])
            .arg(program("skiagraph"))
            .arg("serve")
            .args(["--bind", self.address.trim_start_matches("http://")])
            .arg("--data-dir")
            .arg(&self.data)
            .arg("--model")
            .arg(&self.model)
            .env_remove("SKIAGRAPH_BIN")
            .env_remove("SKIAGRAPH_ENGINE_BIN")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("LOG", self.log_file())
            .env("PID", self.pid_file())
            .env("REMOVE", self.folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        self.watch = Some(watch);
        let client = reqwest::Client::new();
        let started = Instant::now();
        loop {
            let answer = client.get(format!("{}/readyz", self.address)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            assert!(started.elapsed() < Duration::from_mins(1), "never ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.path().join("pid")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What the process has printed so far, its log among it.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    /// Ends the process at once, as the kernel or a lost current does.
    pub fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.pid_file()).unwrap();
        Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
        if let Some(mut watch) = self.watch.take() {
            // The shell alone: its end must not remove the folder.
            watch.kill().unwrap();
            watch.wait().unwrap();
        }
    }

    /// Kills the process and starts it over the same folder.
    pub async fn kill_and_restart(&mut self) {
        self.kill();
        self.address = format!("http://127.0.0.1:{}", free_port());
        if let Some(admin) = self.admin.get_mut() {
            admin.address.clone_from(&self.address);
        }
        self.spawn().await;
    }

    /// Runs another subcommand over the same data directory; returns its exit status and words.
    pub fn command(&self, arguments: &[&str]) -> (i32, String) {
        let done = Command::new(program("skiagraph"))
            .args(arguments)
            .arg("--data-dir")
            .arg(&self.data)
            .env_remove("SKIAGRAPH_BIN")
            .env_remove("SKIAGRAPH_ENGINE_BIN")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        let words = [done.stdout, done.stderr].concat();
        (done.status.code().unwrap_or(-1), String::from_utf8_lossy(&words).into_owned())
    }

    /// The first administrator, with the one-time password changed.
    pub async fn admin(&self) -> &Session {
        self.admin
            .get_or_init(|| async {
                let one_time = one_time_password(&self.log());
                let first = Session::login(&self.address, "admin", &one_time).await;
                first.change_password(&one_time, PASSWORD).await;
                Session::login(&self.address, "admin", PASSWORD).await
            })
            .await
    }

    /// A new user with these roles, logged in. Returns the user's name with the session.
    pub async fn user(&self, roles: &[&str]) -> Session {
        self.user_named(&format!("u{}", &uuid::Uuid::new_v4().simple().to_string()[..12]), roles)
            .await
    }

    /// The same by a name of one's own.
    pub async fn user_named(&self, username: &str, roles: &[&str]) -> Session {
        let body = json!({ "username": username, "display_name": "A user", "roles": roles });
        let (status, made) = self.admin().await.post("/users", &body).await;
        assert_eq!(status, 201, "{made}");
        let one_time = made["one_time_password"].as_str().unwrap_or_default();
        assert!(!one_time.is_empty(), "no one-time password: {made}");
        let first = Session::login(&self.address, username, one_time).await;
        first.change_password(one_time, PASSWORD).await;
        Session::login(&self.address, username, PASSWORD).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.watch.is_some() {
            self.kill();
        }
    }
}

/// The first administrator's one-time password, as `serve` prints it.
fn one_time_password(log: &str) -> String {
    log.lines()
        .filter(|line| line.to_lowercase().contains("one-time password"))
        .find_map(|line| line.split_whitespace().last())
        .map_or_else(
            || panic!("no one-time password was printed:\n{log}"),
            |word| word.trim_matches(|c: char| c == '`' || c == '"' || c == '.').to_owned(),
        )
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A platform that most tests share, with a session for each role and one that has them all.
pub struct Shared {
    pub server: Server,
    pub sessions: Vec<(&'static str, Session)>,
    pub everyone: Session,
}

impl Shared {
    /// The session of a role.
    pub fn session(&self, role: &str) -> &Session {
        self.sessions.iter().find(|(name, _)| *name == role).map(|(_, session)| session).unwrap()
    }
}

/// The shared platform; started by whoever asks first.
pub async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    SHARED
        .get_or_init(|| async {
            let server = Server::start().await;
            let mut sessions = Vec::new();
            for role in ROLES {
                sessions.push((role, server.user(&[role]).await));
            }
            let everyone = server.user(&ROLES).await;
            Shared { server, sessions, everyone }
        })
        .await
}
