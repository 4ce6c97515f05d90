//! Files of a repository, received and held against their hashes.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::client::{Client, Commit, RemoteFile, RemoteHash};
use super::error::HubError;

/// Times that a file is asked for again after its connection failed without bringing anything.
const MOST_FAILURES: u32 = 5;

/// What a pull brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Pulled {
    /// Paths of the files, as the repository has them.
    pub files: Vec<String>,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Bytes that were there from an earlier pull.
    pub kept: u64,
}

/// Receives the files of `commit` that `wanted` chooses into `folder`, each under its path there. What an
/// earlier pull of the same commit left is kept: whole files, and the beginning of one.
///
/// A file has its name when its hash was found right; until then it has `.part` behind it. `on_progress`
/// hears of the bytes received so far, and of all.
///
/// # Errors
/// Where the hub does not give a file, the connection fails five times without a byte between, or a hash is
/// wrong: the file is removed then.
pub fn pull(
    client: &Client,
    commit: &Commit,
    folder: &Path,
    wanted: &dyn Fn(&str) -> bool,
    on_progress: &mut dyn FnMut(u64, u64),
) -> Result<Pulled, HubError> {
    let files: Vec<&RemoteFile> = commit.files.iter().filter(|file| wanted(&file.path)).collect();
    if files.is_empty() {
        return Err(HubError::refused(&commit.repository, "has no file that a model is made of"));
    }
    let total = files.iter().filter_map(|file| file.size).sum();
    let mut pulled = Pulled { files: Vec::new(), bytes: 0, kept: 0 };
    for file in files {
        let path = folder.join(&file.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(HubError::file(parent))?;
        }
        let before = pulled.bytes;
        if path.exists() {
            // It has its name since its hash was right.
            pulled.kept += length(&path);
        } else {
            let kept = receive(client, commit, file, &path, &mut |done| {
                on_progress(before + done, total);
            })?;
            pulled.kept += kept;
        }
        pulled.bytes = before + length(&path);
        on_progress(pulled.bytes, total);
        pulled.files.push(file.path.clone());
    }
    Ok(pulled)
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |data| data.len())
}

/// Receives one file; returns the bytes that were there.
fn receive(
    client: &Client,
    commit: &Commit,
    file: &RemoteFile,
    path: &Path,
    on_progress: &mut dyn FnMut(u64),
) -> Result<u64, HubError> {
    let part = part_of(path);
    let kept = length(&part);
    let mut failures = 0;
    loop {
        let before = length(&part);
        if file.size.is_some_and(|size| before >= size) && before > 0 {
            break;
        }
        match stretch(client, commit, file, &part, on_progress) {
            Ok(()) => {
                if file.size.is_none_or(|size| length(&part) >= size) {
                    break;
                }
            }
            Err(error @ HubError::Connection { .. }) => {
                failures = if length(&part) > before { 0 } else { failures + 1 };
                if failures >= MOST_FAILURES {
                    return Err(error);
                }
                std::thread::sleep(Duration::from_millis(200 << failures));
                continue;
            }
            Err(error) => return Err(error),
        }
        // An answer that ends early, and no error: ask for the rest.
        failures = if length(&part) > before { 0 } else { failures + 1 };
        if failures >= MOST_FAILURES {
            let cause = "the hub sends less than it states".into();
            return Err(HubError::Connection { what: file.path.clone(), cause });
        }
    }
    if let Err(error) = check(file, &part) {
        std::fs::remove_file(&part).map_err(HubError::file(&part))?;
        return Err(error);
    }
    File::open(&part).and_then(|file| file.sync_all()).map_err(HubError::file(&part))?;
    std::fs::rename(&part, path).map_err(HubError::file(path))?;
    Ok(kept)
}

/// The name of a file that is not whole.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Receives what one connection brings, behind what is there.
fn stretch(
    client: &Client,
    commit: &Commit,
    file: &RemoteFile,
    part: &Path,
    on_progress: &mut dyn FnMut(u64),
) -> Result<(), HubError> {
    let mut done = length(part);
    let mut answer = client.open(commit, file, done)?;
    let mut out = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(part)
        .map_err(HubError::file(part))?;
    if answer.status() != StatusCode::PARTIAL_CONTENT {
        // The hub does not send parts: from the beginning.
        done = 0;
        out.set_len(0).map_err(HubError::file(part))?;
    }
    out.seek(SeekFrom::Start(done)).map_err(HubError::file(part))?;
    let mut bytes = vec![0; 1 << 17];
    loop {
        let count = answer.read(&mut bytes).map_err(|cause| HubError::Connection {
            what: file.path.clone(),
            cause: cause.to_string(),
        })?;
        if count == 0 {
            return Ok(());
        }
        done += count as u64;
        if file.size.is_some_and(|size| done > size) {
            drop(out);
            std::fs::remove_file(part).map_err(HubError::file(part))?;
            return Err(HubError::refused(&file.path, "the hub sends more than it states"));
        }
        out.write_all(&bytes[..count]).map_err(HubError::file(part))?;
        on_progress(done);
    }
}

/// Holds a received file against what the hub states of it.
fn check(file: &RemoteFile, path: &Path) -> Result<(), HubError> {
    let fault = || HubError::file(path);
    let mut content = File::open(path).map_err(fault())?;
    let size = content.metadata().map_err(fault())?.len();
    if let Some(stated) = file.size.filter(|stated| *stated != size) {
        let cause = format!("has {size} bytes, and the hub states {stated}");
        return Err(HubError::refused(&file.path, cause));
    }
    let (found, stated) = match &file.hash {
        // A hub that states nothing is taken at its word.
        None => return Ok(()),
        Some(RemoteHash::Sha256(stated)) => {
            let mut hash = Sha256::new();
            feed(&mut content, &mut |bytes| hash.update(bytes)).map_err(fault())?;
            (hex::encode(hash.finalize()), stated)
        }
        Some(RemoteHash::GitBlob(stated)) => {
            // git hashes its word for the kind and the length before the content.
            let mut hash = Sha1::new();
            hash.update(format!("blob {size}\0"));
            feed(&mut content, &mut |bytes| hash.update(bytes)).map_err(fault())?;
            (hex::encode(hash.finalize()), stated)
        }
    };
    if found == *stated {
        return Ok(());
    }
    Err(HubError::Hash { file: file.path.clone(), found, stated: stated.clone() })
}

fn feed(content: &mut File, take: &mut dyn FnMut(&[u8])) -> std::io::Result<()> {
    let mut bytes = vec![0; 1 << 20];
    loop {
        match content.read(&mut bytes)? {
            0 => return Ok(()),
            count => take(&bytes[..count]),
        }
    }
}
