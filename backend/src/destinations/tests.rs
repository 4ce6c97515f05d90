//! The client of STOW-RS over real sockets: what it sends, and what it makes of answers.

#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::time::Duration;

use skiagraph_engine::device::CancelToken;
use skiagraph_engine::dicom::exchange::{ExchangeError, Outcome, Status};
use skiagraph_engine::dicom::{Frame, SyntheticDescription, write_synthetic};
use url::Url;

use super::*;
use crate::testing::WebArchive;

const KEPT: &str =
    r#"{"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.2.3"]}}]}}"#;

fn peer(archive: &WebArchive, credential: Credential) -> WebPeer {
    WebPeer {
        service: Url::parse(&format!("http://{}/dicom-web", archive.address)).unwrap(),
        authorities: None,
        credential,
        timeout: Duration::from_secs(10),
        accepts_synthetic: true,
    }
}

fn objects(count: usize) -> Vec<Vec<u8>> {
    let one = |shade: usize| {
        let frame = Frame { width: 4, height: 4, pixels: vec![shade as f32 / 10.0; 16] };
        write_synthetic(&frame, &SyntheticDescription::default()).unwrap()
    };
    (0..count).map(one).collect()
}

/// Sends objects; returns what became of each, and of all of it.
fn send(peer: &WebPeer, objects: &[Vec<u8>]) -> (Vec<Outcome>, Result<(), ArchiveError>) {
    let mut told = Vec::new();
    let sent = Archive::Web(peer.clone()).send(
        objects.len(),
        &mut |index| Ok(objects[index].clone()),
        &mut |index, outcome| {
            assert_eq!(index, told.len());
            told.push(outcome.clone());
        },
        &CancelToken::new(),
    );
    (told, sent)
}

#[test]
fn each_object_goes_as_it_is_and_its_answer_is_read() {
    let failed = r#"{"00081198":{"vr":"SQ","Value":[{"00081197":{"vr":"US","Value":[42752]}}]}}"#;
    let answers = vec![
        ("200 OK", KEPT),
        ("409 Conflict", failed),
        ("413 Payload Too Large", ""),
        ("200 OK", ""),
    ];
    let archive = WebArchive::open(answers);
    let peer = peer(&archive, Credential::Bearer("token-1".to_owned()));
    let objects = objects(4);
    let (told, sent) = send(&peer, &objects);
    sent.unwrap();
    let statuses: Vec<_> = told.iter().map(|outcome| outcome.status.clone()).collect();
    let too_large = Err("the object is too large for it (HTTP 413)".to_owned());
    assert_eq!(
        statuses,
        [Ok(Status::SUCCESS), Ok(Status::OUT_OF_RESOURCES), too_large, Ok(Status::SUCCESS)]
    );
    for (request, object) in archive.asked().iter().zip(&objects) {
        assert_eq!(request.line, "POST /dicom-web/studies HTTP/1.1");
        assert_eq!(request.header("authorization"), Some("Bearer token-1"));
        assert_eq!(request.header("accept"), Some("application/dicom+json"));
        let kind = request.header("content-type").unwrap();
        let before = "multipart/related; type=\"application/dicom\"; boundary=";
        let boundary = kind.strip_prefix(before).unwrap();
        let head = format!("--{boundary}\r\nContent-Type: application/dicom\r\n\r\n");
        let tail = format!("\r\n--{boundary}--\r\n");
        let expected = [head.as_bytes(), object, tail.as_bytes()].concat();
        assert!(request.body == expected, "not the object as it is");
    }
}

#[test]
fn what_is_no_matter_of_the_object_ends_all_and_says_what_to_do() {
    for (status, words) in [
        ("401 Unauthorized", "does not accept the token or password"),
        ("403 Forbidden", "does not allow this"),
        ("404 Not Found", "no DICOMweb service"),
        ("307 Temporary Redirect", "is not followed"),
        ("503 Service Unavailable", "busy"),
        ("500 Internal Server Error", "it failed"),
    ] {
        let login = || Credential::Basic { username: "u".to_owned(), password: "p".to_owned() };
        let archive = WebArchive::open(vec![(status, "")]);
        let (told, sent) = send(&peer(&archive, login()), &objects(2));
        let said = sent.unwrap_err().to_string();
        assert!(told.is_empty() && said.contains(words), "{said}");
        let asked = archive.asked();
        // RFC 7617: `u:p` in base 64.
        assert_eq!(asked[0].header("authorization"), Some("Basic dTpw"));

        let archive = WebArchive::open(vec![(status, "")]);
        let said = Archive::Web(peer(&archive, login())).echo().unwrap_err().to_string();
        assert!(said.contains(words) && !said.contains("/dicom-web"), "{said}");
        assert_eq!(archive.asked()[0].line, "GET /dicom-web/studies?limit=1 HTTP/1.1");
    }
}

#[test]
fn an_archive_that_answers_a_search_is_there() {
    for status in ["200 OK", "204 No Content"] {
        let archive = WebArchive::open(vec![(status, "")]);
        Archive::Web(peer(&archive, Credential::None)).echo().unwrap();
        assert_eq!(archive.asked()[0].header("authorization"), None);
    }
}

#[test]
fn nothing_synthetic_goes_to_an_archive_that_is_not_marked_for_it() {
    let archive = WebArchive::open(Vec::new());
    let peer = WebPeer { accepts_synthetic: false, ..peer(&archive, Credential::None) };
    let (told, sent) = send(&peer, &objects(1));
    let synthetic = ExchangeError::Synthetic { number: 1, peer: String::new() };
    let refused = ArchiveError::Dicom(synthetic);
    assert_eq!(std::mem::discriminant(&sent.unwrap_err()), std::mem::discriminant(&refused));
    assert!(told.is_empty() && archive.asked().is_empty());
}

#[test]
fn where_nobody_listens_the_error_says_so_and_names_the_peer() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let service = Url::parse(&format!("http://{address}/secret-path")).unwrap();
    let peer = WebPeer { service, ..peer(&WebArchive::open(Vec::new()), Credential::None) };
    let said = Archive::Web(peer).echo().unwrap_err().to_string();
    assert!(said.starts_with(&address.to_string()) && !said.contains("secret-path"), "{said}");
}
