//! The mark is not seen, stays where it must, and is not found where it is not.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::cosines::{MOST, analyse, synthesise};
use super::*;
use crate::metric::{psnr, ssim};

/// Something of a chest: two dark fields, a bright middle, ribs, grain, black borders. No two are alike.
fn phantom(width: u32, height: u32, seed: u64) -> Frame {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut between = |low: f64, high: f64| random.random_range(low..high);
    let (turn, ribs, depth) = (between(-0.05, 0.05), between(14.0, 22.0), between(0.3, 0.45));
    let (grain, tilt) = (between(0.005, 0.02), between(-0.1, 0.1));
    let mut noise = ChaCha8Rng::seed_from_u64(seed ^ 0xFACE);
    let blob =
        |x: f64, y: f64, wide: f64, high: f64| (-(x / wide).powi(2) - (y / high).powi(2)).exp();
    let mut pixels = Vec::new();
    for row in 0..height {
        for column in 0..width {
            let x = f64::from(column) / f64::from(width) - 0.5 + turn;
            let y = f64::from(row) / f64::from(height) - 0.5;
            let lungs = blob(x - 0.2, y, 0.15, 0.3) + blob(x + 0.2, y, 0.15, 0.3);
            let bone = 0.05 * (ribs * (y + x * x) * std::f64::consts::TAU / 2.0).sin();
            let value = 0.6 - depth * lungs + 0.2 * blob(x, y, 0.06, 0.5) + bone * lungs + tilt * y;
            let dark = x.abs() > 0.47;
            let value = value + grain * noise.random_range(-1.7..1.7);
            pixels.push(if dark { 0.0 } else { value.clamp(0.0, 1.0) as f32 });
        }
    }
    Frame { width, height, pixels }
}

fn eight_bits(frame: &Frame) -> Frame {
    let pixels = frame.pixels.iter().map(|pixel| (pixel.clamp(0.0, 1.0) * 255.0).round() / 255.0);
    Frame { pixels: pixels.collect(), ..*frame }
}

