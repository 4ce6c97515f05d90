use std::io::Cursor;
use std::path::{Path, PathBuf};

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::tags;
use skiagraph_compliance::deidentification::ProfileOption as P;

use super::burned::with_pixels;
use super::planted::{deidentifier, encoded, object};
use super::writing::Picture;
use crate::dicom::{
    Deidentified, Frame, Shown, SyntheticDescription, TransferSyntax, WriteOptions, read,
    write_synthetic_as,
};

/// Asserts that the clean object is what it is otherwise, and shows what reading it shows.
fn shows_what_reading_shows(bytes: &[u8], what: &str) {
    for options in [&[][..], &[P::CleanPixelData], &[P::CleanDescriptors, P::RetainModifiedDates]] {
        let deidentifier = deidentifier(options);
        let shown = deidentifier.deidentify_and_read(Cursor::new(bytes)).unwrap();
        let Shown::Clean { bytes: clean, radiograph, .. } = shown else {
            panic!("{what}: quarantined")
        };
        let Deidentified::Clean { bytes: expected, .. } =
            deidentifier.deidentify(Cursor::new(bytes)).unwrap()
        else {
            panic!("{what}: quarantined")
        };
        assert!(clean == expected, "{what} {options:?}");
        let expected = read(&expected).unwrap();
        assert_eq!(radiograph.header, expected.header, "{what} {options:?}");
        assert!(radiograph.frame == expected.frame, "{what} {options:?}");
    }
}

#[test]
fn what_comes_out_shows_what_reading_it_shows() {
    shows_what_reading_shows(&encoded(object()), "the planted one");
    let mut written = Picture::chest(640, 560);
    shows_what_reading_shows(&with_pixels(&written), "a picture");
    written.write("DOE JANE 1962", (30, 40), 3, 1.0);
    shows_what_reading_shows(&with_pixels(&written), "with text");
    // Bits beside the value, which do not come out.
    let mut dirty = object();
    let words = (0..48 * 64_u16).map(|at| 0xC003 | (at << 2)).collect();
    dirty.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(words)));
    dirty.put(DataElement::new(tags::HIGH_BIT, VR::US, PrimitiveValue::from(13_u16)));
    shows_what_reading_shows(&encoded(dirty), "bits beside the value");
    let frame = Frame { width: 640, height: 560, pixels: Picture::chest(640, 560).pixels };
    for transfer_syntax in TransferSyntax::ALL {
        let options = WriteOptions { transfer_syntax, ..WriteOptions::default() };
        let bytes = write_synthetic_as(&frame, &SyntheticDescription::default(), options).unwrap();
        shows_what_reading_shows(&bytes, transfer_syntax.name());
    }
}

#[test]
fn real_objects_show_what_reading_them_shows() {
    let shared = std::env::var_os("SKIAGRAPH_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let folder = shared.join("data/dicom");
    if !folder.is_dir() {
        println!("skipped: ../shared/data is absent");
        return;
    }
    for name in [
        "chest_pa_8bit_jpeg_baseline",
        "chest_pa_mono1_10bit_explicit",
        "chest_pa_mono1_15bit_jpeg2000_lossy",
        "extremity_ap_mono1_10bit_rle",
    ] {
        let bytes = std::fs::read(folder.join(format!("{name}.dcm"))).unwrap();
        shows_what_reading_shows(&bytes, name);
    }
}

#[test]
fn of_several_frames_none_is_chosen() {
    let mut set = object();
    let pixels = set.element(tags::PIXEL_DATA).unwrap().to_bytes().unwrap().repeat(2);
    let words = pixels.chunks_exact(2).map(|word| u16::from_le_bytes([word[0], word[1]])).collect();
    set.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(words)));
    set.put(DataElement::new(tags::NUMBER_OF_FRAMES, VR::IS, PrimitiveValue::from("2")));
    let bytes = encoded(set);
    let deidentifier = deidentifier(&[P::CleanPixelData]);
    assert!(deidentifier.deidentify(Cursor::new(&bytes)).is_ok());
    let error = deidentifier.deidentify_and_read(Cursor::new(&bytes)).unwrap_err().to_string();
    assert!(error.contains("(0028,0008)"), "{error}");
}
