//! Small changes of a training image that leave what it shows.
//!
//! A radiograph is never mirrored: the heart's side, and the marker that tells it, are findings.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::error::TrainError;

/// How far an image is changed at most; each change is drawn evenly from −limit to limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Turned, in degrees.
    pub rotation: f32,
    /// Moved, as a share of the side.
    pub shift: f32,
    /// Made larger or smaller, as a share of the size.
    pub scale: f32,
    /// Contrast about the middle grey, as a share of it.
    pub contrast: f32,
    /// The logarithm of the exponent that grey values are raised to.
    pub gamma: f32,
}

impl Default for Augment {
    fn default() -> Self {
        Self { rotation: 7.0, shift: 0.05, scale: 0.1, contrast: 0.2, gamma: 0.2 }
    }
}

impl Augment {
    /// # Errors
    /// Where a limit would leave nothing of the image.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        for (field, value, most) in [
            ("judge.augment.rotation", self.rotation, 45.0),
            ("judge.augment.shift", self.shift, 0.3),
            ("judge.augment.scale", self.scale, 0.5),
            ("judge.augment.contrast", self.contrast, 0.9),
            ("judge.augment.gamma", self.gamma, 1.0),
        ] {
            if !(0.0..=most).contains(&value) {
                let cause = format!("must lie between 0 and {most}");
                return Err(TrainError::Config { field, cause });
            }
        }
        Ok(())
    }

    /// The next change.
    pub(super) fn draw(&self, random: &mut impl Rng) -> Change {
        let mut within = |limit: f32| limit * (2.0 * random.random::<f32>() - 1.0);
        Change {
            angle: within(self.rotation).to_radians(),
            shift: [within(self.shift), within(self.shift)],
            scale: 1.0 + within(self.scale),
            contrast: 1.0 + within(self.contrast),
            gamma: within(self.gamma).exp(),
        }
    }
}

/// One change of an image and of what lies over it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Change {
    angle: f32,
    shift: [f32; 2],
    scale: f32,
    contrast: f32,
    gamma: f32,
}

impl Change {
    /// The image, `size × size` values between −1 and 1, changed; black comes in from outside.
    pub(super) fn image(&self, pixels: &[f32], size: usize) -> Vec<f32> {
        let mut moved = self.moved(pixels, size, -1.0);
        for value in &mut moved {
            let grey = ((*value + 1.0) * 0.5).clamp(0.0, 1.0).powf(self.gamma);
            *value = ((grey * 2.0 - 1.0) * self.contrast).clamp(-1.0, 1.0);
        }
        moved
    }

    /// A mask that lies over the image, of 0 and 1, moved with it.
    pub(super) fn mask(&self, inside: &[f32], size: usize) -> Vec<f32> {
        let moved = self.moved(inside, size, 0.0);
        moved.into_iter().map(|value| f32::from(u8::from(value > 0.5))).collect()
    }

    /// Each pixel from where it lay before, between its four neighbours there.
    fn moved(&self, pixels: &[f32], size: usize, outside: f32) -> Vec<f32> {
        let middle = (size as f32 - 1.0) / 2.0;
        let (sine, cosine) = self.angle.sin_cos();
        let (sine, cosine) = (sine / self.scale, cosine / self.scale);
        let at = |row: i64, column: i64| {
            let inside = |place: i64| (0..size as i64).contains(&place);
            if inside(row) && inside(column) {
                pixels[row as usize * size + column as usize]
            } else {
                outside
            }
        };
        let mut moved = Vec::with_capacity(size * size);
        for row in 0..size {
            let y = row as f32 - middle - self.shift[0] * size as f32;
            for column in 0..size {
                let x = column as f32 - middle - self.shift[1] * size as f32;
                let from_row = cosine * y + sine * x + middle;
                let from_column = cosine * x - sine * y + middle;
                let (top, left) = (from_row.floor(), from_column.floor());
                let (down, right) = (from_row - top, from_column - left);
                let (top, left) = (top as i64, left as i64);
                let upper = at(top, left) * (1.0 - right) + at(top, left + 1) * right;
                let lower = at(top + 1, left) * (1.0 - right) + at(top + 1, left + 1) * right;
                moved.push(upper * (1.0 - down) + lower * down);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;
    use crate::train::draw::source;

    const NONE: Change =
        Change { angle: 0.0, shift: [0.0; 2], scale: 1.0, contrast: 1.0, gamma: 1.0 };

    fn picture() -> Vec<f32> {
        (0..25).map(|place| place as f32 / 12.5 - 1.0).collect()
    }

    #[test]
    fn no_change_changes_nothing() {
        for (a, b) in NONE.image(&picture(), 5).iter().zip(picture()) {
            assert!((a - b).abs() < 1e-6);
        }
        let mask: Vec<f32> = (0..25).map(|place| f32::from(u8::from(place % 3 == 0))).collect();
        assert_eq!(NONE.mask(&mask, 5), mask);
    }

    #[test]
    fn a_shift_is_by_whole_pixels_and_black_comes_in() {
        let shifted = Change { shift: [0.2, -0.4], ..NONE }.image(&picture(), 5);
        for row in 0..5 {
            for column in 0..5 {
                let expected = if row == 0 || column > 2 {
                    -1.0
                } else {
                    picture()[(row - 1) * 5 + column + 2]
                };
                assert!((shifted[row * 5 + column] - expected).abs() < 1e-5, "{row} {column}");
            }
        }
    }

    #[test]
    fn a_right_angle_turns_and_does_not_mirror() {
        let turned = Change { angle: std::f32::consts::FRAC_PI_2, ..NONE }.image(&picture(), 5);
        for row in 0..5 {
            for column in 0..5 {
                // y' = x, x' = −y about the middle.
                let expected = picture()[column * 5 + 4 - row];
                assert!((turned[row * 5 + column] - expected).abs() < 1e-5, "{row} {column}");
            }
        }
    }

    #[test]
    fn tone_follows_its_formula() {
        let toned = Change { contrast: 0.8, gamma: 1.2, ..NONE }.image(&picture(), 5);
        for (found, value) in toned.iter().zip(picture()) {
            let expected = (((value + 1.0) * 0.5).powf(1.2) * 2.0 - 1.0) * 0.8;
            assert!((found - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn a_step_draws_the_same_changes_again() {
        let drawn = |step| {
            let mut random = source(3, step, "augment");
            let augment = Augment::default();
            [augment.draw(&mut random), augment.draw(&mut random)]
        };
        assert_eq!(drawn(4), drawn(4));
        assert_ne!(drawn(4), drawn(5));
        let [one, two] = drawn(4);
        assert_ne!(one, two);
        assert!(one.angle.abs() <= 7f32.to_radians() && (one.scale - 1.0).abs() <= 0.1);
    }

    #[test]
    fn limits_are_checked_by_name() {
        let error = Augment { shift: 0.5, ..Augment::default() }.validate().unwrap_err();
        assert!(error.to_string().starts_with("judge.augment.shift: "), "{error}");
        assert!(Augment { gamma: f32::NAN, ..Augment::default() }.validate().is_err());
    }
}
