//! The mark in an image's pixels.

use super::*;
use crate::watermark::{SCHEME, detect, embed};

fn secret(of: u8) -> Key {
    Key::from_secret(&[of; 32]).unwrap()
}

/// A request for an image with room for a mark, which the tiny model's own size has not.
fn request() -> GenerateRequest {
    GenerateRequest { size: Some((128, 128)), ..super::request() }
}

#[test]
fn an_image_is_marked_as_asked_and_says_so() {
    let (_keep, service) = service();
    let with = |watermark: Option<Key>| {
        generate(&service, &GenerateRequest { watermark, ..request() }).remove(0)
    };
    let plain = with(None);
    assert_eq!(plain.provenance.watermark, None);
    for key in [Key::public(), secret(1)] {
        let marked = with(Some(key.clone()));
        let said = marked.provenance.watermark.clone().unwrap();
        assert_eq!((said.scheme.as_str(), said.key), (SCHEME, key.fingerprint()));
        // The mark is all that is different, and both files bear it.
        assert_eq!(Some(&marked.frame), embed(&plain.frame, &key).as_ref());
        let object = dicom::read(&marked.dicom).unwrap().frame;
        let score = |frame: &Frame| detect(frame, &key).unwrap().score;
        assert!(score(&object) > score(&plain.frame) + 3.0, "{}", score(&object));
    }
}

#[test]
fn a_marked_image_is_made_again_by_who_has_the_key() {
    let (_keep, service) = service();
    let again = |image: &GeneratedImage, watermark: Option<Key>| {
        let made = dicom::read_provenance(&image.dicom).unwrap();
        replay(&made, service.card(), &[], &Given { watermark, ..Given::default() })
    };
    for (watermark, given) in
        [(None, None), (Some(Key::public()), None), (Some(secret(1)), Some(secret(1)))]
    {
        let image = generate(&service, &GenerateRequest { watermark, ..request() }).remove(0);
        let request = again(&image, given).unwrap();
        let second = generate(&service, &request).remove(0);
        assert!(second.png == image.png && second.frame == image.frame);
    }
    let wanted = GenerateRequest { watermark: Some(secret(1)), ..request() };
    let image = generate(&service, &wanted).remove(0);
    for given in [None, Some(secret(2))] {
        let error = again(&image, given).unwrap_err();
        let ServeError::Invalid { field, cause } = error else { panic!("{error}") };
        assert_eq!(field, "watermark_key");
        assert!(cause.contains(&secret(1).fingerprint()), "{cause}");
    }
}