fn jpeg(frame: &Frame, quality: u8) -> Frame {
    let bytes: Vec<u8> =
        frame.pixels.iter().map(|pixel| (pixel.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality)
        .encode(&bytes, frame.width, frame.height, image::ExtendedColorType::L8)
        .unwrap();
    let read = image::load_from_memory(&file).unwrap().into_luma8();
    let pixels = read.into_raw().into_iter().map(|value| f32::from(value) / 255.0).collect();
    Frame { pixels, ..*frame }
}

fn half(frame: &Frame) -> Frame {
    eight_bits(&frame.resized(frame.width / 2, frame.height / 2))
}

/// Shows what lies between `low` and `high`.
fn window(frame: &Frame, low: f32, high: f32) -> Frame {
    let pixels = frame.pixels.iter().map(|pixel| (pixel - low) / (high - low)).collect();
    eight_bits(&Frame { pixels, ..*frame })
}

/// The values below which a twentieth, and above which a twentieth, of the pixels lie.
fn middle(frame: &Frame) -> (f32, f32) {
    let mut sorted = frame.pixels.clone();
    sorted.sort_unstable_by(f32::total_cmp);
    let at = |share: f64| sorted[(share * (sorted.len() - 1) as f64) as usize];
    let (low, high) = (at(0.05), at(0.95));
    (low, high.max(low + 0.05))
}

/// What an image may go through, by name.
fn attacks(marked: &Frame) -> Vec<(&'static str, Frame)> {
    let (low, high) = middle(marked);
    let pixels = marked.pixels.iter().map(|pixel| 1.0 - pixel).collect();
    vec![
        ("nothing", marked.clone()),
        ("JPEG of quality 80", jpeg(marked, 80)),
        ("half the size", half(marked)),
        ("half the size and back", half(marked).resized(marked.width, marked.height)),
        ("half the contrast", window(marked, -0.5, 1.5)),
        ("brighter by a fifth", window(marked, -0.2, 0.8)),
        ("darker by a fifth", window(marked, 0.2, 1.2)),
        ("window of 60 %", window(marked, 0.2, 0.8)),
        ("window without the outer tenth of the pixels", window(marked, low, high)),
        (TOGETHER, jpeg(&half(&window(marked, 0.15, 0.85)), 80)),
        ("black for white", Frame { pixels, ..*marked }),
    ]
}

/// All of it at once, which too few pixels do not survive.
const TOGETHER: &str = "window of 70 %, half the size, JPEG of quality 80";

/// Whether an image of so many pixels a side is to survive.
fn must_survive(frame: &Frame, attack: &str) -> bool {
    attack != TOGETHER || frame.width.min(frame.height) >= 224
}

fn score(frame: &Frame, key: &Key) -> f64 {
    detect(frame, key).unwrap().score
}

/// PSNR in decibels and SSIM of the eight-bit images.
fn likeness(frame: &Frame, marked: &Frame) -> (f64, f64) {
    let (before, after) = (eight_bits(frame), eight_bits(marked));
    let width = frame.width as usize;
    let alike = ssim(&before.pixels, &after.pixels, width, 1.0).unwrap();
    (psnr(&before.pixels, &after.pixels, 1.0).unwrap(), alike)
}

#[test]
fn cosines_are_those_of_a_discrete_cosine_transform() {
    // scipy 1.17: `scipy.fft.dctn(image, norm="ortho")[v, u] / sqrt(image.size)` of the image whose pixel in row
    // y and column x is ((7 x + 3 y) % 11) / 11, 12 rows of 9 columns.
    let pixels = (0..12 * 9).map(|at| ((7 * (at % 9) + 3 * (at / 9)) % 11) as f32 / 11.0).collect();
    let found = analyse(&Frame { width: 9, height: 12, pixels }).unwrap();
    for (down, across, expected) in SCIPY {
        let value = found[(down - 1) * MOST + across - 1];
        assert!((value - expected).abs() < 1e-6, "{down} {across}: {value}");
    }
    // One cosine alone comes back as itself, and at any size.
    let mut one = vec![0.0; MOST * MOST];
    one[4 * MOST + 8] = 0.25;
    for (width, height) in [(64, 48), (201, 333)] {
        let image = synthesise(&one, width, height);
        let pixels = image.iter().map(|value| *value as f32).collect();
        let found = analyse(&Frame { width: width as u32, height: height as u32, pixels }).unwrap();
        for (index, value) in found.iter().enumerate() {
            let expected = if index == 4 * MOST + 8 { 0.25 } else { 0.0 };
            // Beyond what so few rows can hold, cosines fold back onto lower ones.
            let held = index / MOST + 1 < height / 2 && index % MOST + 1 < width / 2;
            assert!(!held || (value - expected).abs() < 1e-6, "{index}: {value}");
        }
    }
}

/// Down, across, value.
const SCIPY: [(usize, usize, f64); 4] =
    [(1, 1, 0.008_833_94), (2, 3, -0.011_340_23), (5, 4, -0.014_812_751), (11, 8, 0.001_582_855)];

#[test]
fn the_mark_is_not_seen_and_stays() {
    let key = Key::public();
    let (mut seen, mut lost) = (Vec::new(), Vec::new());
    for (index, (width, height)) in
        [(128, 128), (128, 160), (224, 224), (256, 256), (320, 256), (512, 512)]
            .into_iter()
            .enumerate()
    {
        for seed in 0..4 {
            let frame = phantom(width, height, seed * 10 + index as u64);
            assert!(!detect(&frame, &key).unwrap().found);
            let marked = embed(&frame, &key).unwrap();
            let (decibels, alike) = likeness(&frame, &marked);
            if decibels < 42.0 || alike < 0.98 {
                seen.push((width, height, decibels, alike));
            }
            for (name, attacked) in attacks(&eight_bits(&marked)) {
                let found = detect(&attacked, &key).unwrap();
                assert_eq!(found.found, found.score.abs() > threshold());
                if !found.found && must_survive(&frame, name) {
                    lost.push((width, height, name, found.score));
                }
            }
        }
    }
    assert!(seen.is_empty() && lost.is_empty(), "seen: {seen:?}, lost: {lost:?}");
}

#[test]
fn who_has_another_key_finds_nothing() {
    let mine = Key::from_secret(b"a secret of sixteen bytes").unwrap();
    let frame = phantom(256, 256, 3);
    let marked = embed(&frame, &mine).unwrap();
    assert!(score(&marked, &mine) > threshold());
    assert!(score(&marked, &Key::public()).abs() < threshold());
    for other in 0..50_u64 {
        let key = Key::from_secret(format!("another secret, {other}").as_bytes()).unwrap();
        assert!(score(&marked, &key).abs() < threshold());
    }
    // A second mark leaves the first.
    let twice = embed(&marked, &Key::public()).unwrap();
    assert!(score(&twice, &mine) > threshold() && score(&twice, &Key::public()) > threshold());
}

/// Over keys, the score of an image that knows none of them spreads as a standard normal number does.
#[test]
fn scores_of_other_keys_are_normal() {
    let frame = phantom(128, 128, 8);
    let scores: Vec<f64> = (0..400_u64)
        .map(|key| {
            score(&frame, &Key::from_secret(format!("a key, number {key:08}").as_bytes()).unwrap())
        })
        .collect();
    let mean = scores.iter().sum::<f64>() / 400.0;
    let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / 400.0;
    // Four standard errors: 0.05 of the mean, 0.07 of the variance.
    assert!(mean.abs() < 0.2 && (variance - 1.0).abs() < 0.28, "{mean} {variance}");
}

#[test]
fn the_threshold_is_that_of_the_bound() {
    assert!((threshold() - 5.3868).abs() < 1e-3, "{}", threshold());
    let found = detect(&phantom(64, 64, 1), &Key::public()).unwrap();
    assert!(
        (found.false_alarm - (2.0 * (-found.score.powi(2) / 2.0).exp()).min(1.0)).abs() < 1e-12
    );
}

#[test]
fn the_same_frame_and_key_give_the_same_bits() {
    let frame = phantom(96, 64, 5);
    let marked = embed(&frame, &Key::public()).unwrap();
    assert_eq!(marked, embed(&frame, &Key::public()).unwrap());
    assert!(marked != frame && marked.pixels.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
}

#[test]
fn what_cannot_be_marked_is_left_alone() {
    let key = Key::public();
    let flat = |width, height, count: usize| Frame { width, height, pixels: vec![0.5; count] };
    assert_eq!(embed(&flat(31, 200, 6200), &key), None);
    assert_eq!(embed(&flat(64, 64, 7), &key), None);
    assert_eq!(detect(&flat(0, 0, 0), &key), None);
    assert_eq!(detect(&flat(64, 64, 7), &key), None);
    // A flat image weighs nothing against any key.
    let found = detect(&flat(64, 64, 4096), &key).unwrap();
    assert!(!found.found && found.score.abs() < 1.0, "{found:?}");
}

/// Where hardly anything can be changed, or the image drowns the mark.
#[test]
fn what_is_said_to_be_marked_is_found() {
    let key = Key::public();
    let flat = |grey: f32| Frame { width: 64, height: 64, pixels: vec![grey; 4096] };
    let grains = |side: u32| {
        let mut random = ChaCha8Rng::seed_from_u64(u64::from(side));
        let grain = |_| if random.random::<u32>() % 2 == 0 { 0.0 } else { 1.0 };
        Frame { width: side, height: side, pixels: (0..side * side).map(grain).collect() }
    };
    let not_a_number = Frame { pixels: vec![f32::NAN; 4096], ..flat(0.0) };
    for frame in [flat(0.0), flat(0.5), flat(1.0), grains(128)] {
        let marked = embed(&frame, &key);
        assert!(marked.is_none_or(|marked| detect(&eight_bits(&marked), &key).unwrap().found));
    }
    assert!(embed(&flat(0.5), &key).is_some());
    assert_eq!((embed(&grains(32), &key), embed(&not_a_number, &key)), (None, None));
}

#[test]
fn a_secret_has_a_length() {
    for length in [0, SHORTEST_SECRET - 1, 5000] {
        let error = Key::from_secret(&vec![7; length]).unwrap_err();
        assert!(error.to_string().contains(&length.to_string()), "{error}");
    }
    let key = Key::from_secret(&[7; SHORTEST_SECRET]).unwrap();
    assert_ne!(key, Key::public());
    assert_ne!(key.fingerprint(), Key::public().fingerprint());
    assert_eq!(format!("{key:?}"), format!("Key(\"{}\")", key.fingerprint()));
}

/// The folder of radiographs, or none, which is said.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("SKIAGRAPH_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from)
        .join("data");
    if !folder.is_dir() {
        println!("skipped: ../shared/data is absent");
        return None;
    }
    Some(folder)
}

/// Every n-th image of a folder, `most` of them.
fn images(folder: &Path, most: usize) -> Vec<Frame> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let step = (paths.len() / most).max(1);
    let read = |path: &PathBuf| {
        let image = image::open(path).unwrap().into_luma8();
        let (width, height) = image.dimensions();
        let pixels = image.into_raw().into_iter().map(|value| f32::from(value) / 255.0).collect();
        Frame { width, height, pixels }
    };
    paths.iter().step_by(step).take(most).map(read).collect()
}

