use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::tags;
use skiagraph_compliance::deidentification::ProfileOption;

use super::super::lines::{Area, burned_in};
use super::planted::{deidentifier, encoded, object};
use super::writing::Picture;
use crate::dicom::{Deidentified, read};

const SIZE: (usize, usize) = (640, 560);

fn found(picture: &Picture) -> Vec<Area> {
    burned_in(&picture.values(12), picture.width, picture.height)
}

/// Whether a text of `letters` at a place is covered in whole.
fn covered(areas: &[Area], (left, top): (usize, usize), letters: usize, dot: usize) -> bool {
    let (right, bottom) = (left + (letters * 6 - 1) * dot, top + 7 * dot);
    areas.iter().any(|area| {
        area.left <= left && area.top <= top && area.right >= right && area.bottom >= bottom
    })
}

#[test]
fn text_is_found_in_every_size_polarity_and_place() {
    for dot in [1, 2, 3, 5, 8] {
        for (place, grey) in [
            ((8, 8), 1.0),
            ((8, SIZE.1 - 7 * dot - 6), 0.9),
            // On the lungs, bright; on the body, black.
            ((150, 240), 1.0),
            ((100, 480), 0.0),
        ] {
            for text in ["DOE JANE", "1962-03-14", "ID 5521"] {
                let letters = text.len();
                if place.0 + letters * 6 * dot > SIZE.0 {
                    continue;
                }
                let mut picture = Picture::chest(SIZE.0, SIZE.1);
                picture.write(text, place, dot, grey);
                let areas = found(&picture);
                assert!(
                    covered(&areas, place, letters, dot),
                    "{text} of {dot} at {place:?}: {areas:?}"
                );
                if dot > 5 {
                    continue;
                }
                let areas = found(&picture.turned());
                let area = |area: &Area| Area {
                    left: area.top,
                    top: area.left,
                    right: area.bottom,
                    bottom: area.right,
                };
                let areas: Vec<Area> = areas.iter().map(area).collect();
                assert!(
                    covered(&areas, place, letters, dot),
                    "{text} of {dot} at {place:?}, turned"
                );
            }
        }
    }
}

#[test]
fn softened_text_is_found() {
    for dot in [2, 3, 5] {
        let mut picture = Picture::chest(SIZE.0, SIZE.1);
        picture.write("DOE JANE", (10, 10), dot, 1.0);
        let areas = found(&picture.softened());
        assert!(covered(&areas, (10, 10), 8, dot), "{dot}: {areas:?}");
    }
}

#[test]
fn an_anatomy_without_text_is_left_alone() {
    assert_eq!(found(&Picture::chest(SIZE.0, SIZE.1)), []);
    assert_eq!(found(&Picture::chest(1200, 1000)), []);
    let flat = Picture { width: 64, height: 64, pixels: vec![0.5; 4096] };
    assert_eq!(found(&flat), []);
}

#[test]
fn the_side_marker_stays() {
    for marker in ["L", "R"] {
        for place in [(20, 20), (SIZE.0 - 80, 20)] {
            let mut picture = Picture::chest(SIZE.0, SIZE.1);
            picture.write(marker, place, 8, 1.0);
            assert_eq!(found(&picture), [], "{marker} at {place:?}");
            picture.write("DOE JANE 1962", (8, SIZE.1 - 30), 2, 1.0);
            let areas = found(&picture);
            assert!(covered(&areas, (8, SIZE.1 - 30), 13, 2));
            assert!(areas.iter().all(|area| area.top > 100), "{areas:?}");
        }
    }
}

pub(super) fn with_pixels(picture: &Picture) -> Vec<u8> {
    let mut set = object();
    for (tag, side) in [(tags::ROWS, picture.height), (tags::COLUMNS, picture.width)] {
        set.put(DataElement::new(tag, VR::US, PrimitiveValue::from(side as u16)));
    }
    let words: Vec<u16> = picture.values(12).iter().map(|value| *value as u16).collect();
    set.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(words.into())));
    encoded(set)
}

