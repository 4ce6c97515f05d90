//! What a hub answers.

use std::io::Read;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{AUTHORIZATION, RANGE};
use serde::Deserialize;

use super::error::HubError;

/// Bytes of an answer in JSON, at most.
const LONGEST_ANSWER: u64 = 16 << 20;
/// How long a hub may say nothing.
const PATIENCE: Duration = Duration::from_mins(1);

/// A connection to a hub.
pub struct Client {
    endpoint: String,
    token: Option<String>,
    http: reqwest::blocking::Client,
}

/// A repository at a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The repository, `owner/name`.
    pub repository: String,
    /// The commit's hash.
    pub sha: String,
    /// The licence that the repository states.
    pub licence: Option<String>,
    /// Its files.
    pub files: Vec<RemoteFile>,
}

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path, of plain names.
    pub path: String,
    /// Its length in bytes, where the hub states it.
    pub size: Option<u64>,
    /// SHA-256 of a large file; git's SHA-1 of a small one, where the hub states it.
    pub hash: Option<RemoteHash>,
}

/// What a hub states of a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteHash {
    /// SHA-256 of the content, in hexadecimal (large files).
    Sha256(String),
    /// SHA-1 of git's blob, in hexadecimal (files that lie in git itself).
    GitBlob(String),
}

#[derive(Deserialize)]
struct Info {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
    #[serde(rename = "cardData", default)]
    card: Option<CardData>,
}

#[derive(Deserialize)]
struct CardData {
    #[serde(default)]
    license: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    blob_id: Option<String>,
    #[serde(default)]
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    #[serde(alias = "oid")]
    sha256: String,
    #[serde(default)]
    size: Option<u64>,
}

