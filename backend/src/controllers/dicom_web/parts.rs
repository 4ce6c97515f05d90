//! Answers of several parts (RFC 2387, PS3.18 8.6.1.2): each is made when it is sent, so that a study
//! fits in memory whatever its size.

use actix_web::HttpResponse;
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use futures::stream::{self, StreamExt};
use uuid::Uuid;

use crate::error::ApiError;

/// One part.
pub(super) struct Part {
    /// Its media type, with parameters.
    pub(super) content_type: String,
    /// Its own address.
    pub(super) location: String,
    /// What is in it.
    pub(super) bytes: Bytes,
}

/// Makes a part.
pub(super) type Making = LocalBoxFuture<'static, Result<Part, ApiError>>;

/// The parts as one answer of `multipart/related`. The first is made before the answer begins, so that
/// what fails at once is told as a problem.
pub(super) async fn related(
    kind: &str,
    parts: impl Iterator<Item = Making> + 'static,
) -> Result<HttpResponse, ApiError> {
    let boundary = Uuid::new_v4().simple().to_string();
    let mut parts = parts;
    let first = match parts.next() {
        Some(making) => Some(Ok(making.await?)),
        None => None,
    };
    let rest = stream::iter(parts).then(|making| making);
    let content_type = format!("multipart/related; type=\"{kind}\"; boundary={boundary}");
    let (delimiter, end) = (boundary.clone(), format!("--{boundary}--\r\n"));
    let body = stream::iter(first)
        .chain(rest)
        .map(move |part| {
            let part = part?;
            let head = format!(
                "--{delimiter}\r\nContent-Type: {}\r\nContent-Location: {}\r\n\
                 Content-Length: {}\r\n\r\n",
                part.content_type,
                part.location,
                part.bytes.len()
            );
            Ok::<_, ApiError>([Bytes::from(head), part.bytes, Bytes::from_static(b"\r\n")])
        })
        .flat_map(|part| {
            let pieces = match part {
                Ok(pieces) => Vec::from(pieces.map(Ok)),
                Err(error) => vec![Err(error)],
            };
            stream::iter(pieces)
        })
        .chain(stream::iter([Ok(Bytes::from(end))]));
    Ok(HttpResponse::Ok().content_type(content_type).streaming(body))
}
