//! `skiagraph-engine verify` as a person calls it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::server::program;

fn engine(arguments: &[&str]) -> Output {
    Command::new(program("skiagraph-engine")).args(arguments).output().unwrap()
}

fn starter() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/starter")
}

#[test]
fn an_image_is_verified_by_who_has_its_key() {
    let desk = tempfile::tempdir().unwrap();
    let key = desk.path().join("watermark.key");
    std::fs::write(&key, [5; 32]).unwrap();
    let (key, model, out) = (key.to_str().unwrap(), starter(), desk.path().join("out"));
    let (model, out) = (model.to_str().unwrap(), out.to_str().unwrap());
    let made = engine(&[
        "generate",
        "--model",
        model,
        "--finding",
        "normal",
        "--steps",
        "2",
        "--seed",
        "3",
        "--watermark-key",
        key,
        "--out",
        out,
    ]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for (ending, format) in [("png", "png"), ("dcm", "dicom")] {
        let file = format!("{out}/0000000003.{ending}");
        let judged = |more: &[&str]| -> Value {
            let done = engine(&[&["--json", "verify", &file][..], more].concat());
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
            serde_json::from_slice(&done.stdout).unwrap()
        };
        let found = judged(&["--key", key]);
        assert_eq!((&found["event"], &found["format"]), (&"verified".into(), &format.into()));
        assert_eq!(found["verdict"], "synthetic", "{found}");
        assert_eq!(found["watermark"]["found"], true);
        assert_eq!(judged(&[])["verdict"], "declared");
        let words = engine(&["verify", &file, "--key", key]);
        let words = String::from_utf8(words.stdout).unwrap();
        assert!(words.contains("the image is synthetic"), "{words}");
        // The same again, with the key and not without it.
        let again = desk.path().join("again");
        let replay = |more: &[&str]| {
            let again = again.to_str().unwrap();
            engine(
                &[&["generate", "--model", model, "--replay", &file, "--out", again][..], more]
                    .concat(),
            )
        };
        assert!(replay(&["--watermark-key", key]).status.success());
        let first = std::fs::read(format!("{out}/0000000003.png")).unwrap();
        assert!(std::fs::read(again.join("0000000003.png")).unwrap() == first, "{ending}");
        let refused = replay(&[]);
        assert!(!refused.status.success());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("--watermark-key"));
    }
}

#[test]
fn what_cannot_be_verified_is_refused_by_its_cause() {
    let desk = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = desk.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (letter, empty, short) = (file("a", b"a letter"), file("b", b""), file("c", b"short"));
    let gone = desk.path().join("gone");
    let gone = gone.to_str().unwrap();
    for (arguments, words) in [
        (&[&letter[..]][..], &["neither a DICOM object"][..]),
        (&[&empty], &["is empty"]),
        (&[gone], &["gone"]),
        (&[&letter, "--key", &short], &["--key", "16"]),
        (&[&letter, "--trust", gone], &["--trust", "gone"]),
    ] {
        let done = engine(&[&["verify"][..], arguments].concat());
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success(), "{arguments:?}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
}
