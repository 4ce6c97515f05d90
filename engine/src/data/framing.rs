//! In which size an image is trained on: in the model's square, or in the bucket that is nearest to its aspect.

use super::Sample;
use super::square::square;
use crate::dicom::Frame;

/// Sides of a training image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Size {
    /// Pixels.
    pub fn area(self) -> usize {
        self.width * self.height
    }

    fn aspect(self) -> f64 {
        self.width as f64 / self.height as f64
    }

    fn turned(self) -> Self {
        Self { width: self.height, height: self.width }
    }
}

/// How a frame becomes a training image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framing {
    /// Into a square of this many pixels a side, as [`super::Dataset::square`] has it.
    Square(usize),
    /// Into that of these sizes whose aspect is nearest to the frame's: reduced alike in both directions until it
    /// covers the size, of which its middle is kept.
    Buckets(Vec<Size>),
}

impl Framing {
    /// Buckets of about the area of a square of `side` pixels: of every long side from `side` on, a multiple of
    /// `step`, the short side that comes nearest to that area; none is longer than `longest` times its short side
    /// (after the aspect ratio bucketing of NovelAI). An area differs from the square's by half a step along the
    /// long side at most.
    ///
    /// A frame whose aspect lies between two buckets' loses a share of one side: at most 1 − √(the smaller aspect
    /// by the larger), which is 7 in 100 where the square is 16 steps long. What is longer than the longest loses
    /// its ends.
    pub fn buckets(side: usize, step: usize, longest: f64) -> Self {
        let most = (side / step.max(1)).max(1);
        let mut sizes = Vec::new();
        for long in most.. {
            let short = (most * most + long / 2) / long;
            if short == 0 || long as f64 > longest * short as f64 {
                break;
            }
            let size = Size { width: long * step, height: short * step };
            sizes.push(size);
            if size != size.turned() {
                sizes.push(size.turned());
            }
        }
        Self::Buckets(sizes)
    }

    /// Every size that an image may come to.
    pub fn sizes(&self) -> Vec<Size> {
        match self {
            Self::Square(side) => vec![Size { width: *side, height: *side }],
            Self::Buckets(sizes) => sizes.clone(),
        }
    }

    /// The size that a sample comes to.
    pub fn size(&self, sample: &Sample) -> Size {
        self.size_of(sample.width, sample.height)
    }

    fn size_of(&self, width: u32, height: u32) -> Size {
        let aspect = f64::from(width.max(1)) / f64::from(height.max(1));
        let far = |size: &Size| (size.aspect() / aspect).ln().abs();
        let sizes = self.sizes();
        let nearest = sizes.iter().copied().min_by(|a, b| far(a).total_cmp(&far(b)));
        nearest.unwrap_or(Size { width: 0, height: 0 })
    }

    /// The training image of a frame, of values between 0 and 1.
    pub(super) fn image(&self, frame: &Frame) -> Frame {
        let size = self.size_of(frame.width, frame.height);
        let (width, height) = (size.width as u32, size.height as u32);
        match self {
            Self::Square(_) => Frame { width, height, pixels: square(frame, width) },
            Self::Buckets(_) => middle(frame, size).resized(width, height),
        }
    }

    /// What lies over [`Self::image`] of a mask of the frame's size: 1 where more than half of a pixel is inside,
    /// else 0.
    pub(super) fn mask(&self, mask: &Frame) -> Frame {
        let mut image = self.image(mask);
        for inside in &mut image.pixels {
            *inside = f32::from(u8::from(*inside > 0.5));
        }
        image
    }
}

