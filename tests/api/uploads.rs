//! `/uploads`: what must not come in, and that a refusal leaves nothing behind.

use std::io::{Cursor, Read, Write};
use std::net::TcpStream;

use futures::StreamExt;
use reqwest::{Body, Method, Response};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::harness::objects::objects;
use crate::harness::problem::names_field;
use crate::harness::store::footprint;
use crate::harness::{Server, Session};

type File = (String, Vec<u8>);

fn named(name: &str, bytes: &[u8]) -> File {
    (name.to_owned(), bytes.to_vec())
}

fn good() -> File {
    objects().swap_remove(0)
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A DICOM object whose pixel data element is cut away.
fn without_pixels() -> Vec<u8> {
    let bytes = good().1;
    // (7FE0,0010) OW, little endian explicit.
    let at = bytes.windows(4).rposition(|four| four == [0xe0, 0x7f, 0x10, 0x00]).unwrap();
    bytes[..at].to_vec()
}

/// Bytes that unpack to a quarter of a gigabyte of nothing.
fn bomb() -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("a.dcm", SimpleFileOptions::default()).unwrap();
    let nothing = vec![0_u8; 1 << 20];
    for _ in 0..256 {
        archive.write_all(&nothing).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

struct Door {
    server: Server,
    engineer: Session,
}

impl Door {
    async fn open() -> Self {
        let server = Server::start().await;
        let engineer = server.user(&["ml_engineer"]).await;
        Self { server, engineer }
    }

    /// Refused by this field, and everything behind the API is as it was.
    async fn check(&self, what: &str, files: Vec<File>, field: &str) {
        let before = footprint(&self.server.data).await;
        let answer = self.engineer.upload(files).await;
        let document = names_field(answer, &[400, 413, 422], field).await;
        assert!(!document.to_string().contains("secret-name"), "{what}: a file's name is repeated");
        assert_eq!(footprint(&self.server.data).await, before, "{what} left something behind");
    }
}

#[tokio::test]
async fn what_must_not_come_in() {
    let door = Door::open().await;
    let (whole, plain) = (good().1, b"This is a letter.".as_slice());
    door.check("no DICOM", vec![named("secret-name.dcm", plain)], "files[0]").await;
    door.check("an empty file", vec![named("secret-name.dcm", b"")], "files[0]").await;
    door.check(
        "one bad file of three",
        vec![good(), named("secret-name.dcm", plain), objects().swap_remove(1)],
        "files[1]",
    )
    .await;
    door.check("no pixels", vec![named("secret-name.dcm", &without_pixels())], "files[0]").await;
    door.check(
        "cut in its pixels",
        vec![named("secret-name.dcm", &whole[..whole.len() - 1000])],
        "files[0]",
    )
    .await;
    door.check("cut in its header", vec![named("secret-name.dcm", &whole[..400])], "files[0]")
        .await;

    let zip = |entries: &[(&str, &[u8])]| vec![named("secret-name.zip", &archive(entries))];
    door.check("a way out of the folder", zip(&[("../../escaped.dcm", &whole)]), "files[0]").await;
    door.check("a way out from the root", zip(&[("/tmp/escaped.dcm", &whole)]), "files[0]").await;
    door.check("a way out by backslash", zip(&[("..\\..\\escaped.dcm", &whole)]), "files[0]").await;
    door.check("a ZIP in a ZIP", zip(&[("inner.zip", &archive(&[("a.dcm", &whole)]))]), "files[0]")
        .await;
    door.check(
        "a ZIP with a letter in it",
        zip(&[("a.dcm", &whole), ("secret-name", plain)]),
        "files[0]",
    )
    .await;
    let full = archive(&[("a.dcm", &whole)]);
    door.check("half a ZIP", vec![named("secret-name.zip", &full[..full.len() / 2])], "files[0]")
        .await;
    door.check("a ZIP without end", vec![named("secret-name.zip", &bomb())], "files[0]").await;
    assert!(!std::path::Path::new("/tmp/escaped.dcm").exists());

    // What was refused above comes in once it is whole.
    let upload = door.engineer.uploaded(zip(&[("folder/a.dcm", &whole)])).await;
    let (_, record) = door.engineer.get(&format!("/uploads/{upload}")).await;
    assert_eq!(record["radiograph_count"], 1, "{record}");
}

#[tokio::test]
async fn a_form_that_is_none() {
    let door = Door::open().await;
    let before = footprint(&door.server.data).await;
    let post = || door.engineer.request(Method::POST, "/uploads");
    let refused = |answer: Response| async move {
        let status = answer.status().as_u16();
        assert!((400..500).contains(&status), "{status}");
        crate::harness::problem::problem(answer, status).await;
    };
    refused(post().json(&serde_json::json!({ "files": [] })).send().await.unwrap()).await;
    refused(
        post()
            .body("--x\r\n")
            .header("content-type", "multipart/form-data; boundary=x")
            .send()
            .await
            .unwrap(),
    )
    .await;
    refused(post().body("").header("content-type", "multipart/form-data").send().await.unwrap())
        .await;
    refused(door.engineer.upload(Vec::new()).await).await;
    assert_eq!(footprint(&door.server.data).await, before);
}

/// A length that is only claimed is refused before anything is sent.
#[tokio::test]
async fn two_gigabytes_that_are_announced() {
    let door = Door::open().await;
    let address = door.server.address.trim_start_matches("http://").to_owned();
    let token = door.engineer.access_token.clone();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        write!(
            stream,
            "POST /api/v1/uploads HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {}\r\n\r\n",
            3_u64 << 30
        )
        .unwrap();
        let mut answer = [0_u8; 4096];
        let length = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    })
    .await
    .unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
}

