//! Judges from outside: dicom3tools' `dciodvfy` and dcmtk's `dcmdump`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::wrapping::Desk;
use super::writing::{description, gradient};
use crate::dicom::{SyntheticDescription, write_synthetic};

/// What a tool prints, or `None`, said aloud, where it is not installed.
fn output(tool: &str, arguments: &[&str], file: &Path) -> Option<String> {
    let Ok(output) = Command::new(tool).args(arguments).arg(file).output() else {
        println!("skipped: {tool} is not installed");
        return None;
    };
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Synthetic Data came with DICOM 2023c; the dictionary of Debian's dicom3tools, of 2022 and still of
/// January 2024, does not know its tag, and calls every even tag that it does not know an error.
const NEWER_THAN_THE_JUDGE: &str = "Error - Attribute with an even group number is not a recognized standard attribute - \
     (0x0008,0x001c)";

fn valid(file: &Path) {
    if let Some(said) = output("dciodvfy", &[], file) {
        assert!(said.contains("DXImageForPresentation"), "{said}");
        let errors: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("Error") && !line.starts_with(NEWER_THAN_THE_JUDGE))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn wrapped_objects_are_valid_and_not_synthetic() {
    let table = "file,findings,patient,age,sex,view,original_width,original_height\n\
        a.jpg,Effusion|Pleural_Thickening,17,58,M,PA,300,200\n\
        b.png,No Finding,18,7,F,LL,200,200\n\
        c.png,Pneumonia,19,,,,200,201\n";
    let desk = Desk::new(table, &["a.jpg", "b.png", "c.png"]);
    desk.wrap().unwrap();
    for name in ["a.dcm", "b.dcm", "c.dcm"] {
        let file = desk.out().join(name);
        valid(&file);
        if let Some(said) = output("dcmdump", &["+P", "0008,001c"], &file) {
            assert!(!said.contains("YES"), "{said}");
        }
    }
}

#[test]
fn synthetic_objects_are_valid_and_synthetic() {
    let folder = tempfile::tempdir().unwrap();
    let bare = SyntheticDescription::default();
    for (number, description) in [description(), bare].iter().enumerate() {
        let file = folder.path().join(format!("{number}.dcm"));
        fs::write(&file, write_synthetic(&gradient(31, 20), description).unwrap()).unwrap();
        valid(&file);
        if let Some(said) = output("dcmdump", &["+P", "0008,001c"], &file) {
            assert!(said.contains("CS [YES]"), "{said}");
        }
    }
}
