//! STOW-RS as a client (PS3.18 10.5): objects by HTTPS to the Studies Service of an archive.
//!
//! Each object is a request of its own: what became of it is known at once, one that the archive finds
//! too large takes no other with it, and no more than one is in memory twice.

use std::error::Error;
use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, StatusCode};
use skiagraph_engine::device::CancelToken;
use skiagraph_engine::dicom::exchange::{self, ExchangeError, Outcome, Status};
use url::Url;
use uuid::Uuid;

use super::archive::ArchiveError;
use super::response::{self, Said};

/// Media type of DICOM JSON (PS3.18 annex F).
const DICOM_JSON: &str = "application/dicom+json";
/// Bytes of a response, at most: it is about one object.
const LONGEST_ANSWER: u64 = 1 << 20;
/// Bytes a second below which a line counts as dead, 2 Mbit/s.
const SLOWEST: u64 = 256 << 10;

/// A DICOMweb archive.
#[derive(Debug, Clone)]
pub struct WebPeer {
    /// The service: `/studies` of it is where objects go.
    pub service: Url,
    /// Certificates of whoever may vouch for it, in PEM; those of this machine where there are none.
    pub authorities: Option<String>,
    /// What opens it.
    pub credential: Credential,
    /// How long to wait for it, each time.
    pub timeout: Duration,
    /// Whether synthetic objects may be sent there.
    pub accepts_synthetic: bool,
}

/// What opens an archive.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing: it is open to whoever reaches it.
    None,
    /// A token (RFC 6750).
    Bearer(String),
    /// Name and password (RFC 7617).
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for Credential {
    /// Which it is, and nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer",
            Self::Basic { .. } => "Basic",
        })
    }
}

impl WebPeer {
    /// Host and port, for errors.
    fn name(&self) -> String {
        let host = self.service.host_str().unwrap_or_default();
        let port = self.service.port_or_known_default().unwrap_or_default();
        format!("{host}:{port}")
    }

    fn studies(&self) -> String {
        format!("{}/studies", self.service.as_str().trim_end_matches('/'))
    }

    fn failed(&self, cause: impl Into<String>) -> ArchiveError {
        ArchiveError::Web { peer: self.name(), cause: cause.into() }
    }

