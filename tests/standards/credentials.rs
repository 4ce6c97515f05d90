//! What this engine signs, judged by the C2PA's own library for Python: `credentials.py`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use skiagraph_engine::credential::{Chain, PROVENANCE_LABEL, Signer};
use skiagraph_engine::dicom::{Frame, Provenance, SyntheticDescription, png_with_provenance};

use super::python;

/// A PNG that says how it was made.
fn png() -> Vec<u8> {
    let pixels = (0..64 * 48).map(|at| (at % 64) as f32 / 64.0).collect();
    let description = SyntheticDescription {
        prompt: "chest radiograph, normal".into(),
        provenance: Provenance { model: "starter 0".into(), seed: 7, ..Provenance::default() },
        ..SyntheticDescription::default()
    };
    png_with_provenance(&Frame { width: 64, height: 48, pixels }, &description).unwrap()
}

#[test]
fn c2pa_reads_what_was_signed() {
    let Some(python) = python() else { return };
    let there = Command::new(&python).args(["-c", "import c2pa"]).output().unwrap();
    if !there.status.success() {
        println!("SKIPPED: c2pa-python is not installed (make standards)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::new("Ward 7").unwrap();
    let signed = Signer::new(&chain.certificates, &chain.key).unwrap().sign_png(&png()).unwrap();
    let mut changed = signed.clone();
    let at = signed.windows(6).position(|part| part == b"normal").unwrap();
    // Of the prompt, as an assertion tells it.
    changed[at] = b'N';
    fs::write(folder.path().join("signed.png"), signed).unwrap();
    fs::write(folder.path().join("changed.png"), changed).unwrap();
    fs::write(folder.path().join("plain.png"), png()).unwrap();
    fs::write(folder.path().join("root.pem"), &chain.root).unwrap();
    let judge = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
        .join("standards/credentials.py");
    let output = Command::new(python).arg("-B").arg(judge).arg(folder.path()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();

    let state = |name: &str| &said[name]["state"];
    assert_eq!(state("trusted"), "Trusted", "{said}");
    assert_eq!(said["trusted"]["failures"], json!([]), "{said}");
    assert_eq!(state("unknown"), "Valid", "{said}");
    assert_eq!(said["unknown"]["failures"], json!(["signingCredential.untrusted"]), "{said}");
    assert_eq!(state("changed"), "Invalid", "{said}");
    assert_eq!(said["changed"]["failures"], json!(["assertion.hashedURI.mismatch"]), "{said}");
    assert_eq!(state("plain"), &Value::Null, "{said}");

    let manifest = &said["trusted"]["manifest"];
    assert_eq!(manifest["signature_info"]["issuer"], "Ward 7", "{manifest}");
    assert_eq!(manifest["claim_generator_info"][0]["name"], "Skiagraph");
    let assertions = manifest["assertions"].as_array().unwrap();
    let of = |label: &str| {
        let named = |one: &&Value| one["label"].as_str().unwrap().starts_with(label);
        &assertions.iter().find(named).unwrap()["data"]
    };
    let action = &of("c2pa.actions")["actions"][0];
    assert_eq!(action["action"], "c2pa.created");
    let source = action["digitalSourceType"].as_str().unwrap();
    assert!(source.ends_with("/trainedAlgorithmicMedia"), "{source}");
    assert_eq!(of(PROVENANCE_LABEL)["provenance"]["seed"], 7);
}
