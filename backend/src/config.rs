//! How the platform is set up: defaults, then a file, then the environment, then flags.

mod exchange;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};
use skiagraph_engine::device::DeviceChoice;

pub use exchange::{
    ClientCertificate, Destination, DestinationTls, OWN_TITLE, ReceiverConfig, ReceiverTls,
};

/// Where the file is looked for when `SKIAGRAPH_CONFIG` names none.
const FILE: &str = "skiagraph.toml";

/// The settings. In the environment each is `SKIAGRAPH_` and its name in capitals; `DATABASE_URL`
/// and `OTEL_EXPORTER_OTLP_ENDPOINT` go by their customary names.
#[expect(clippy::struct_excessive_bools, reason = "settings stand side by side, as in their file")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the platform listens.
    pub bind: SocketAddr,
    /// Where everything lies that it keeps.
    pub data_dir: PathBuf,
    /// The database; a SQLite file in the data directory when there is none.
    pub database_url: Option<String>,
    /// Object storage, for example `s3://bucket/prefix`; a folder in the data directory when there
    /// is none.
    pub storage_url: Option<String>,
    /// Folder of the model bundle that generates.
    pub model: PathBuf,
    /// What computes generations and runs: `auto`, `cpu`, `cuda` or `cuda:N`.
    pub device: DeviceChoice,
    /// What is logged, in the form of `RUST_LOG`.
    pub log: String,
    /// Whether the log is JSON, a line an event.
    pub log_json: bool,
    /// Base URL of an OpenTelemetry collector; nothing is sent when there is none.
    pub otlp_endpoint: Option<String>,
    /// Seconds that an access token is good for.
    pub access_token_seconds: u32,
    /// Days that a session lasts without being used.
    pub session_days: u32,
    /// Whether the cookie is for HTTPS alone: true behind a TLS proxy.
    pub secure_cookies: bool,
    /// Whether `X-Forwarded-For` and `Forwarded` name the client: true behind a proxy of one's own,
    /// and never else, because anybody can send them.
    pub trust_proxy: bool,
    /// Logins that one address may try for one name at once …
    pub login_burst: u32,
    /// … and in a minute.
    pub login_per_minute: u32,
    /// Bytes that an upload may have.
    pub upload_bytes: u64,
    /// Seconds that requests have to end when the platform ends.
    pub shutdown_seconds: u64,
    /// Where clients find the platform, for example `https://images.example`: what DICOMweb's answers
    /// refer to. As the request says where it is absent.
    pub public_url: Option<String>,
    /// Origins of web viewers that may use DICOMweb from their own pages.
    pub dicomweb_origins: Vec<String>,
    /// Archives that images may be sent to, by name.
    pub destinations: BTreeMap<String, Destination>,
    /// Whoever may send radiographs by C-STORE; nobody where it is absent.
    pub receiver: Option<ReceiverConfig>,
    /// Whether the pixels of images get a mark by which they are known again.
    pub watermark: bool,
    /// A file with the secret that the mark is made with, in place of the key that everybody has.
    pub watermark_key: Option<PathBuf>,
    /// Whether PNGs get content credentials (C2PA).
    pub credentials: bool,
    /// Their certificate chain (PEM, the signer's first), in place of one that the platform makes …
    pub credential_certificate: Option<PathBuf>,
    /// … and its private key (PEM, PKCS #8).
    pub credential_key: Option<PathBuf>,
    /// Certificates (PEM) whose signers are trusted when files are verified, beside the platform's own.
    pub trusted_certificates: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: PathBuf::from("data"),
            database_url: None,
            storage_url: None,
            model: PathBuf::from("engine/starter"),
            device: DeviceChoice::Auto,
            log: "info,sqlx=warn,sea_orm_migration=warn,actix_server=warn,apalis_core=warn"
                .to_owned(),
            log_json: false,
            otlp_endpoint: None,
            access_token_seconds: 15 * 60,
            session_days: 7,
            secure_cookies: false,
            trust_proxy: false,
            login_burst: 10,
            login_per_minute: 10,
            upload_bytes: 2 << 30,
            shutdown_seconds: 20,
            public_url: None,
            dicomweb_origins: Vec::new(),
            destinations: BTreeMap::new(),
            receiver: None,
            watermark: true,
            watermark_key: None,
            credentials: true,
            credential_certificate: None,
            credential_key: None,
            trusted_certificates: None,
        }
    }
}

