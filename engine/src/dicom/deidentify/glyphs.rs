//! Candidates for letters: connected pixels that stand out from what is around them.

use image::{GrayImage, Luma};
use imageproc::region_labelling::{Connectivity, connected_components};

use super::tophat::Grey;

/// Radius of the square that strokes are thinner than, in pixels of the scale.
const STROKE_RADIUS: usize = 5;
/// By how much of the display's range of 255 strokes stand out at least.
const CONTRAST: u8 = 56;
/// Heights of letters at a scale, in pixels; larger ones are found at the next.
const LEAST_HEIGHT: usize = 6;
const MOST_HEIGHT: usize = 44;

/// A connected component.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Glyph {
    pub(super) left: usize,
    pub(super) top: usize,
    /// One beyond the last column.
    pub(super) right: usize,
    /// One beyond the last row.
    pub(super) bottom: usize,
    area: usize,
    /// Mean grey value.
    pub(super) tone: f32,
}

impl Glyph {
    pub(super) fn width(&self) -> usize {
        self.right - self.left
    }

    pub(super) fn height(&self) -> usize {
        self.bottom - self.top
    }

    /// Columns for rows.
    pub(super) fn turned(self) -> Self {
        Self { left: self.top, top: self.left, right: self.bottom, bottom: self.right, ..self }
    }

    /// Whether it has the size and the fill of a letter that stands upright.
    pub(super) fn is_letter(&self) -> bool {
        let (width, height) = (self.width(), self.height());
        let fill = self.area as f64 / (width * height) as f64;
        // A stem alone is full, an X or a V is a quarter.
        (LEAST_HEIGHT..=MOST_HEIGHT).contains(&height)
            && (width <= 2 * height)
            && fill >= 0.18
            && (fill <= 0.92 || width * 5 <= height * 2)
    }
}

/// Every component of light strokes in an image.
pub(super) fn glyphs(image: &Grey) -> Vec<Glyph> {
    let hat = image.top_hat(STROKE_RADIUS);
    let (width, height) = (image.width as u32, image.height as u32);
    let mask: Vec<u8> = hat.iter().map(|value| u8::from(*value >= CONTRAST)).collect();
    let Some(mask) = GrayImage::from_raw(width, height, mask) else { return Vec::new() };
    let labels = connected_components(&mask, Connectivity::Eight, Luma([0]));
    let mut glyphs: Vec<(Glyph, u64)> = Vec::new();
    for (column, row, Luma([label])) in labels.enumerate_pixels() {
        let Some(index) = (*label as usize).checked_sub(1) else { continue };
        let (column, row) = (column as usize, row as usize);
        if index >= glyphs.len() {
            let empty =
                Glyph { left: column, top: row, right: column, bottom: row, area: 0, tone: 0.0 };
            glyphs.resize(index + 1, (empty, 0));
            glyphs[index].0 = empty;
        }
        let (glyph, sum) = &mut glyphs[index];
        if glyph.area == 0 {
            (glyph.left, glyph.right, glyph.top, glyph.bottom) = (column, column, row, row);
        }
        glyph.left = glyph.left.min(column);
        glyph.right = glyph.right.max(column + 1);
        glyph.top = glyph.top.min(row);
        glyph.bottom = glyph.bottom.max(row + 1);
        glyph.area += 1;
        *sum += u64::from(image.pixels[row * image.width + column]);
    }
    glyphs
        .into_iter()
        .filter(|(glyph, _)| glyph.area > 0)
        .map(|(glyph, sum)| Glyph { tone: sum as f32 / glyph.area as f32, ..glyph })
        .collect()
}