/// A body without a length is cut off where the limit is passed, and nothing of it stays.
#[tokio::test]
async fn two_gigabytes_that_just_come() {
    let door = Door::open().await;
    let before = footprint(&door.server.data).await;
    let opening =
        "--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.dcm\"\r\n\r\n";
    let nothing: &'static [u8] = Box::leak(vec![0_u8; 1 << 20].into_boxed_slice());
    let chunks = futures::stream::iter(
        std::iter::once(opening.as_bytes()).chain(std::iter::repeat_n(nothing, 2049)),
    );
    let request = door
        .engineer
        .request(Method::POST, "/uploads")
        .header("content-type", "multipart/form-data; boundary=x")
        .body(Body::wrap_stream(chunks.map(Ok::<_, std::io::Error>)));
    // The server may close the line while the rest is still on its way.
    if let Ok(answer) = request.send().await {
        names_field(answer, &[413], "files[0]").await;
    }
    let health = reqwest::get(format!("{}/healthz", door.server.address)).await.unwrap();
    assert_eq!(health.status().as_u16(), 200);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(footprint(&door.server.data).await, before);
}

#[tokio::test]
async fn what_looks_odd_waits_for_a_person() {
    let door = Door::open().await;
    let engineer = &door.engineer;
    let answer = engineer.upload(objects()).await;
    let (status, upload) = crate::harness::session::read(answer).await;
    assert_eq!(status, 201, "{upload}");
    let id = upload["id"].as_str().unwrap();
    // Drawn radiographs look like no chest.
    let pending = upload["pending_count"].as_u64().unwrap();
    assert!(pending > 2, "{upload}");
    let (_, listed) = engineer
        .get(&format!("/radiographs?upload_id={id}&check_state=pending&page_size=100"))
        .await;
    assert_eq!(listed["total"], pending, "{listed}");
    let odd = &listed["items"][0];
    assert!(!odd["doubts"][0]["cause"].as_str().unwrap().is_empty(), "{odd}");

    let set = serde_json::json!({
        "name": "Odd", "upload_ids": [id], "validation_fraction": 0.25, "seed": 1,
        "licence": "CC0-1.0", "attribution": "Drawn by a test",
    });
    let answer = engineer.request(Method::POST, "/datasets").json(&set).send().await.unwrap();
    let document = names_field(answer, &[409], "upload_ids[0]").await;
    assert!(document.to_string().contains("wait for a decision"), "{document}");

    let one = format!("/radiographs/{}/decision", odd["id"].as_str().unwrap());
    let word = |word: &str| serde_json::json!({ "decision": word });
    let answer = engineer.request(Method::POST, &one).json(&word("perhaps")).send().await.unwrap();
    names_field(answer, &[422], "decision").await;
    let (status, decided) = engineer.post(&one, &word("exclude")).await;
    assert_eq!((status, decided["check_state"].as_str()), (200, Some("excluded")), "{decided}");
    assert_eq!(decided["decided_by"], upload["created_by"], "{decided}");
    let rest = format!("/uploads/{id}/decisions");
    let (status, decided) = engineer.post(&rest, &word("accept")).await;
    assert_eq!((status, decided["count"].as_u64()), (200, Some(pending - 1)), "{decided}");
    let (_, record) = engineer.get(&format!("/uploads/{id}")).await;
    assert_eq!(record["pending_count"], 0, "{record}");

    // What was left out is in no data set.
    let set = engineer.dataset(id).await;
    let (_, samples) = engineer.get(&format!("/datasets/{set}/samples?page_size=100")).await;
    assert_eq!(samples["total"], record["radiograph_count"].as_u64().unwrap() - 1, "{samples}");
}