/// What flags say; nothing of what is `None`.
#[derive(Debug, Clone, Default, Serialize, clap::Args)]
pub struct Flags {
    /// Where everything lies that the platform keeps
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// The database; a SQLite file in the data directory when not given
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// Address and port to listen on
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<SocketAddr>,
    /// Folder of the model bundle that generates
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
}

impl Config {
    /// Puts the settings together.
    ///
    /// # Errors
    /// Names the setting, where it was set, and what is wrong with it.
    pub fn load(flags: &Flags) -> Result<Self, Box<figment::Error>> {
        let file = std::env::var("SKIAGRAPH_CONFIG").unwrap_or_else(|_| FILE.to_owned());
        Figment::from(Serialized::defaults(Self::default()))
            .merge(Toml::file(file))
            .merge(Env::prefixed("SKIAGRAPH_").ignore(&["config"]))
            .merge(Env::raw().only(&["database_url"]))
            .merge(
                Env::raw().only(&["otel_exporter_otlp_endpoint"]).map(|_| "otlp_endpoint".into()),
            )
            .merge(Serialized::defaults(flags))
            .extract()
            .map_err(Box::new)
    }

    /// The database's URL.
    pub fn database(&self) -> String {
        self.database_url.clone().unwrap_or_else(|| crate::database::sqlite_url(&self.data_dir))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::result_large_err)]

    use figment::Jail;

    use super::*;

    #[test]
    fn flags_go_before_the_environment_before_the_file_before_defaults() {
        Jail::expect_with(|jail| {
            assert_eq!(Config::load(&Flags::default()).unwrap(), Config::default());
            jail.create_file(FILE, "session_days = 3\nlogin_burst = 4\ndata_dir = \"file\"")?;
            jail.set_env("SKIAGRAPH_LOGIN_BURST", "5");
            jail.set_env("SKIAGRAPH_DATA_DIR", "environment");
            jail.set_env("SKIAGRAPH_DEVICE", "cuda:1");
            jail.set_env("DATABASE_URL", "postgres://there/skiagraph");
            let flags = Flags { data_dir: Some("flag".into()), ..Flags::default() };
            let config = Config::load(&flags).unwrap();
            assert_eq!(config.session_days, 3);
            assert_eq!(config.login_burst, 5);
            assert_eq!(config.data_dir, PathBuf::from("flag"));
            assert_eq!(config.device, DeviceChoice::Cuda(1));
            assert_eq!(config.database(), "postgres://there/skiagraph");
            Ok(())
        });
    }

    #[test]
    fn a_setting_that_nobody_reads_is_refused() {
        Jail::expect_with(|jail| {
            jail.set_env("SKIAGRAPH_LOGIN_BRUST", "5");
            let error = Config::load(&Flags::default()).unwrap_err();
            assert!(error.to_string().contains("login_brust"), "{error}");
            Ok(())
        });
    }

    #[test]
    fn a_device_of_no_kind_is_refused_by_name() {
        Jail::expect_with(|jail| {
            jail.set_env("SKIAGRAPH_DEVICE", "gpu");
            let error = Config::load(&Flags::default()).unwrap_err();
            assert!(error.to_string().contains("device"), "{error}");
            Ok(())
        });
    }

    #[test]
    fn an_archive_takes_nothing_synthetic_unless_it_is_said_to() {
        Jail::expect_with(|jail| {
            jail.create_file(
                FILE,
                "[destinations.research]\naddress = \"pacs:104\"\nae_title = \"RESEARCH\"\n\
                 accepts_synthetic = true\n[destinations.clinic]\naddress = \"clinic:104\"\n\
                 ae_title = \"CLINIC\"\n[receiver]\nbind = \"127.0.0.1:11112\"\n\
                 calling_ae_titles = [\"MODALITY\"]\nuser = \"erika\"",
            )?;
            let config = Config::load(&Flags::default()).unwrap();
            assert!(config.destinations["research"].peer().accepts_synthetic);
            assert!(!config.destinations["clinic"].peer().accepts_synthetic);
            let receiver = config.receiver.unwrap();
            assert_eq!((receiver.ae_title.as_str(), receiver.most_associations), ("SKIAGRAPH", 8));
            Ok(())
        });
    }
}
