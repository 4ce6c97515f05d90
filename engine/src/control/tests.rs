//! Pictures in any form, and the conditions that are made of them.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use std::io::Cursor;

use image::{DynamicImage, ImageError, ImageFormat, LumaA, Rgba};

use super::*;
use crate::dicom::{Frame, SyntheticDescription, write_synthetic};

/// A bright disc of radius 20 in the middle of 64 × 64.
fn disc() -> Frame {
    let pixels = (0..64 * 64)
        .map(|index| {
            let (x, y) = (f32::from(index as i16 % 64) - 32.0, f32::from(index as i16 / 64) - 32.0);
            if x.hypot(y) < 20.0 { 0.8 } else { 0.1 }
        })
        .collect();
    Frame { width: 64, height: 64, pixels }
}

#[test]
fn every_kind_has_a_word_of_its_own() {
    for kind in ControlKind::ALL {
        assert_eq!(ControlKind::parse(kind.word()), Some(kind));
    }
    assert_eq!(ControlKind::parse("depth"), None);
}

#[test]
fn edges_lie_on_the_outline_and_nowhere_else() {
    let edges = ControlKind::Edges.condition(&disc());
    assert_eq!((edges.width, edges.height), (64, 64));
    let on: Vec<usize> = (0..edges.pixels.len()).filter(|i| edges.pixels[*i] == 1.0).collect();
    assert!(on.len() >= 100, "a circle of radius 20 has about 126 pixels, not {}", on.len());
    for index in on {
        let (x, y) = ((index % 64) as f32 - 32.0, (index / 64) as f32 - 32.0);
        assert!((x.hypot(y) - 20.0).abs() < 3.0, "({x}, {y}) is not on the outline");
    }
    let flat = Frame { width: 8, height: 8, pixels: vec![0.5; 64] };
    assert!(ControlKind::Edges.condition(&flat).pixels.iter().all(|value| *value == 0.0));
}

#[test]
fn a_drawing_has_the_broad_outline_and_not_the_fine_grain() {
    let mut picture = disc();
    // A grain of one pixel, which edges see.
    for (index, value) in picture.pixels.iter_mut().enumerate() {
        *value += if (index % 64 + index / 64) % 2 == 0 { 0.1 } else { -0.1 };
    }
    let drawing = ControlKind::Sketch.taught(&picture, None).unwrap();
    let on: Vec<usize> = (0..drawing.pixels.len()).filter(|i| drawing.pixels[*i] == 1.0).collect();
    assert!(on.len() >= 200, "a line of three pixels around a radius of 20, not {}", on.len());
    for index in on {
        let (x, y) = ((index % 64) as f32 - 32.0, (index / 64) as f32 - 32.0);
        assert!((x.hypot(y) - 20.0).abs() < 4.0, "({x}, {y}) is not on the outline");
    }
    let mask = Frame { width: 1, height: 1, pixels: vec![1.0 / 255.0] };
    assert_eq!(ControlKind::Mask.taught(&picture, Some(&mask)).unwrap().pixels, [1.0]);
    assert_eq!(ControlKind::Mask.taught(&picture, None), None);
    assert_eq!(ControlKind::parse("lungmask"), Some(ControlKind::Mask));
}

#[test]
fn masks_of_zero_and_one_in_255_are_masks() {
    let mask = Frame { width: 2, height: 1, pixels: vec![0.0, 1.0 / 255.0] };
    assert_eq!(ControlKind::Mask.condition(&mask).pixels, [0.0, 1.0]);
}

#[test]
fn a_drawing_is_white_on_black_whatever_the_paper() {
    let dark = Frame { width: 4, height: 1, pixels: vec![1.0, 0.2, 0.9, 1.0] };
    assert_eq!(ControlKind::Sketch.condition(&dark).pixels, [0.0, 1.0, 0.0, 0.0]);
    let light = Frame { width: 4, height: 1, pixels: vec![0.0, 0.8, 0.1, 0.0] };
    assert_eq!(ControlKind::Sketch.condition(&light).pixels, [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(ControlKind::Ready.condition(&dark), dark);
}

#[test]
fn pictures_are_read_in_every_form_that_people_have() {
    let coded = |image: DynamicImage, format| {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    // Transparent is paper; half transparent black is grey.
    let ink = image::ImageBuffer::from_fn(3, 2, |x, _| LumaA([0u8, [0, 255, 128][x as usize]]));
    let frame = read_picture(&coded(ink.into(), ImageFormat::Png)).unwrap();
    assert_eq!((frame.width, frame.height), (3, 2));
    assert_eq!(frame.pixels[..2], [1.0, 0.0]);
    assert!((frame.pixels[2] - 127.0 / 255.0).abs() < 1e-4);

    let colour = image::ImageBuffer::from_pixel(16, 16, Rgba([255u8, 255, 255, 255]));
    let colour = DynamicImage::ImageRgba8(colour).into_rgb8();
    let frame = read_picture(&coded(colour.into(), ImageFormat::Jpeg)).unwrap();
    assert!(frame.pixels.iter().all(|value| *value > 0.98));

    let object = write_synthetic(&disc(), &SyntheticDescription::default()).unwrap();
    let frame = read_picture(&object).unwrap();
    assert!((frame.pixels[32 * 64 + 32] - 0.8).abs() < 1e-3);

    assert!(matches!(read_picture(b"GIF89a, or anything"), Err(PictureError::Unknown)));
    assert!(matches!(read_picture(b""), Err(PictureError::Unknown)));
    let mut cut = coded(DynamicImage::new_luma8(40, 40), ImageFormat::Png);
    cut.truncate(50);
    assert!(matches!(read_picture(&cut), Err(PictureError::Image(_))));
    // A line too many, a bit a pixel: 8 MB that would become a gigabyte.
    let mut large = Vec::new();
    let mut encoder = png::Encoder::new(&mut large, 8192, 8193);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().unwrap().write_image_data(&vec![0; 1024 * 8193]).unwrap();
    assert!(matches!(read_picture(&large), Err(PictureError::Image(ImageError::Limits(_)))));
}
