//! Pulling from a hub that speaks the protocol on this machine, and does not always keep its word.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::*;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";
const BIG: &str = "unet/diffusion_pytorch_model.safetensors";

/// A repository of one commit, on 127.0.0.1.
struct Hub {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// Answers that are cut off, each after so many bytes.
    cuts: Vec<usize>,
    /// Whether the hub sends parts of files.
    ranges: bool,
    /// What is sent in place of a file's content.
    lies: BTreeMap<String, Vec<u8>>,
    /// What was asked for, with the first byte.
    asked: Vec<(String, u64)>,
    /// The token that opens the repository.
    token: Option<String>,
}

impl Hub {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let files = [
            (
                "model_index.json".to_owned(),
                b"{\"_class_name\":\"StableDiffusionPipeline\"}".to_vec(),
            ),
            (BIG.to_owned(), (0..300_000u32).map(|n| (n % 251) as u8).collect()),
            ("unet/diffusion_pytorch_model.bin".to_owned(), b"pickle".to_vec()),
        ];
        let state = State { files: files.into(), ranges: true, ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that hangs up is no fault of the hub.
                let _ = answer(stream.unwrap(), &shared);
            }
        });
        Self { address, state }
    }

    fn client(&self) -> Client {
        Client::new(&self.address, None).unwrap()
    }

    fn commit(&self) -> Commit {
        self.client().commit("owner/model", "main").unwrap()
    }

    fn pull(&self, folder: &std::path::Path) -> Result<Pulled, HubError> {
        let wanted = |name: &str| !name.ends_with("model.bin");
        pull(&self.client(), &self.commit(), folder, &wanted, &mut |_, _| ())
    }

    /// The first bytes that were asked of the large file.
    fn asked_of_big(&self) -> Vec<u64> {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|(path, _)| path == BIG).map(|(_, from)| *from).collect()
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap()?;
    let path = request.split(' ').nth(1).unwrap().to_owned();
    let (mut from, mut token) = (0, None);
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
        token = token.or(line.strip_prefix("authorization: bearer ").map(str::to_owned));
    }
    let mut state = state.lock().unwrap();
    if state.token.is_some() && state.token != token {
        return write!(stream, "HTTP/1.1 401 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    if path == "/api/models/owner/model/revision/main?blobs=true" {
        let text = listing(&state.files);
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length";
        return write!(stream, "{head}: {}\r\n\r\n{text}", text.len());
    }
    let Some(path) = path.strip_prefix(&format!("/owner/model/resolve/{SHA}/")) else {
        let code = if path.starts_with("/api/models/owner/model/") {
            "RevisionNotFound"
        } else {
            "RepoNotFound"
        };
        let head = "HTTP/1.1 404 no\r\nContent-Length: 0\r\nConnection: close\r\nX-Error-Code";
        return write!(stream, "{head}: {code}\r\n\r\n");
    };
    state.asked.push((path.to_owned(), from));
    let content = state.lies.get(path).or_else(|| state.files.get(path)).unwrap().clone();
    let from = if state.ranges { from as usize } else { 0 };
    let status = if from > 0 { "206 part" } else { "200 OK" };
    let content = &content[from.min(content.len())..];
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    )?;
    let cut = if path == BIG { state.cuts.pop() } else { None };
    stream.write_all(&content[..cut.unwrap_or(content.len()).min(content.len())])
}

fn listing(files: &BTreeMap<String, Vec<u8>>) -> String {
    let siblings: Vec<_> = files
        .iter()
        .map(|(path, content)| {
            let blob = [format!("blob {}\0", content.len()).as_bytes(), content].concat();
            let mut sibling = serde_json::json!({
                "rfilename": path,
                "size": content.len(),
                "blobId": hex::encode(Sha1::digest(blob)),
            });
            if content.len() > 1000 {
                let hash = hex::encode(Sha256::digest(content));
                sibling["lfs"] = serde_json::json!({ "sha256": hash, "size": content.len() });
            }
            sibling
        })
        .collect();
    let card = serde_json::json!({ "license": "creativeml-openrail-m" });
    serde_json::json!({ "sha": SHA, "siblings": siblings, "cardData": card }).to_string()
}

#[test]
fn a_repository_comes_whole_with_its_commit() {
    let (hub, desk) = (Hub::start(), tempfile::tempdir().unwrap());
    let commit = hub.commit();
    assert_eq!((commit.sha.as_str(), commit.files.len()), (SHA, 3));
    assert_eq!(commit.licence.as_deref(), Some("creativeml-openrail-m"));
    let mut heard = Vec::new();
    let all = |_: &str| true;
    let pulled =
        pull(&hub.client(), &commit, desk.path(), &all, &mut |done, of| heard.push((done, of)));
    let pulled = pulled.unwrap();
    for (path, content) in &hub.state.lock().unwrap().files {
        assert_eq!(&std::fs::read(desk.path().join(path)).unwrap(), content, "{path}");
    }
    assert_eq!(heard.last(), Some(&(pulled.bytes, pulled.bytes)));
    assert!(heard.windows(2).all(|two| two[0].0 <= two[1].0), "{heard:?}");
}

