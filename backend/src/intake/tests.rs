//! Hostile and honest uploads, made here byte by byte.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{Cursor, Write};

use actix_multipart::Multipart;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use bytes::Bytes;
use futures::stream;
use skiagraph_engine::dicom::{SyntheticDescription, write_synthetic};
use skiagraph_engine::quality::DoubtKind;
use tempfile::TempDir;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;
use crate::error::ApiError;
use crate::testing::{Place, frame, radiographs};

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A body as a browser sends it, in small chunks.
fn multipart(parts: &[(&str, &[u8])]) -> Multipart {
    let mut body = Vec::new();
    for (name, bytes) in parts {
        let file = if *name == "files" { "; filename=\"Doe^John.dcm\"" } else { "" };
        body.extend_from_slice(
            format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n")
                .as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--cut--\r\n");
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=cut"));
    let chunks: Vec<_> = body.chunks(1000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    Multipart::new(&headers, stream::iter(chunks))
}

struct Taken {
    _root: TempDir,
    _scratch: Scratch,
    checked: Vec<Checked>,
    name: Option<String>,
}

async fn take(parts: &[(&str, &[u8])], limits: &Limits) -> Result<Taken, IntakeError> {
    let root = tempfile::tempdir().unwrap();
    let scratch = Scratch::new(root.path()).unwrap();
    let received = receive(&mut multipart(parts), &scratch, limits).await?;
    let examiner = examiner(&[7; 32]).unwrap();
    let checked = check(&received.files, &scratch, limits, &examiner)?;
    Ok(Taken { _root: root, _scratch: scratch, checked, name: received.name })
}

/// Asserts that an upload is refused with one fault, at `field`, whose cause holds `cause`.
async fn refused(parts: &[(&str, &[u8])], limits: &Limits, field: &str, cause: &str) {
    match take(parts, limits).await {
        Err(IntakeError::Refused(faults)) => {
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert_eq!(faults[0].field, field);
            assert!(faults[0].cause.contains(cause), "{faults:?}");
            assert!(!faults[0].cause.contains("Doe"), "{faults:?}");
        }
        Err(error) => panic!("{error:?}"),
        Ok(taken) => panic!("{} files were taken", taken.checked.len()),
    }
}

#[actix_web::test]
async fn files_and_archives_are_taken_together() {
    let objects = radiographs(4);
    let archive = zip_of(&[
        ("folder/", b""),
        ("folder/IM0001", &objects[1]),
        ("folder/IM0002", &objects[2]),
        ("DICOMDIR", b"index"),
        ("__MACOSX/x", b"resource fork"),
    ]);
    let parts: [(&str, &[u8]); 4] = [
        ("name", b"First set"),
        ("files", &objects[0]),
        ("files", &archive),
        ("files", &objects[3]),
    ];
    let taken = take(&parts, &Limits::default()).await.unwrap();
    assert_eq!(taken.name.as_deref(), Some("First set"));
    assert_eq!(taken.checked.len(), 4);
    for (checked, object) in taken.checked.iter().zip(&objects) {
        let kept = fs::read(&checked.path).unwrap();
        assert_eq!(checked.bytes, kept.len() as u64);
        // The same picture, of somebody who is not named.
        let before = skiagraph_engine::dicom::read(object).unwrap();
        let after = skiagraph_engine::dicom::read(&kept).unwrap();
        assert_eq!(after.frame, before.frame);
        assert_ne!(after.header.patient_id, before.header.patient_id);
        assert_ne!(after.header.sop_instance_uid, before.header.sop_instance_uid);
        assert_eq!(after.header.findings, before.header.findings);
        assert_eq!(after.header.age_years, before.header.age_years);
        assert!(!checked.report.changes.is_empty());
        assert_eq!(checked.header.modality, "DX");
    }
}

/// The object with another Burned In Annotation (0028,0301), of four letters, than NO.
fn said_to_be_burned_in(object: &[u8]) -> Vec<u8> {
    let said = b"\x28\x00\x01\x03CS\x02\x00NO";
    let at = object.windows(said.len()).position(|window| window == said).unwrap();
    let mut changed = object[..at].to_vec();
    changed.extend(b"\x28\x00\x01\x03CS\x04\x00YES ");
    changed.extend(&object[at + said.len()..]);
    changed
}

#[actix_web::test]
async fn letters_that_were_said_to_be_there_and_not_found_are_doubted() {
    let object = radiographs(1).remove(0);
    let changed = said_to_be_burned_in(&object);
    let mut asked = Vec::new();
    for object in [&object, &changed] {
        let taken = take(&[("files", object)], &Limits::default()).await.unwrap();
        let checked = &taken.checked[0];
        assert!(checked.report.regions.is_empty());
        let kept = skiagraph_engine::dicom::inspect(&fs::read(&checked.path).unwrap()).unwrap();
        assert_eq!(kept.burned_in_annotation, Some(false));
        asked.push(checked.doubts.iter().any(|doubt| doubt.kind == DoubtKind::BurnedIn));
    }
    assert_eq!(asked, [false, true]);
}

#[actix_web::test]
async fn copies_are_kept_once() {
    let objects = radiographs(1);
    let archive = zip_of(&[("a", &objects[0]), ("b", &objects[0])]);
    let parts: [(&str, &[u8]); 2] = [("files", &objects[0]), ("files", &archive)];
    assert_eq!(take(&parts, &Limits::default()).await.unwrap().checked.len(), 1);
}

#[actix_web::test]
async fn one_bad_file_refuses_all() {
    let objects = radiographs(1);
    let limits = Limits::default();
    refused(&[("files", &objects[0]), ("files", b"text")], &limits, "files[1]", "neither").await;
    let half = &objects[0][..objects[0].len() / 2];
    refused(&[("files", &objects[0]), ("files", half)], &limits, "files[1]", "truncated").await;
    refused(&[("files", b"")], &limits, "files[0]", "neither").await;
    let archive = zip_of(&[("a", &objects[0]), ("b", b"text")]);
    refused(&[("files", &archive)], &limits, "files[0]/entry 1", "not a DICOM file").await;
    refused(&[("files", &zip_of(&[]))], &limits, "files", "no DICOM file").await;
}

#[actix_web::test]
async fn synthetic_images_and_colliding_instances_are_refused() {
    let limits = Limits::default();
    let synthetic = write_synthetic(&frame(1.0), &SyntheticDescription::default()).unwrap();
    refused(&[("files", &synthetic)], &limits, "files[0]", "(0008,001C)").await;

    let object = radiographs(1).remove(0);
    let mut other = object.clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    let parts: [(&str, &[u8]); 2] = [("files", &object), ("files", &other)];
    refused(&parts, &limits, "files[1]", "same SOP Instance UID as files[0]").await;
}

#[actix_web::test]
async fn names_that_leave_the_folder_are_refused() {
    let object = radiographs(1).remove(0);
    for (name, cause) in [
        ("../../etc/cron.d/x", "outside"),
        ("a/../../x", "outside"),
        ("/etc/passwd", "absolute"),
        ("C:/x", "absolute"),
        ("..\\x", "backslash"),
    ] {
        let archive = zip_of(&[(name, &object)]);
        refused(&[("files", &archive)], &Limits::default(), "files[0]/entry 0", cause).await;
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let archive = writer.finish().unwrap().into_inner();
    refused(&[("files", &archive)], &Limits::default(), "files[0]/entry 0", "symbolic link").await;
}

#[actix_web::test]
async fn archives_that_expand_without_end_are_refused() {
    let zeros = vec![0; 4 << 20];
    let archive = zip_of(&[("bomb", &zeros)]);
    refused(&[("files", &archive)], &Limits::default(), "files[0]/entry 0", "200 times").await;

    let limits = Limits { expanded_bytes: 50_000, ..Limits::default() };
    let noise: Vec<u8> = (0..40_000_u32).map(|index| ((index * index) >> 7) as u8).collect();
    let archive = zip_of(&[("a", &noise), ("b", &noise)]);
    match take(&[("files", &archive)], &limits).await {
        Err(IntakeError::Refused(faults)) => {
            assert_eq!(faults[1].field, "files[0]/entry 1");
            assert!(faults[1].cause.contains("50000 bytes"), "{faults:?}");
        }
        other => panic!("{:?}", other.map(|taken| taken.checked)),
    }

    let inner = zip_of(&[("bomb", &zeros)]);
    let archive = zip_of(&[("inner.zip", &inner)]);
    refused(&[("files", &archive)], &Limits::default(), "files[0]/entry 0", "ZIP inside").await;
}

#[actix_web::test]
async fn encrypted_and_damaged_archives_are_refused() {
    let object = radiographs(1).remove(0);
    let mut archive = zip_of(&[("a", &object)]);
    // Bit 0 of the general purpose flags says "encrypted" (APPNOTE 4.4.4), here and there.
    archive[6] |= 1;
    let central = archive.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    archive[central + 8] |= 1;
    refused(&[("files", &archive)], &Limits::default(), "files[0]/entry 0", "encrypted").await;

    let archive = zip_of(&[("a", &object)]);
    let cut = &archive[..archive.len() - 30];
    refused(&[("files", cut)], &Limits::default(), "files[0]", "damaged ZIP").await;
}

/// Asserts that an upload is too large at `field`.
async fn too_large(parts: &[(&str, &[u8])], limits: &Limits, field: &str) {
    match take(parts, limits).await {
        Err(IntakeError::TooLarge(fault)) => assert_eq!(fault.field, field),
        other => panic!("{:?}", other.map(|taken| taken.checked)),
    }
}

#[actix_web::test]
async fn limits_hold() {
    let objects = radiographs(2);
    let parts: [(&str, &[u8]); 2] = [("files", &objects[0]), ("files", &objects[1])];
    let length = objects[0].len() as u64;
    let limits = Limits::default();
    too_large(&parts, &Limits { request_bytes: length + 10, ..limits.clone() }, "files[1]").await;
    too_large(&parts, &Limits { file_bytes: length - 1, ..limits.clone() }, "files[0]").await;
    too_large(&parts, &Limits { files: 1, ..limits.clone() }, "files").await;
    let entries: Vec<(String, Vec<u8>)> =
        (0..40).map(|index| (index.to_string(), vec![index])).collect();
    let entries: Vec<(&str, &[u8])> =
        entries.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let archive = zip_of(&entries);
    too_large(&[("files", &archive)], &Limits { files: 20, ..limits.clone() }, "files[0]").await;
    too_large(&[("name", &[b'x'; 5000])], &limits, "name").await;
}

#[actix_web::test]
async fn bodies_that_are_no_upload_are_malformed() {
    let malformed = |result: Result<Taken, IntakeError>| match result {
        Err(IntakeError::Malformed(fault)) => fault.field,
        other => panic!("{:?}", other.map(|taken| taken.checked)),
    };
    let limits = Limits::default();
    assert_eq!(malformed(take(&[], &limits).await), "files");
    assert_eq!(malformed(take(&[("other", b"x")], &limits).await), "body");

    let root = tempfile::tempdir().unwrap();
    let scratch = Scratch::new(root.path()).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut body = Multipart::new(&headers, stream::iter([Ok(Bytes::from_static(b"{}"))]));
    let error = receive(&mut body, &scratch, &limits).await.unwrap_err();
    assert!(matches!(error, IntakeError::Malformed(fault) if fault.field == "body"));

    headers.insert(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=cut"));
    let start = b"--cut\r\nContent-Disposition: form-data; name=\"files\"\r\n\r\nDICM";
    let mut body = Multipart::new(&headers, stream::iter([Ok(Bytes::from_static(start))]));
    let error = receive(&mut body, &scratch, &limits).await.unwrap_err();
    assert!(matches!(error, IntakeError::Malformed(fault) if fault.field == "body"));
}

#[test]
fn what_a_killed_process_left_is_found_and_what_lives_is_not() {
    let root = tempfile::tempdir().unwrap();
    let living = Scratch::new(root.path()).unwrap();
    let dead = root.path().join("dead");
    fs::create_dir(&dead).unwrap();
    fs::write(dead.join("lock"), "").unwrap();
    fs::write(dead.join("objects.json"), r#"["radiographs/ab"]"#).unwrap();
    let mut abandoned = Scratch::abandoned(root.path()).unwrap();
    assert_eq!(abandoned.len(), 1);
    let abandoned = abandoned.remove(0);
    assert_eq!(abandoned.objects, ["radiographs/ab"]);
    abandoned.remove().unwrap();
    assert!(!dead.exists());
    let path = living.path().to_owned();
    assert!(path.exists());
    drop(living);
    assert!(!path.exists());
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_kept() {
    let place = Place::new().await;
    let scratch = Scratch::new(&place.folders.scratch()).unwrap();
    let bytes = radiographs(1).remove(0);
    let path = scratch.path().join("part");
    fs::write(&path, &bytes).unwrap();
    let file = ReceivedFile { label: String::new(), path, bytes: bytes.len() as u64 };
    let checked = [check_object(file, &Limits::default(), &examiner(&[7; 32]).unwrap()).unwrap()];
    let upload = NewUpload { id: "x", name: "set", created_by: "u", pseudonym_key: b"key" };
    let import = Import { upload, piece: None, by: None, checked: &checked };
    let janitor = Janitor::new(place.db.clone(), place.storage.clone());
    let key = format!("radiographs/{}/{}.dcm", &checked[0].sha256[..2], checked[0].sha256);
    // The objects lie there by the time that the records are asked for, and no longer.
    let change = async {
        assert!(place.storage.get(&key).await.is_ok());
        Err(ApiError::Unavailable("no records"))
    };
    assert!(import.keep(&janitor, &scratch, change).await.is_err());
    for key in [key.as_str(), "deidentification/x.json"] {
        assert!(place.storage.get(key).await.is_err(), "{key}");
    }
}

#[tokio::test]
async fn what_a_killed_upload_stored_is_removed_and_what_has_rows_stays() {
    let place = Place::new().await;
    place.upload(1).await;
    let all = crate::models::radiographs::Filter::default();
    let (rows, _) = crate::models::radiographs::list(&place.db, &all, 0, 10).await.unwrap();
    let kept = rows[0].object_key.clone();
    place.storage.put("radiographs/ff/gone.dcm", bytes::Bytes::from_static(b"x")).await.unwrap();
    let dead = place.folders.scratch().join("dead");
    fs::create_dir_all(&dead).unwrap();
    fs::write(dead.join("lock"), "").unwrap();
    let note = serde_json::to_vec(&["radiographs/ff/gone.dcm", &kept]).unwrap();
    fs::write(dead.join("objects.json"), note).unwrap();
    let janitor = Janitor::new(place.db.clone(), place.storage.clone());
    assert_eq!(janitor.sweep(&place.folders.scratch()).await.unwrap(), 1);
    assert!(place.storage.get("radiographs/ff/gone.dcm").await.is_err());
    assert!(place.storage.get(&kept).await.is_ok());
    let upload = rows[0].upload_id.clone();
    let report = place.storage.get(&format!("deidentification/{upload}.json")).await.unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["objects"][0]["sha256"], rows[0].sha256);
    assert_eq!(report["options"][0], "clean-pixel-data");
    assert!(!dead.exists());
}