#[test]
fn no_real_radiograph_raises_a_false_alarm() {
    let Some(folder) = shared() else { return };
    let mut frames = images(&folder.join("nih512/images"), 500);
    frames.extend(images(&folder.join("kermany224/images"), 500));
    assert_eq!(frames.len(), 1000);
    let other = Key::from_secret(b"the key of another house").unwrap();
    for key in [Key::public(), other] {
        let scores: Vec<f64> = frames.iter().map(|frame| score(frame, &key)).collect();
        let greatest = scores.iter().fold(0.0_f64, |greatest, score| greatest.max(score.abs()));
        let mean = scores.iter().sum::<f64>() / 1000.0;
        let spread =
            (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / 1000.0).sqrt();
        println!("{key:?}: greatest {greatest:.2}, mean {mean:.2}, standard deviation {spread:.2}");
        assert!(greatest < threshold(), "{greatest}");
    }
}

/// The figures of docs/watermark.md.
#[test]
fn marks_in_real_radiographs_survive() {
    let Some(folder) = shared() else { return };
    let key = Key::public();
    let large = images(&folder.join("nih512/images"), 200);
    let middling: Vec<_> = large.iter().map(|frame| frame.resized(256, 256)).collect();
    let small: Vec<_> = large.iter().map(|frame| frame.resized(128, 128)).collect();
    let children = images(&folder.join("kermany224/images"), 200);
    for (name, frames) in
        [("512", large), ("256", middling), ("224, children", children), ("128", small)]
    {
        let (mut decibels, mut alike) = (Vec::new(), Vec::new());
        let mut scores: Vec<(&str, Vec<f64>)> = Vec::new();
        for frame in &frames {
            let marked = eight_bits(&embed(frame, &key).unwrap());
            let likeness = likeness(frame, &marked);
            decibels.push(likeness.0);
            alike.push(likeness.1);
            for (index, (attack, attacked)) in attacks(&marked).into_iter().enumerate() {
                if scores.len() == index {
                    scores.push((attack, Vec::new()));
                }
                scores[index].1.push(score(&attacked, &key).abs());
            }
        }
        for values in [&mut decibels, &mut alike] {
            values.sort_unstable_by(f64::total_cmp);
        }
        println!(
            "{name}: {} images, PSNR {:.1} to {:.1} dB, SSIM {:.4} to {:.4}",
            frames.len(),
            decibels[0],
            decibels[frames.len() - 1],
            alike[0],
            alike[frames.len() - 1]
        );
        for (attack, values) in &mut scores {
            values.sort_unstable_by(f64::total_cmp);
            let found = values.iter().filter(|score| **score > threshold()).count();
            let share = found as f64 / frames.len() as f64;
            println!("  {attack}: {:.1} % found, least score {:.1}", share * 100.0, values[0]);
            let must = must_survive(&frames[0], attack);
            assert!(share >= 0.95 || !must, "{name}, {attack}: {share}");
        }
        assert!(decibels[0] >= 42.0 && alike[0] >= 0.98, "{name}: {} {}", decibels[0], alike[0]);
    }
}