#[test]
fn a_connection_that_is_cut_goes_on_where_it_was() {
    let (hub, desk) = (Hub::start(), tempfile::tempdir().unwrap());
    hub.state.lock().unwrap().cuts = vec![50_000, 100_000];
    hub.pull(desk.path()).unwrap();
    assert_eq!(hub.asked_of_big(), [0, 100_000, 150_000]);
    let content = std::fs::read(desk.path().join(BIG)).unwrap();
    assert_eq!(content, hub.state.lock().unwrap().files[BIG]);
    assert!(!desk.path().join(BIG).with_extension("safetensors.part").exists());

    // What is there is not asked for again.
    let pulled = hub.pull(desk.path()).unwrap();
    assert_eq!((hub.asked_of_big().len(), pulled.kept), (3, pulled.bytes));
}

#[test]
fn a_hub_that_fails_for_long_leaves_what_came_for_the_next_pull() {
    let (hub, desk) = (Hub::start(), tempfile::tempdir().unwrap());
    hub.state.lock().unwrap().cuts = vec![0, 0, 0, 0, 0, 70_000];
    let error = hub.pull(desk.path()).unwrap_err();
    assert!(matches!(error, HubError::Connection { .. }), "{error}");
    assert!(!desk.path().join(BIG).exists());
    hub.pull(desk.path()).unwrap();
    assert_eq!(hub.asked_of_big().last(), Some(&70_000));
    let content = std::fs::read(desk.path().join(BIG)).unwrap();
    assert_eq!(content, hub.state.lock().unwrap().files[BIG]);
}

#[test]
fn a_hub_that_sends_no_parts_sends_the_whole_again() {
    let (hub, desk) = (Hub::start(), tempfile::tempdir().unwrap());
    {
        let mut state = hub.state.lock().unwrap();
        (state.ranges, state.cuts) = (false, vec![1000]);
    }
    hub.pull(desk.path()).unwrap();
    let content = std::fs::read(desk.path().join(BIG)).unwrap();
    assert_eq!(content, hub.state.lock().unwrap().files[BIG]);
}

#[test]
fn content_that_is_not_what_the_hub_states_is_refused_and_removed() {
    for path in [BIG, "model_index.json"] {
        let (hub, desk) = (Hub::start(), tempfile::tempdir().unwrap());
        let mut other = hub.state.lock().unwrap().files[path].clone();
        *other.last_mut().unwrap() ^= 1;
        hub.state.lock().unwrap().lies.insert(path.to_owned(), other);
        let error = hub.pull(desk.path()).unwrap_err();
        assert!(matches!(&error, HubError::Hash { file, .. } if file == path), "{error}");
        let left = |ending: &str| desk.path().join(format!("{path}{ending}")).exists();
        assert!(!left("") && !left(".part"), "{path}");
    }
    // Longer than stated.
    let (hub, desk) = (Hub::start(), tempfile::tempdir().unwrap());
    hub.state.lock().unwrap().lies.insert(BIG.to_owned(), vec![7; 400_000]);
    let error = hub.pull(desk.path()).unwrap_err().to_string();
    assert!(error.contains("more than it states"), "{error}");
}

#[test]
fn what_is_not_there_is_told_apart() {
    let hub = Hub::start();
    let error = |repository: &str, revision: &str| {
        hub.client().commit(repository, revision).unwrap_err().to_string()
    };
    assert!(error("owner/model", "v9").contains("no such revision"));
    assert!(error("owner/other", "main").contains("no such repository"));
    hub.state.lock().unwrap().token = Some("secret".into());
    assert!(error("owner/model", "main").contains("HF_TOKEN"));
    let client = Client::new(&hub.address, Some("secret".into())).unwrap();
    assert_eq!(client.commit("owner/model", "main").unwrap().sha, SHA);
    // Nobody there.
    let client = Client::new("http://127.0.0.1:9", None).unwrap();
    assert!(matches!(client.commit("a/b", "main"), Err(HubError::Connection { .. })));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let hub = Hub::start();
    for (repository, revision) in
        [("../x", "main"), ("a/b/c", "main"), ("a/b?x", "main"), ("a/b", "../x")]
    {
        let error = hub.client().commit(repository, revision).unwrap_err();
        assert!(matches!(error, HubError::Invalid { .. }), "{repository} {revision}: {error}");
    }
    for endpoint in ["file:///etc", "no address", "ftp://host"] {
        assert!(Client::new(endpoint, None).is_err(), "{endpoint}");
    }
    hub.state.lock().unwrap().files.insert("../outside.json".into(), b"{}".to_vec());
    let error = hub.client().commit("owner/model", "main").unwrap_err().to_string();
    assert!(error.contains("no file's path"), "{error}");
}
