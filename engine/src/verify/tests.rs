//! A file is known for what it is, and one that is not is not taken for it.
#![allow(clippy::unwrap_used)]

use image::ExtendedColorType;
use image::ImageEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;

use super::*;
use crate::dicom::{
    Provenance, SyntheticDescription, WatermarkUse, png_with_provenance, render_png,
    write_synthetic,
};
use crate::watermark::{SCHEME, embed};

/// Smooth shapes and some grain, 160 × 128.
fn frame() -> Frame {
    let value = |at: u32| {
        let (x, y) = (f64::from(at % 160) / 160.0, f64::from(at / 160) / 128.0);
        let grain = f64::from(at.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5;
        (0.5 + 0.3 * (5.0 * x).sin() * (4.0 * y).cos() + 0.04 * grain) as f32
    };
    Frame { width: 160, height: 128, pixels: (0..160 * 128).map(value).collect() }
}

fn description(key: Option<&Key>) -> SyntheticDescription {
    SyntheticDescription {
        prompt: "chest radiograph, normal".into(),
        provenance: Provenance {
            program: "Skiagraph".into(),
            model: "starter 0".into(),
            watermark: key
                .map(|key| WatermarkUse { scheme: SCHEME.into(), key: key.fingerprint() }),
            ..Provenance::default()
        },
        ..SyntheticDescription::default()
    }
}

fn judged(bytes: &[u8], means: &Means) -> (Report, Verdict) {
    let report = verify(bytes, means).unwrap();
    let verdict = report.verdict(false);
    (report, verdict)
}

fn jpeg(png: &[u8]) -> Vec<u8> {
    let image = image::load_from_memory(png).unwrap().into_luma8();
    let mut file = Vec::new();
    let (width, height) = image.dimensions();
    JpegEncoder::new_with_quality(&mut file, 80)
        .encode(&image, width, height, ExtendedColorType::L8)
        .unwrap();
    file
}

#[test]
fn a_marked_image_is_known_in_every_form() {
    let key = Key::public();
    let marked = embed(&frame(), &key).unwrap();
    let object = write_synthetic(&marked, &description(Some(&key))).unwrap();
    let png = png_with_provenance(&marked, &description(Some(&key))).unwrap();
    let means = Means::default();

    let (report, verdict) = judged(&object, &means);
    assert_eq!((report.format, verdict), (Format::Dicom, Verdict::Synthetic));
    assert!(report.said.synthetic_data && report.said.provenance.is_some());
    let equipment = report.said.equipment.unwrap();
    assert_eq!(equipment.manufacturer.as_deref(), Some("Skiagraph"));
    assert_eq!(equipment.model.as_deref(), Some("starter 0"));
    assert_eq!(report.credential, CredentialFinding::NotRead);
    let uid = crate::dicom::read(&object).unwrap().header.sop_instance_uid;
    assert_eq!(report.identity.sop_instance_uid, Some(uid));

    let (report, verdict) = judged(&png, &means);
    assert_eq!((report.format, verdict), (Format::Png, Verdict::Synthetic));
    assert!(report.said.source_type && report.said.provenance.is_some());
    assert_eq!(report.credential, CredentialFinding::Absent);

    // A JPEG says nothing any more, and bears the mark.
    let (report, verdict) = judged(&jpeg(&png), &means);
    assert_eq!((report.format, verdict), (Format::Jpeg, Verdict::Synthetic));
    assert!(!report.said.says_synthetic() && report.watermark.found);
}

#[test]
fn words_alone_are_words() {
    let plain = png_with_provenance(&frame(), &description(None)).unwrap();
    assert_eq!(judged(&plain, &Means::default()).1, Verdict::Declared);
    let object = write_synthetic(&frame(), &description(None)).unwrap();
    assert_eq!(judged(&object, &Means::default()).1, Verdict::Declared);
    assert_eq!(verify(&object, &Means::default()).unwrap().verdict(true), Verdict::Synthetic);
    // The words of one image on the pixels of another.
    let moved = png_with_provenance(&frame(), &description(Some(&Key::public()))).unwrap();
    assert_eq!(judged(&moved, &Means::default()).1, Verdict::Contradicted);
}

#[test]
fn a_radiograph_is_not_said_to_be_anything() {
    let png = render_png(&frame(), None).unwrap();
    for file in [png.clone(), jpeg(&png)] {
        let (report, verdict) = judged(&file, &Means::default());
        assert_eq!(verdict, Verdict::Unknown);
        assert!(!report.said.says_synthetic() && !report.watermark.found);
    }
}

#[test]
fn a_mark_is_found_by_who_has_its_key() {
    let key = Key::from_secret(b"the secret of another house").unwrap();
    let marked = embed(&frame(), &key).unwrap();
    let png = png_with_provenance(&marked, &description(Some(&key))).unwrap();
    // Whoever lacks the key cannot say that the mark is missing.
    let (report, verdict) = judged(&png, &Means::default());
    assert_eq!((report.watermark.found, verdict), (false, Verdict::Declared));
    let means = Means { keys: vec![key.clone()], anchors: None };
    let (report, verdict) = judged(&png, &means);
    assert_eq!((report.watermark.found, verdict), (true, Verdict::Synthetic));
    assert_eq!(report.watermark.key, key.fingerprint());
}

#[test]
fn a_credential_is_worth_what_its_signer_is() {
    use crate::credential::{Chain, CredentialState, Signer};

    let chain = Chain::new("Ward 7").unwrap();
    let signer = Signer::new(&chain.certificates, &chain.key).unwrap();
    let png = png_with_provenance(&frame(), &description(None)).unwrap();
    let signed = signer.sign_png(&png).unwrap();
    assert_eq!(judged(&signed, &Means::default()).1, Verdict::Declared);
    let trusting = Means { keys: Vec::new(), anchors: Some(chain.root) };
    let (report, verdict) = judged(&signed, &trusting);
    assert_eq!(verdict, Verdict::Synthetic);
    let CredentialFinding::Present(found) = report.credential else { unreachable!() };
    assert_eq!((found.state, found.signer.as_deref()), (CredentialState::Trusted, Some("Ward 7")));
    let place = signed.windows(6).position(|part| part == b"normal").unwrap();
    let mut changed = signed;
    changed[place] = b'N';
    assert_eq!(judged(&changed, &trusting).1, Verdict::Contradicted);
    let wrong = Means { keys: Vec::new(), anchors: Some("no certificate".into()) };
    assert!(matches!(verify(&png, &wrong), Err(VerifyError::Credential(_))));
}

/// The registry knows a file by its pixels, whatever was done to its words.
#[test]
fn pixels_are_the_same_however_they_are_written() {
    let png = png_with_provenance(&frame(), &description(None)).unwrap();
    let image = image::load_from_memory(&png).unwrap().into_luma8();
    let mut again = Vec::new();
    PngEncoder::new(&mut again)
        .write_image(&image, image.width(), image.height(), ExtendedColorType::L8)
        .unwrap();
    let (one, other) = (identify(&png).unwrap(), identify(&again).unwrap());
    assert_eq!(one.pixels_sha256, other.pixels_sha256);
    assert_ne!(one.file_sha256, other.file_sha256);
    let mut changed = image;
    changed.put_pixel(3, 4, image::Luma([changed.get_pixel(3, 4).0[0] ^ 1]));
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(&changed, changed.width(), changed.height(), ExtendedColorType::L8)
        .unwrap();
    assert_ne!(identify(&file).unwrap().pixels_sha256, one.pixels_sha256);
}

#[test]
fn what_is_no_image_is_refused_with_its_cause() {
    let refused = |bytes: &[u8]| verify(bytes, &Means::default()).unwrap_err().to_string();
    assert_eq!(refused(b""), "is empty");
    assert!(refused(b"a letter").contains("neither a DICOM object nor a PNG nor a JPEG"));
    let png = render_png(&frame(), None).unwrap();
    assert!(refused(&png[..png.len() / 2]).contains("damaged"));
    let object = write_synthetic(&frame(), &description(None)).unwrap();
    assert!(refused(&object[..object.len() / 2]).contains("truncated"));
}