/// The largest part about the frame's middle that has the aspect of `size`, to a pixel.
fn middle(frame: &Frame, size: Size) -> Frame {
    let part = |length: u32, of: f64| (of.round() as u32).clamp(1, length.max(1));
    let width = part(frame.width, f64::from(frame.height) * size.aspect());
    let height = part(frame.height, f64::from(frame.width) / size.aspect());
    frame
        .cropped((frame.width - width) / 2, (frame.height - height) / 2, width, height)
        .unwrap_or_else(|| frame.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STEPS: [(usize, usize, f64); 4] =
        [(256, 16, 2.0), (512, 32, 1.6), (128, 8, 3.0), (256, 32, 2.0)];

    #[test]
    fn buckets_have_about_the_squares_area_and_sides_that_networks_halve() {
        let of = |side, step, longest| Framing::buckets(side, step, longest).sizes();
        let sizes: Vec<_> = of(64, 8, 2.0).iter().map(|size| (size.width, size.height)).collect();
        // 64 / 9 is nearer to 7 steps, 64 / 10 to 6 and 64 / 11 to 6; 12 × 5 is longer than twice.
        let expected = [(64, 64), (72, 56), (56, 72), (80, 48), (48, 80), (88, 48), (48, 88)];
        assert_eq!(sizes, expected);
        for (side, step, longest) in STEPS {
            for size in of(side, step, longest) {
                let long = size.width.max(size.height);
                assert!(size.width % step == 0 && size.height % step == 0, "{size:?}");
                assert!(size.area().abs_diff(side * side) * 2 <= long * step, "{size:?}");
                assert!(long as f64 <= longest * size.width.min(size.height) as f64, "{size:?}");
                assert!(of(side, step, longest).contains(&size.turned()));
            }
        }
    }

    #[test]
    fn a_frame_loses_no_more_of_a_side_than_is_said() {
        for (side, step, longest) in STEPS {
            let framing = Framing::buckets(side, step, longest);
            let mut aspects: Vec<f64> = framing.sizes().into_iter().map(Size::aspect).collect();
            aspects.sort_by(f64::total_cmp);
            let gap = aspects.windows(2).map(|pair| pair[0] / pair[1]).fold(1.0, f64::min);
            let most = 1.0 - gap.sqrt();
            if side / step == 16 {
                assert!(most < 0.07, "{most}");
            }
            let (last, mut largest) = (aspects[aspects.len() - 1], 0f64);
            for width in (500..4000).step_by(7) {
                let frame = (width as f64 / 1500.0).clamp(1.0 / last, last);
                let width = (1500.0 * frame).round() as u32;
                let aspect = framing.size_of(width, 1500).aspect() * 1500.0 / f64::from(width);
                largest = largest.max(1.0 - aspect.min(1.0 / aspect));
            }
            assert!(largest <= most + 1e-3 && largest > 0.8 * most, "{largest} of {most}");
        }
    }

    #[test]
    fn a_frame_is_reduced_alike_in_both_directions_and_keeps_its_middle() {
        let framing = Framing::buckets(64, 8, 2.0);
        // Of 300 × 200, 80 × 48 covers 300 × 180: ten rows go above, ten below.
        let grey = |x: u32, y: u32| if (10..190).contains(&y) && x < 150 { 1.0 } else { 0.0 };
        let pixels = (0..200).flat_map(|y| (0..300).map(move |x| grey(x, y))).collect();
        let image = framing.image(&Frame { width: 300, height: 200, pixels });
        assert_eq!((image.width, image.height), (80, 48));
        for (place, value) in image.pixels.iter().enumerate() {
            let expected = f32::from(u8::from(place % 80 < 40));
            // At the edge of the white half the filter rings.
            if !(37..43).contains(&(place % 80)) {
                assert!((value - expected).abs() < 0.01, "{place}: {value}");
            }
        }
        let mask = framing.mask(&image);
        assert!(mask.pixels.iter().enumerate().all(|(place, inside)| {
            (place % 80).abs_diff(40) < 3 || (*inside > 0.5) == (place % 80 < 40)
        }));
    }

    #[test]
    fn a_square_is_what_it_was() {
        let frame =
            Frame { width: 30, height: 20, pixels: (0..600).map(|x| x as f32 / 600.0).collect() };
        let image = Framing::Square(12).image(&frame);
        assert_eq!((image.width, image.height), (12, 12));
        assert_eq!(image.pixels, square(&frame, 12));
        let mask = Framing::Square(12).mask(&frame);
        let inside = image.pixels.iter().map(|value| f32::from(u8::from(*value > 0.5)));
        assert!(mask.pixels.into_iter().eq(inside));
    }
}
