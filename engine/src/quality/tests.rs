#![allow(clippy::unwrap_used)]

use rand::{Rng, SeedableRng};

use super::*;

/// A picture of soft spots, another for every seed.
fn spots(seed: u64) -> Frame {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let pixels = (0..12 * 12).map(|_| random.random::<f32>()).collect();
    Frame { width: 12, height: 12, pixels }.resized(96, 96)
}

#[test]
fn a_picture_is_known_again_and_others_are_told_apart() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    for seed in 0..20 {
        let picture = spots(seed);
        let mut smaller = picture.resized(72, 72);
        for pixel in &mut smaller.pixels {
            *pixel = (*pixel + 0.004 * (random.random::<f32>() - 0.5)).clamp(0.0, 1.0);
        }
        let (one, again) = (Fingerprint::of(&picture), Fingerprint::of(&smaller));
        assert!(one.is_near(&again), "{seed}: {}", one.distance(&again));
        let other = Fingerprint::of(&spots(seed + 100));
        assert!(one.distance(&other) > 4 * NEAR, "{seed}");
        assert_eq!(Fingerprint::from_hex(&one.to_hex()), Some(one));
    }
    for text in ["", "0123", &"g".repeat(64), &"ä".repeat(32)] {
        assert_eq!(Fingerprint::from_hex(text), None);
    }
}

/// A fingerprint with one bit changed in the first digit of every part but those of `left`.
fn changed(print: Fingerprint, left: &[usize]) -> Fingerprint {
    let mut digits: Vec<u8> = print.to_hex().into_bytes();
    for part in (0..PARTS).filter(|part| !left.contains(part)) {
        let digit = Fingerprint::digits_of(part).next().unwrap();
        let value = char::from(digits[digit]).to_digit(16).unwrap() ^ 4;
        digits[digit] = char::from_digit(value, 16).unwrap() as u8;
    }
    Fingerprint::from_hex(std::str::from_utf8(&digits).unwrap()).unwrap()
}

#[test]
fn near_fingerprints_have_a_part_in_common() {
    let mut digits: Vec<usize> = (0..PARTS).flat_map(Fingerprint::digits_of).collect();
    digits.sort_unstable();
    assert_eq!(digits, (0..64).collect::<Vec<_>>(), "every digit is of one part");
    for seed in 0..20 {
        let print = Fingerprint::of(&spots(seed));
        assert!(print.parts().iter().all(|part| part.len() == 5 || part.len() == 6));
        // As far as near ones may be, with the differences spread so that they spoil all parts but one.
        for left in 0..PARTS {
            let copy = changed(print, &[left]);
            assert_eq!(print.distance(&copy), NEAR);
            let same: Vec<usize> =
                (0..PARTS).filter(|part| print.parts()[*part] == copy.parts()[*part]).collect();
            assert_eq!(same, [left]);
        }
        assert!(!print.is_near(&changed(print, &[])));
    }
}

fn kinds(doubts: &[Doubt]) -> Vec<DoubtKind> {
    doubts.iter().map(|doubt| doubt.kind).collect()
}

#[test]
fn a_header_speaks_for_itself() {
    let plain = Header {
        body_part: Some("CHEST".into()),
        view_position: Some("PA".into()),
        deviation_index: Some(-2.9),
        burned_in_annotation: Some(false),
        ..Header::default()
    };
    assert!(header::doubts(&plain).is_empty());
    assert!(header::doubts(&Header::default()).is_empty());
    let odd = Header {
        body_part: Some("HAND".into()),
        view_position: Some("ll".into()),
        deviation_index: Some(3.1),
        burned_in_annotation: Some(true),
        ..plain
    };
    let found = header::doubts(&odd);
    let expected =
        [DoubtKind::BodyPart, DoubtKind::Lateral, DoubtKind::BurnedIn, DoubtKind::Exposure];
    assert_eq!(kinds(&found), expected);
    for part in ["chest", "THORAX", "PORT CHEST", "CHESTABDOMEN", "Lungs"] {
        assert!(is_chest(part), "{part}");
    }
    for part in ["", "TSPINE", "THORACIC SPINE", "ABDOMEN"] {
        assert!(!is_chest(part), "{part}");
    }
    // What devices write is never said again: it may be of the patient.
    assert!(found.iter().all(|doubt| !doubt.cause.contains("HAND")), "{found:?}");
}