impl Client {
    /// A connection to the hub at `endpoint`, such as `https://huggingface.co` or a mirror of it. `token`
    /// opens repositories that are not open to everybody.
    ///
    /// # Errors
    /// Where the endpoint is no such address.
    pub fn new(endpoint: &str, token: Option<String>) -> Result<Self, HubError> {
        let invalid = |cause: String| HubError::Invalid { field: "endpoint", cause };
        let address = reqwest::Url::parse(endpoint).map_err(|cause| invalid(cause.to_string()))?;
        if !matches!(address.scheme(), "http" | "https") || address.host().is_none() {
            return Err(invalid("must be an address that begins with https://".into()));
        }
        let http = reqwest::blocking::Client::builder()
            .user_agent(concat!("skiagraph-engine/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(PATIENCE)
            // Of one read, not of a whole file.
            .timeout(PATIENCE)
            .build()
            .map_err(|cause| invalid(cause.to_string()))?;
        Ok(Self { endpoint: endpoint.trim_end_matches('/').to_owned(), token, http })
    }

    /// The commit that `revision` (a branch, a tag or a commit) of a repository is, and its files.
    ///
    /// # Errors
    /// Where there is no such repository or revision, it is not open to this token, or the hub answers in
    /// another form.
    pub fn commit(&self, repository: &str, revision: &str) -> Result<Commit, HubError> {
        check_name("repository", repository, 2)?;
        check_name("revision", revision, 8)?;
        let revision = revision.replace('/', "%2F");
        let address =
            format!("{}/api/models/{repository}/revision/{revision}?blobs=true", self.endpoint);
        let what = format!("{repository} at {revision}");
        let answer = self.ask(&address, 0, &what)?;
        let mut text = Vec::new();
        answer.take(LONGEST_ANSWER + 1).read_to_end(&mut text).map_err(|cause| {
            HubError::Connection { what: what.clone(), cause: cause.to_string() }
        })?;
        if text.len() as u64 > LONGEST_ANSWER {
            return Err(HubError::refused(what, "the hub's answer is too long"));
        }
        let info: Info = serde_json::from_slice(&text)
            .map_err(|cause| HubError::refused(&what, format!("the hub's answer: {cause}")))?;
        if !is_hash(&info.sha, 40) {
            return Err(HubError::refused(what, "the hub names no commit"));
        }
        let files = info.siblings.into_iter().map(file).collect::<Result<Vec<_>, _>>()?;
        let licence = info.card.and_then(|card| match card.license? {
            serde_json::Value::String(licence) => Some(licence),
            other => Some(other.get(0)?.as_str()?.to_owned()),
        });
        Ok(Commit { repository: repository.to_owned(), sha: info.sha, licence, files })
    }

    /// The content of a file of a commit, from byte `from` on.
    ///
    /// # Errors
    /// Where the hub does not give it.
    pub(super) fn open(
        &self,
        commit: &Commit,
        file: &RemoteFile,
        from: u64,
    ) -> Result<Response, HubError> {
        let address =
            format!("{}/{}/resolve/{}/{}", self.endpoint, commit.repository, commit.sha, file.path);
        self.ask(&address, from, &file.path)
    }

    fn ask(&self, address: &str, from: u64, what: &str) -> Result<Response, HubError> {
        let mut request = self.http.get(address);
        if let Some(token) = &self.token {
            // Taken away by the client where the hub sends it on to another host.
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let answer = request.send().map_err(|cause| HubError::Connection {
            what: what.to_owned(),
            cause: words(&cause),
        })?;
        let cause = match answer.status() {
            status if status.is_success() => return Ok(answer),
            StatusCode::NOT_FOUND => match reason(&answer) {
                Some("RevisionNotFound") => "there is no such revision",
                Some("EntryNotFound") => "there is no such file",
                _ => "there is no such repository or revision, or it is not open to everybody",
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "is not open to everybody: accept its licence on the hub, and set HF_TOKEN to a token \
                 that may read it; or there is no such repository"
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                let cause = format!("the hub answers {status}");
                return Err(HubError::Connection { what: what.to_owned(), cause });
            }
            status => return Err(HubError::refused(what, format!("the hub answers {status}"))),
        };
        Err(HubError::refused(what, cause))
    }
}

/// The hub's word for why it refuses.
fn reason(answer: &Response) -> Option<&str> {
    answer.headers().get("x-error-code")?.to_str().ok()
}

/// An error's causes, without the address, which may carry a signature.
fn words(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    if words.is_empty() { "the connection failed".into() } else { words.join(": ") }
}

fn file(sibling: Sibling) -> Result<RemoteFile, HubError> {
    let path = sibling.rfilename;
    let plain = |name: &str| !name.is_empty() && name != "." && name != ".." && is_plain(name);
    if path.split('/').count() > 8 || !path.split('/').all(plain) {
        return Err(HubError::refused("the hub's list of files", "names what is no file's path"));
    }
    let (size, hash) = match sibling.lfs {
        Some(lfs) if !is_hash(&lfs.sha256, 64) => {
            return Err(HubError::refused(path, "the hub states a hash that is none"));
        }
        Some(lfs) => (lfs.size.or(sibling.size), Some(RemoteHash::Sha256(lfs.sha256))),
        None => {
            let blob = sibling.blob_id.filter(|hash| is_hash(hash, 40));
            (sibling.size, blob.map(RemoteHash::GitBlob))
        }
    };
    Ok(RemoteFile { path, size, hash })
}

fn is_hash(text: &str, length: usize) -> bool {
    text.len() == length
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Whether a name means itself on every file system and in every address.
fn is_plain(name: &str) -> bool {
    name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-+=@ ,()".contains(letter))
}

/// Fails where `name` is not of up to `most` plain names with a stroke between them.
fn check_name(field: &'static str, name: &str, most: usize) -> Result<(), HubError> {
    let parts: Vec<&str> = name.split('/').collect();
    let sound = |part: &&str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
    };
    if name.len() <= 200 && parts.len() <= most && parts.iter().all(sound) {
        return Ok(());
    }
    Err(HubError::Invalid { field, cause: "is no such name, as owner/name has".into() })
}
