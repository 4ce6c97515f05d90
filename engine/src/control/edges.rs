//! Outlines (Canny, A Computational Approach to Edge Detection, 1986).

use image::GrayImage;
use imageproc::distance_transform::Norm;
use imageproc::edges::canny;
use imageproc::filter::gaussian_blur_f32;
use imageproc::morphology::dilate;

use crate::dicom::Frame;

/// Gradients that begin a line and that continue one, on grey values of 0 to 255. What ControlNets were
/// taught with, 100 and 200 on photographs, leaves of a radiograph little more than its frame.
const CONTINUES: f32 = 20.0;
const BEGINS: f32 = 50.0;

/// The deviation of the blur before a drawing is taken, as a share of the shorter side: what is finer than
/// that, nobody draws.
const DRAWN_DETAIL: f32 = 1.0 / 64.0;
/// A blur makes gradients flatter.
const DRAWN_CONTINUES: f32 = 6.0;
const DRAWN_BEGINS: f32 = 15.0;
/// Pixels to a line's width, as a share of the shorter side: a pen is broader than an outline.
const PEN: f32 = 1.0 / 128.0;

/// White lines on black where the grey values of `picture` change steeply, in its size.
pub(super) fn edges(picture: &Frame) -> Frame {
    lines(picture, |grey| canny(grey, CONTINUES, BEGINS))
}

/// The few broad lines that a hand would draw of `picture`: the outlines of what is left of it when it is
/// blurred, as white on black.
pub(super) fn drawn(picture: &Frame) -> Frame {
    let short = picture.width.min(picture.height) as f32;
    lines(picture, |grey| {
        let coarse = gaussian_blur_f32(grey, (short * DRAWN_DETAIL).max(0.5));
        let outlines = canny(&coarse, DRAWN_CONTINUES, DRAWN_BEGINS);
        // A radius: both sides of a line grow by it.
        let radius = (short * PEN / 2.0).round().clamp(1.0, 32.0) as u8;
        dilate(&outlines, Norm::LInf, radius)
    })
}

fn lines(picture: &Frame, of: impl FnOnce(&GrayImage) -> GrayImage) -> Frame {
    let grey = picture.pixels.iter().map(|value| (value * 255.0).round() as u8).collect();
    let Some(grey) = GrayImage::from_raw(picture.width, picture.height, grey) else {
        // Only a frame put together wrongly comes here; it has no lines.
        return Frame { pixels: vec![0.0; picture.pixels.len()], ..*picture };
    };
    let drawn = of(&grey);
    Frame { pixels: drawn.into_raw().iter().map(|on| f32::from(*on) / 255.0).collect(), ..*picture }
}