#[test]
fn greys_out_of_range_are_told_with_their_share() {
    let spots = spots(3);
    assert!(exposure::doubts(&spots).is_empty());
    let changed = |change: fn(f32) -> f32| {
        let pixels = spots.pixels.iter().map(|grey| change(*grey)).collect();
        exposure::doubts(&Frame { pixels, ..spots.clone() })
    };
    for (found, word) in [
        (changed(|grey| if grey < 0.5 { 0.0 } else { grey }), "wholly black"),
        (changed(|grey| (grey * 2.5).min(1.0)), "wholly white"),
        (changed(|grey| 0.4 + 0.1 * grey), "nine tenths"),
    ] {
        assert_eq!(kinds(&found), [DoubtKind::Exposure]);
        assert!(found[0].cause.contains(word), "{found:?}");
    }
    assert!(exposure::doubts(&Frame { width: 0, height: 0, pixels: Vec::new() }).is_empty());
}

#[test]
fn what_is_no_chest_is_doubted() {
    let frontal = Frontal::bundled().unwrap();
    for seed in 0..8 {
        let found = doubts(&Header::default(), &spots(seed), &frontal);
        assert_eq!(kinds(&found), [DoubtKind::BodyPart], "{found:?}");
    }
}

/// Quarter turns clockwise, and black and white exchanged.
fn stored_wrongly(frame: &Frame, quarters: u8, inverted: bool) -> Frame {
    let mut now = frame.clone();
    for _ in 0..quarters {
        let (width, height) = (now.height, now.width);
        let pixels = (0..height)
            .flat_map(|row| (0..width).map(move |column| (row, column)))
            .map(|(row, column)| now.pixels[((now.height - 1 - column) * now.width + row) as usize])
            .collect();
        now = Frame { width, height, pixels };
    }
    if inverted {
        for grey in &mut now.pixels {
            *grey = 1.0 - *grey;
        }
    }
    now
}

/// Asserts that `frame` is doubted as it should be in every posture, and not at all as it is.
fn told_in_every_posture(frame: &Frame, frontal: &Frontal, what: &str) {
    for quarters in 0..4u8 {
        for inverted in [false, true] {
            let found =
                doubts(&Header::default(), &stored_wrongly(frame, quarters, inverted), frontal);
            let mut expected = Vec::new();
            if inverted {
                expected.push(DoubtKind::Inverted);
            }
            if quarters > 0 {
                expected.push(DoubtKind::Rotated);
                let turn = format!("{}°", 90 * u32::from(quarters));
                assert!(found.iter().any(|doubt| doubt.cause.contains(&turn)), "{what}: {found:?}");
            }
            assert_eq!(kinds(&found), expected, "{what}: {found:?}");
        }
    }
}

#[test]
fn a_chest_stored_the_wrong_way_is_told_how() {
    let frontal = Frontal::bundled().unwrap();
    for frame in frontal.expected() {
        told_in_every_posture(&frame, &frontal, "the mean");
    }
}

/// Of real radiographs of held-out patients, those that the script left out of the fit.
#[test]
fn real_radiographs_are_told_from_turned_ones() {
    let shared = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    if !shared.is_dir() {
        eprintln!("skipped: ../shared/data is absent, with the real radiographs of this test");
        return;
    }
    let frontal = Frontal::bundled().unwrap();
    for (folder, names) in [
        ("kermany224", ["IM-0119-0001.jpeg", "person1680_bacteria_4455.jpeg"]),
        ("nih512", ["00003541_000.jpg", "00003370_001.jpg"]),
    ] {
        for name in names {
            let image = image::open(shared.join(folder).join("images").join(name)).unwrap();
            let image = image.to_luma32f();
            let (width, height) = image.dimensions();
            told_in_every_posture(
                &Frame { width, height, pixels: image.into_raw() },
                &frontal,
                name,
            );
        }
    }
    let other = |name: &str| {
        let bytes = std::fs::read(shared.join("dicom").join(name)).unwrap();
        let radiograph = crate::dicom::read(&bytes).unwrap();
        // What the pixels say alone.
        kinds(&doubts(&Header::default(), &radiograph.frame, &frontal))
    };
    for name in ["extremity_ap_mono1_10bit_rle.dcm", "thorax_lateral_animal_dx_8bit.dcm"] {
        assert!(!other(name).is_empty(), "{name}");
    }
    for name in ["chest_pa_8bit_jpeg_baseline.dcm", "chest_pa_mono1_10bit_explicit.dcm"] {
        assert_eq!(other(name), [], "{name}");
    }
}
