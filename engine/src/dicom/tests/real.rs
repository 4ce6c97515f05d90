//! Real objects, which are not part of the project: in `../shared/data` beside it, or in the folder that
//! `SKIAGRAPH_SHARED` names.

use std::path::{Path, PathBuf};

use crate::dicom::read_file;

/// Mean of the calibrated pixels, from pydicom 3.0 with pylibjpeg: `apply_modality_lut`, the window by
/// hand after PS3.3 C.11.2.1.2.1 (its robust range where there is none), MONOCHROME1 inverted.
const REAL: [(&str, u32, u32, f32); 6] = [
    ("chest_pa_8bit_jpeg_baseline", 1024, 1024, 0.6627),
    ("chest_pa_mono1_10bit_explicit", 440, 440, 0.5466),
    ("chest_pa_mono1_15bit_jpeg2000_lossy", 1841, 1955, 0.7536),
    ("extremity_ap_mono1_10bit_jpeg2000_lossless", 1760, 1760, 0.6961),
    ("extremity_ap_mono1_10bit_rle", 1760, 1760, 0.6961),
    ("thorax_lateral_animal_dx_8bit", 211, 169, 0.3497),
];

#[test]
fn real_objects_of_every_kind_are_read_as_pydicom_reads_them() {
    let shared = std::env::var_os("SKIAGRAPH_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let folder = shared.join("data/dicom");
    if !folder.is_dir() {
        println!("skipped: ../shared/data is absent");
        return;
    }
    for (name, width, height, expected) in REAL {
        let radiograph = read_file(&folder.join(format!("{name}.dcm"))).unwrap();
        let frame = radiograph.frame;
        assert_eq!((frame.width, frame.height), (width, height), "{name}");
        let sum: f64 = frame.pixels.iter().map(|pixel| f64::from(*pixel)).sum();
        let mean = sum / frame.pixels.len() as f64;
        assert!((mean - f64::from(expected)).abs() < 0.004, "{name}: {mean} is not {expected}");
        assert!(!radiograph.header.synthetic);
    }
}
