//! Radiographs that no patient has: drawn here, wrapped by the engine's program.

use std::fmt::Write;
use std::process::Command;
use std::sync::OnceLock;

use image::{GrayImage, Luma};

use super::server::program;

/// Patients drawn, each with two images.
pub const PATIENTS: usize = 8;
/// A name that must never show in a log.
pub const PLANTED: &str = "Zacharias-Winterbottom";

/// The DICOM objects, with their file names.
pub fn objects() -> Vec<(String, Vec<u8>)> {
    static OBJECTS: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    OBJECTS.get_or_init(draw).clone()
}

fn draw() -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    std::fs::create_dir(&images).unwrap();
    let mut table = "file,patient,findings,age,sex,view\n".to_owned();
    for number in 0..PATIENTS * 2 {
        let patient = number / 2;
        let (finding, sex) = if patient % 2 == 0 { ("normal", "F") } else { ("pneumonia", "M") };
        writeln!(table, "{number}.png,{PLANTED}-{patient},{finding},{},{sex},PA", 20 + patient)
            .unwrap();
        picture(number).save(images.join(format!("{number}.png"))).unwrap();
    }
    let labels = folder.path().join("labels.csv");
    std::fs::write(&labels, table).unwrap();
    let out = folder.path().join("out");
    let done = Command::new(program("skiagraph-engine"))
        .args(["dicom", "wrap", "--images"])
        .arg(&images)
        .arg("--labels")
        .arg(&labels)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut objects: Vec<_> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    objects.sort();
    assert_eq!(objects.len(), PATIENTS * 2);
    objects
}

/// Two dark lungs in a grey chest; each number has its own.
fn picture(number: usize) -> GrayImage {
    let shift = number as f32;
    GrayImage::from_fn(96, 80, |x, y| {
        let lung = |centre: f32| {
            let (dx, dy) = ((x as f32 - centre) / 16.0, (y as f32 - 38.0 - shift / 4.0) / 28.0);
            dx * dx + dy * dy < 1.0
        };
        let dark = lung(28.0 + shift / 3.0) || lung(68.0);
        let rib = if (y + number as u32) % 9 < 3 { 30 } else { 0 };
        Luma([if dark { 40 + rib } else { 150 + rib + (x % 7) as u8 }])
    })
}
