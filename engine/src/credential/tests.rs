//! What was signed is known again, and what was changed since is told.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::dicom::{
    Frame, Provenance, SyntheticDescription, png_with_provenance, read_provenance, render_png,
};

fn frame() -> Frame {
    let pixels = (0..40 * 30).map(|at| (at % 40) as f32 / 40.0).collect();
    Frame { width: 40, height: 30, pixels }
}

fn png() -> Vec<u8> {
    let description = SyntheticDescription {
        prompt: "chest radiograph, normal".into(),
        provenance: Provenance { model: "starter 0".into(), seed: 7, ..Provenance::default() },
        ..SyntheticDescription::default()
    };
    png_with_provenance(&frame(), &description).unwrap()
}

/// A PNG whose XMP packet holds `attribute`.
fn with_packet(attribute: &str) -> Vec<u8> {
    let packet = format!(
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
         xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" \
         {attribute}/></rdf:RDF></x:xmpmeta>"
    );
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 2, 2);
    encoder.add_itxt_chunk("XML:com.adobe.xmp".into(), packet).unwrap();
    encoder.write_header().unwrap().write_image_data(&[0; 4]).unwrap();
    file
}

fn pixels(png: &[u8]) -> Vec<u8> {
    image::load_from_memory(png).unwrap().into_luma8().into_raw()
}

#[test]
fn a_png_is_signed_and_stays_the_image_that_it_was() {
    let chain = Chain::new("Ward 7 & Sons").unwrap();
    let signer = Signer::new(&chain.certificates, &chain.key).unwrap();
    let png = png();
    let signed = signer.sign_png(&png).unwrap();
    assert_eq!(pixels(&signed), pixels(&png));
    assert_eq!(read_provenance(&signed).unwrap(), read_provenance(&png).unwrap());
    let found = read(&signed, Some(&chain.root)).unwrap().unwrap();
    assert_eq!(found.state, CredentialState::Trusted, "{found:?}");
    assert_eq!(found.signer.as_deref(), Some("Ward 7 & Sons"));
    assert_eq!(found.common_name.as_deref(), Some("Skiagraph content credentials"));
    assert_eq!(found.program.as_deref(), Some("Skiagraph"));
    assert!(found.says_synthetic() && found.faults.is_empty(), "{found:?}");
    // The description stands in the credential too.
    let text = String::from_utf8_lossy(&signed);
    assert_eq!(text.matches("starter 0").count(), 2);
    assert!(text.contains(PROVENANCE_LABEL));
}

#[test]
fn who_is_not_vouched_for_is_not_trusted() {
    let chain = Chain::new("Mine").unwrap();
    let signed = Signer::new(&chain.certificates, &chain.key).unwrap().sign_png(&png()).unwrap();
    let other = Chain::new("Mine").unwrap();
    for anchors in [None, Some(other.root.as_str())] {
        let found = read(&signed, anchors).unwrap().unwrap();
        assert_eq!(found.state, CredentialState::Valid, "{found:?}");
    }
    // The signer's own certificate alone vouches for nobody else.
    let alone = |chain: &Chain| {
        let end = "-----END CERTIFICATE-----\n";
        let first = chain.certificates.split_inclusive(end).next().unwrap().to_owned();
        read(&signed, Some(&first)).unwrap().unwrap().state
    };
    assert_eq!(alone(&chain), CredentialState::Trusted);
    assert_eq!(alone(&other), CredentialState::Valid);
}

#[test]
fn what_was_changed_since_is_told() {
    let chain = Chain::new("Mine").unwrap();
    let signed = Signer::new(&chain.certificates, &chain.key).unwrap().sign_png(&png()).unwrap();
    let changed = |at: usize| {
        let mut changed = signed.clone();
        changed[at] ^= 1;
        read(&changed, Some(&chain.root)).unwrap().map(|found| found.state)
    };
    let place = |what: &[u8]| signed.windows(what.len()).position(|part| part == what).unwrap();
    assert_eq!(changed(place(b"IDAT") + 6), Some(CredentialState::Invalid));
    assert_eq!(changed(place(b"chest radiograph")), Some(CredentialState::Invalid));
    let credential = place(b"caBX");
    assert_eq!(changed(credential + 400), Some(CredentialState::Invalid));
    // Another picture under the same credential.
    let other = render_png(&Frame { pixels: vec![0.5; 1200], ..frame() }, None).unwrap();
    let length = u32::from_be_bytes(signed[credential - 4..credential].try_into().unwrap());
    let chunk = &signed[credential - 4..credential + 8 + length as usize];
    // After the header chunk, which ends at byte 33.
    let moved = [&other[..33], chunk, &other[33..]].concat();
    let found = read(&moved, Some(&chain.root)).unwrap().unwrap();
    assert_eq!(found.state, CredentialState::Invalid, "{found:?}");
    assert!(!found.faults.is_empty());
}

#[test]
fn a_file_without_a_credential_has_none() {
    assert_eq!(read(&png(), None).unwrap(), None);
    // Some programs leave the credential on a server, and its address in the metadata (C2PA 2.2, 11.5).
    let packet = "xmlns:dcterms=\"http://purl.org/dc/terms/\" dcterms:provenance=\"https://example.org/a.c2pa\"";
    let elsewhere = with_packet(packet);
    assert_eq!(read(&elsewhere, None).unwrap(), None);
    // What is no picture any more is no forgery.
    assert_eq!(read(&png()[..60], None).unwrap(), None);
    assert!(matches!(read(&png(), Some("no PEM")), Err(CredentialError::Anchors { .. })));
}

#[test]
fn what_does_not_fit_together_does_not_sign() {
    let (one, other) = (Chain::new("One").unwrap(), Chain::new("Other").unwrap());
    let refused = |certificates: &str, key: &str| {
        let error = Signer::new(certificates, key).unwrap_err();
        assert!(matches!(error, CredentialError::Signer { .. }), "{error}");
        assert!(!error.to_string().contains("BEGIN"), "{error}");
    };
    refused(&one.certificates, &other.key);
    refused("", &one.key);
    refused(&one.certificates, "");
    refused(&one.certificates, &one.certificates);
    // The root is no signer.
    refused(&one.root, &one.key);
    let plain = render_png(&frame(), None).unwrap();
    let signer = Signer::new(&one.certificates, &one.key).unwrap();
    assert!(matches!(signer.sign_png(&plain), Err(CredentialError::Image(_))));
    assert!(!format!("{signer:?} {one:?}").contains("PRIVATE"));
}
