//! From the network to the scratch folder, chunk by chunk.

use std::path::PathBuf;

use actix_multipart::{Field, Multipart, MultipartError};
use futures::{StreamExt, TryStreamExt};
use tokio::io::AsyncWriteExt;

use super::{IntakeError, Limits, Scratch};

/// Bytes that a text field may have.
const TEXT_BYTES: usize = 4096;

/// What a request held.
#[derive(Debug)]
pub struct Received {
    /// The field `name`, if the client gave one.
    pub name: Option<String>,
    /// The parts called `files`, in their order.
    pub files: Vec<ReceivedFile>,
}

/// One part called `files`, on disk and not yet looked at.
#[derive(Debug)]
pub struct ReceivedFile {
    /// Its place: `files[3]`.
    pub label: String,
    /// Its bytes.
    pub path: PathBuf,
    /// How many they are.
    pub bytes: u64,
}

/// Streams a body into the scratch folder; never holds more than a chunk in memory.
///
/// # Errors
/// `TooLarge` as soon as a limit is passed, `Malformed` for a broken body or one without files.
pub async fn receive(
    body: &mut Multipart,
    scratch: &Scratch,
    limits: &Limits,
) -> Result<Received, IntakeError> {
    let mut received = Received { name: None, files: Vec::new() };
    let mut left = limits.request_bytes;
    while let Some(mut field) = body.try_next().await.map_err(malformed)? {
        match field.name() {
            Some("files") => {
                if received.files.len() == limits.files {
                    return Err(IntakeError::too_large(
                        "files",
                        format!("more than {} files in one upload", limits.files),
                    ));
                }
                let number = received.files.len();
                let file = receive_file(&mut field, number, scratch, limits, &mut left).await?;
                received.files.push(file);
            }
            Some("name") => received.name = Some(receive_text(&mut field).await?),
            _ => {
                return Err(IntakeError::malformed(
                    "body",
                    "an upload has the parts `files` and `name` and no others",
                ));
            }
        }
    }
    if received.files.is_empty() {
        return Err(IntakeError::malformed("files", "an upload needs at least one file"));
    }
    Ok(received)
}

/// Streams the parts of a `multipart/related` body into the scratch folder, as [`receive`] does the
/// files of a form.
///
/// # Errors
/// As [`receive`].
pub async fn receive_related(
    body: &mut Multipart,
    scratch: &Scratch,
    limits: &Limits,
) -> Result<Vec<ReceivedFile>, IntakeError> {
    let (mut files, mut left) = (Vec::new(), limits.request_bytes);
    while let Some(mut field) = body.try_next().await.map_err(malformed)? {
        let number = files.len();
        if number == limits.files {
            let cause = format!("more than {} parts in one request", limits.files);
            return Err(IntakeError::too_large("files", cause));
        }
        files.push(receive_file(&mut field, number, scratch, limits, &mut left).await?);
    }
    if files.is_empty() {
        return Err(IntakeError::malformed("body", "there is no part in it"));
    }
    Ok(files)
}

async fn receive_file(
    field: &mut Field,
    number: usize,
    scratch: &Scratch,
    limits: &Limits,
    left: &mut u64,
) -> Result<ReceivedFile, IntakeError> {
    let label = format!("files[{number}]");
    let path = scratch.file("part", number);
    let mut file = tokio::io::BufWriter::new(tokio::fs::File::create(&path).await?);
    let mut bytes = 0;
    while let Some(chunk) = field.next().await {
        let chunk = chunk.map_err(malformed)?;
        let length = chunk.len() as u64;
        *left = left.checked_sub(length).ok_or_else(|| {
            IntakeError::too_large(
                label.as_str(),
                format!("the upload is larger than {} bytes", limits.request_bytes),
            )
        })?;
        bytes += length;
        file.write_all(&chunk).await?;
    }
    file.flush().await?;
    Ok(ReceivedFile { label, path, bytes })
}

async fn receive_text(field: &mut Field) -> Result<String, IntakeError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.next().await {
        bytes.extend_from_slice(&chunk.map_err(malformed)?);
        if bytes.len() > TEXT_BYTES {
            return Err(IntakeError::too_large("name", format!("more than {TEXT_BYTES} bytes")));
        }
    }
    String::from_utf8(bytes).map_err(|_| IntakeError::malformed("name", "not UTF-8"))
}

/// The multipart parser's error as ours; its words are about the body's form alone.
#[expect(clippy::needless_pass_by_value, reason = "taken by map_err")]
fn malformed(error: MultipartError) -> IntakeError {
    let cause = match &error {
        MultipartError::ContentTypeMissing
        | MultipartError::ContentTypeParse
        | MultipartError::ContentTypeIncompatible => {
            "the Content-Type must be multipart/form-data with a boundary".to_owned()
        }
        MultipartError::Payload(_) | MultipartError::Incomplete => {
            "the body ended before its end".to_owned()
        }
        other => other.to_string(),
    };
    IntakeError::malformed("body", cause)
}