    fn client(&self) -> Result<Client, ArchiveError> {
        let mut builder = Client::builder()
            .user_agent(concat!("skiagraph/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.timeout)
            // Neither an image nor what opens the archive goes to whom no administrator has named.
            .redirect(Policy::none());
        if let Some(authorities) = &self.authorities {
            let read = Certificate::from_pem_bundle(authorities.as_bytes());
            let unusable = |_| self.failed("its authorities cannot be read as certificates (PEM)");
            builder = builder.tls_certs_only(read.map_err(unusable)?);
        }
        builder.build().map_err(|error| self.failed(words(error)))
    }

    fn request(&self, request: RequestBuilder, wait: Duration) -> Result<Response, ArchiveError> {
        let request = request.header(ACCEPT, DICOM_JSON).timeout(wait);
        let request = match &self.credential {
            Credential::None => request,
            Credential::Bearer(token) => request.bearer_auth(token),
            Credential::Basic { username, password } => {
                request.basic_auth(username, Some(password))
            }
        };
        request.send().map_err(|error| self.failed(words(error)))
    }
}

/// Asks for one study (QIDO-RS, PS3.18 10.6): whether the service is there and lets this platform in.
/// The answer may be of a patient and is dropped unread.
pub(super) fn echo(peer: &WebPeer) -> Result<(), ArchiveError> {
    let request = peer.client()?.get(format!("{}?limit=1", peer.studies()));
    let status = peer.request(request, peer.timeout)?.status();
    if status.is_success() { Ok(()) } else { Err(peer.failed(refusal(status))) }
}

/// See [`super::Archive::send`].
pub(super) fn send(
    peer: &WebPeer,
    count: usize,
    read: &mut dyn FnMut(usize) -> io::Result<Vec<u8>>,
    told: &mut dyn FnMut(usize, &Outcome),
    cancel: &CancelToken,
) -> Result<(), ArchiveError> {
    let mut instances = Vec::with_capacity(count);
    for index in 0..count {
        let bytes = read(index).map_err(ExchangeError::Io)?;
        let identity = exchange::admit(index + 1, &bytes, &peer.name(), peer.accepts_synthetic)?;
        instances.push(identity.instance);
    }
    let client = peer.client()?;
    for (index, sop_instance_uid) in instances.into_iter().enumerate() {
        if cancel.is_cancelled() {
            return Err(ExchangeError::Cancelled.into());
        }
        let object = read(index).map_err(ExchangeError::Io)?;
        let status = store(peer, &client, &object)?;
        told(index, &Outcome { sop_instance_uid, status });
    }
    Ok(())
}

/// Sends one object. What the archive says of it is the inner result; what keeps it from taking any is
/// the outer one.
fn store(
    peer: &WebPeer,
    client: &Client,
    object: &[u8],
) -> Result<Result<Status, String>, ArchiveError> {
    let boundary = format!("skiagraph-{}", Uuid::new_v4().simple());
    let kind = format!("multipart/related; type=\"application/dicom\"; boundary={boundary}");
    let wait = peer.timeout + Duration::from_secs(object.len() as u64 / SLOWEST);
    let request =
        client.post(peer.studies()).header(CONTENT_TYPE, kind).body(related(&boundary, object));
    let answer = peer.request(request, wait)?;
    let status = answer.status();
    let mut body = Vec::new();
    let read = answer.take(LONGEST_ANSWER + 1).read_to_end(&mut body);
    read.map_err(|_| peer.failed("the connection broke before the whole answer was there"))?;
    if body.len() as u64 > LONGEST_ANSWER {
        return Err(peer.failed("its answer is too long"));
    }
    match status {
        StatusCode::OK | StatusCode::ACCEPTED | StatusCode::CONFLICT => Ok(outcome(status, &body)),
        StatusCode::BAD_REQUEST
        | StatusCode::NOT_ACCEPTABLE
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => Ok(Err(refusal(status))),
        other => Err(peer.failed(refusal(other))),
    }
}

/// One part of the media type of DICOM files (PS3.18 8.7.3, RFC 2387).
fn related(boundary: &str, object: &[u8]) -> Vec<u8> {
    let head = format!("--{boundary}\r\nContent-Type: application/dicom\r\n\r\n");
    let tail = format!("\r\n--{boundary}--\r\n");
    [head.as_bytes(), object, tail.as_bytes()].concat()
}

/// What an answer with one of the statuses of PS3.18 table 10.5.3-1 says of the one object.
fn outcome(status: StatusCode, body: &[u8]) -> Result<Status, String> {
    match response::read(body) {
        Said::Failed(reason) => Ok(reason),
        Said::Kept(warning) => Ok(warning),
        // 200 is for “all are kept”; some archives say no more, and some change the UIDs.
        Said::Nothing if status == StatusCode::OK => Ok(Status::SUCCESS),
        Said::Nothing => Err(refusal(status)),
        Said::Unreadable => Err("its answer is no DICOM JSON".to_owned()),
    }
}

/// What a status says to whoever has to do something about it.
fn refusal(status: StatusCode) -> String {
    let words = match status.as_u16() {
        202 | 409 => "it does not say what became of the object",
        300..=399 => "it leads to another address, which is not followed",
        400 | 422 => "it cannot read the request",
        401 => "it does not accept the token or password",
        403 => "the token or password does not allow this",
        404 => "there is no DICOMweb service at this address",
        406 => "it does not answer in DICOM JSON",
        413 => "the object is too large for it",
        415 => "it takes no DICOM objects",
        429 | 503 => "it is busy now",
        500..=599 => "it failed",
        _ => "it answered what nobody expects",
    };
    format!("{words} (HTTP {})", status.as_u16())
}

/// An error's innermost cause, without the address.
fn words(error: reqwest::Error) -> String {
    let timed_out = error.is_timeout();
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if timed_out { "it does not answer in time".to_owned() } else { cause.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_body_is_that_of_the_standard() {
        let expected = b"--b\r\nContent-Type: application/dicom\r\n\r\nDICM\r\n--b--\r\n";
        assert_eq!(related("b", b"DICM"), expected);
    }

    #[test]
    fn an_answer_counts_by_its_status_where_it_says_nothing() {
        let of = |status: u16, body: &str| {
            outcome(StatusCode::from_u16(status).unwrap(), body.as_bytes())
        };
        assert_eq!(of(200, ""), Ok(Status::SUCCESS));
        assert!(of(202, "").is_err() && of(409, "{}").is_err());
        assert!(of(200, "<NativeDicomModel/>").unwrap_err().contains("DICOM JSON"));
        let failed =
            r#"{"00081198":{"vr":"SQ","Value":[{"00081197":{"vr":"US","Value":[49152]}}]}}"#;
        // Whatever the status: an archive has been seen to say 200 of what it did not keep.
        for status in [200, 202, 409] {
            assert_eq!(of(status, failed), Ok(Status::CANNOT_UNDERSTAND));
        }
    }

    #[test]
    fn nothing_that_opens_an_archive_is_shown() {
        let basic =
            Credential::Basic { username: "erika".to_owned(), password: "a lamp".to_owned() };
        for credential in [Credential::Bearer("a lamp".to_owned()), basic] {
            let shown = format!("{credential:?}");
            assert!(!shown.contains("lamp") && !shown.contains("erika"), "{shown}");
        }
    }
}
