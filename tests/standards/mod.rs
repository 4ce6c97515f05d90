//! Exports of the audit log, and what is signed, judged by tools that others keep: `judge.py` with lxml and fhir.resources,
//! `credentials.py` with c2pa.

mod credentials;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use skiagraph_compliance::audit::{
    Action, Event, Exporter, Form, GENESIS, Outcome, Signer, Source, hash,
};

/// Every action on every kind of object, with every outcome, with and without what may be absent.
fn log() -> Vec<Event> {
    let kinds = ["image", "user", "run", "audit_log", "endpoint", "platform"];
    let mut log: Vec<Event> = Vec::new();
    for action in Action::ALL {
        for (place, kind) in kinds.into_iter().enumerate() {
            let sequence = log.len() as i64 + 1;
            let mut event = Event {
                sequence,
                recorded_at: "2026-11-23T19:00:07.000000Z".to_owned(),
                actor_id: (place % 2 == 0).then(|| "0199aa00-0000-7000-8000-000000000001".into()),
                actor_name: ["clara", "", "system:serve", "<&\">\u{0}\n"][place % 4].to_owned(),
                actor_roles: ["clinician,auditor", ""][place % 2].to_owned(),
                action: action.word().to_owned(),
                object_type: kind.to_owned(),
                object_id: (place % 3 != 0).then(|| "0199aa00-0000-7000-8000-000000000002".into()),
                outcome: Outcome::ALL[if place < 3 { 0 } else { place % 3 }].word().to_owned(),
                detail: "{\"note\":\"<>&\"}".to_owned(),
                source_address: (place % 3 != 2).then(|| "192.0.2.7".to_owned()),
                previous_hash: log.last().map_or(GENESIS.to_owned(), |last| last.hash.clone()),
                hash: String::new(),
            };
            event.hash = hash(&event);
            log.push(event);
        }
    }
    log
}

/// The judges' Python, where `make test` could install it.
pub fn python() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../target"),
        PathBuf::from,
    );
    let python = target.join("standards/bin/python");
    if python.exists() && target.join("standards/installed").exists() {
        return Some(python);
    }
    println!("SKIPPED: the judges in Python are not installed (make standards)");
    None
}

#[test]
fn exports_are_valid_by_ps3_15_and_by_fhir() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = Source::of(&Signer::new(&[7; 32]).public_key());
    for form in Form::ALL {
        let exporter = Exporter::new(form, source.clone());
        let mut text = String::new();
        exporter.begin(&mut text).unwrap();
        for event in log() {
            exporter.event(&mut text, &event).unwrap();
        }
        exporter.end(&mut text).unwrap();
        let name = format!("{}.{}", form.word(), form.extension());
        fs::write(folder.path().join(name), text).unwrap();
    }
    let judge =
        Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("standards/judge.py");
    let output = Command::new(python).arg("-B").arg(judge).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("valid").count(), 3, "{said}");
}