#[test]
fn stored_values_are_blanked_and_the_rest_stays() {
    let plain = Picture::chest(SIZE.0, SIZE.1);
    let mut written = plain.clone();
    written.write("DOE JANE 1962", (30, 40), 3, 1.0);
    let deidentifier = deidentifier(&[ProfileOption::CleanPixelData]);
    let done = deidentifier.deidentify(std::io::Cursor::new(with_pixels(&written))).unwrap();
    let Deidentified::Clean { bytes, report, .. } = done else { panic!("quarantined") };
    assert_eq!(report.regions.len(), 1);
    let region = report.regions[0];
    let (got, expected) =
        (read(&bytes).unwrap().frame, read(&with_pixels(&written)).unwrap().frame);
    for (at, (got, expected)) in got.pixels.iter().zip(&expected.pixels).enumerate() {
        let (column, row) = ((at % SIZE.0) as u32, (at / SIZE.0) as u32);
        let inside = (region.left..region.left + region.width).contains(&column)
            && (region.top..region.top + region.height).contains(&row);
        // The window is the pixels' own, and has moved by the text's share of them.
        assert!(inside || (got - expected).abs() < 0.05, "{column} {row}");
    }
    // The text and its values are gone: a blank is one value.
    let first = got.pixels[region.top as usize * SIZE.0 + region.left as usize];
    for row in region.top..region.top + region.height {
        let start = row as usize * SIZE.0 + region.left as usize;
        assert!(
            got.pixels[start..start + region.width as usize].iter().all(|pixel| *pixel == first)
        );
    }
    // Twice is once.
    let again = deidentifier.deidentify(std::io::Cursor::new(&bytes)).unwrap();
    let Deidentified::Clean { bytes: twice, .. } = again else { panic!("quarantined") };
    assert!(twice == bytes);
}

#[test]
fn a_picture_of_text_alone_is_quarantined() {
    let mut picture = Picture { width: 320, height: 200, pixels: vec![0.1; 64_000] };
    for line in 0..12 {
        picture.write("DOE JANE 1962 DOE JANE 1962", (4, 4 + 16 * line), 1, 1.0);
    }
    let deidentifier = deidentifier(&[ProfileOption::CleanPixelData]);
    let done = deidentifier.deidentify(std::io::Cursor::new(with_pixels(&picture))).unwrap();
    let Deidentified::Quarantined { reason, .. } = done else { panic!("it is clean") };
    assert!(reason.starts_with("PixelData (7FE0,0010)"), "{reason}");
}

/// What real radiographs cost: how much is taken for text where there is none, or a little.
#[test]
#[ignore = "a measurement on ../shared/data, or the folder that SKIAGRAPH_SHARED names"]
fn how_much_of_real_radiographs_is_blanked() {
    let shared = std::env::var_os("SKIAGRAPH_SHARED").map(std::path::PathBuf::from).unwrap();
    for folder in ["nih512/images", "kermany224/images"] {
        let mut paths: Vec<_> = std::fs::read_dir(shared.join("data").join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        let step = (paths.len() / 200).max(1);
        let (mut images, mut touched, mut share) = (0, 0, 0.0);
        for path in paths.iter().step_by(step) {
            let image = image::open(path).unwrap().into_luma8();
            let values: Vec<i32> = image.pixels().map(|pixel| i32::from(pixel.0[0])).collect();
            let (width, height) = (image.width() as usize, image.height() as usize);
            let areas = burned_in(&values, width, height);
            let blanked: usize =
                areas.iter().map(|area| (area.right - area.left) * (area.bottom - area.top)).sum();
            images += 1;
            touched += usize::from(!areas.is_empty());
            share += blanked as f64 / (width * height) as f64;
            if !areas.is_empty() {
                println!("{} {areas:?}", path.file_name().unwrap().display());
            }
        }
        println!(
            "{folder}: {touched} of {images} touched, {:.4} of the area",
            share / f64::from(images)
        );
    }
}
