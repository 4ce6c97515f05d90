//! A sheet of pictures side by side, with words.

use std::convert::Infallible;

use embedded_graphics::Drawable;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_6X10;
use embedded_graphics::pixelcolor::{Gray8, GrayColor};
use embedded_graphics::text::{Baseline, Text};

use crate::dicom::Frame;

/// Pixels between pictures.
const GAP: usize = 4;
/// Rows of a line of text, and columns of a letter.
const LINE: usize = 12;
const LETTER: usize = 6;
/// How bright captions are.
const INK: u8 = 220;

/// What stands in a place of a sheet.
pub(super) enum Cell {
    Picture(Frame),
    /// Broken into lines between words.
    Words(String),
}

/// Pictures in columns with headings, and rows of them with captions.
pub(super) struct Block {
    pub(super) headings: Vec<&'static str>,
    pub(super) rows: Vec<(String, Vec<Cell>)>,
}

/// One picture of all `blocks`, beside each other; every picture has `side` pixels a side, or is brought to it.
pub(super) fn sheet(blocks: &[Block], side: u32) -> Frame {
    let side = side as usize;
    let blocks: Vec<&Block> = blocks.iter().filter(|block| !block.rows.is_empty()).collect();
    let columns: usize = blocks.iter().map(|block| block.headings.len()).sum();
    let rows = blocks.iter().map(|block| block.rows.len()).max().unwrap_or(0);
    let (across, down) = (side + GAP, side + GAP + LINE);
    let mut canvas = Canvas::new(GAP + columns * across, GAP + LINE + rows * down);
    let mut left = GAP;
    for block in blocks {
        for (column, heading) in block.headings.iter().enumerate() {
            canvas.write(heading, left + column * across, GAP, side);
        }
        for (row, (caption, cells)) in block.rows.iter().enumerate() {
            let top = GAP + LINE + row * down;
            canvas.write(caption, left, top, block.headings.len() * across - GAP);
            for (column, cell) in cells.iter().enumerate() {
                let (left, top) = (left + column * across, top + LINE);
                match cell {
                    Cell::Picture(frame) => {
                        canvas.put(&frame.resized(side as u32, side as u32), left, top);
                    }
                    Cell::Words(text) => {
                        for (number, line) in lines(text, side / LETTER, side / LINE).enumerate() {
                            canvas.write(&line, left, top + number * LINE, side);
                        }
                    }
                }
            }
        }
        left += block.headings.len() * across;
    }
    canvas.0
}

/// `text` in lines of `letters` at most, broken between words, the first `most` of them. What is longer than a line
/// stands in one of its own, cut off.
fn lines(text: &str, letters: usize, most: usize) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= letters => {
                line.extend([" ", word]);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter().take(most)
}

/// A picture that is drawn on.
struct Canvas(Frame);

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self(Frame {
            width: width as u32,
            height: height as u32,
            pixels: vec![0.0; width * height],
        })
    }

    fn put(&mut self, frame: &Frame, left: usize, top: usize) {
        let width = self.0.width as usize;
        for (row, line) in frame.pixels.chunks_exact(frame.width.max(1) as usize).enumerate() {
            let start = (top + row) * width + left;
            if let Some(place) = self.0.pixels.get_mut(start..start + line.len()) {
                place.copy_from_slice(line);
            }
        }
    }

    /// Writes as much of `text` as fits into `width` pixels.
    fn write(&mut self, text: &str, left: usize, top: usize, width: usize) {
        let fits: String = text.chars().take(width / LETTER).collect();
        let style = MonoTextStyle::new(&FONT_6X10, Gray8::new(INK));
        let place = Point::new(left as i32, top as i32);
        let Ok(_) = Text::with_baseline(&fits, place, style, Baseline::Top).draw(self);
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.0.width, self.0.height)
    }
}

impl DrawTarget for Canvas {
    type Color = Gray8;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Gray8>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        let Frame { width, height, .. } = self.0;
        for Pixel(Point { x, y }, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { continue };
            if x < width && y < height {
                let place = y as usize * width as usize + x as usize;
                self.0.pixels[place] = f32::from(colour.luma()) / 255.0;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;

    #[test]
    fn pictures_stand_under_their_captions() {
        let frame =
            |grey: f32| Cell::Picture(Frame { width: 16, height: 16, pixels: vec![grey; 256] });
        let pair = Block {
            headings: vec!["a", "b"],
            rows: vec![
                ("1 one".into(), vec![frame(0.25), frame(0.5)]),
                (String::new(), vec![frame(0.75)]),
            ],
        };
        let single = Block { headings: vec!["c"], rows: vec![("2".into(), vec![frame(1.0)])] };
        let none = Block { headings: vec!["d"], rows: Vec::new() };
        let sheet = sheet(&[pair, none, single], 16);
        assert_eq!((sheet.width, sheet.height), (4 + 3 * 20, 4 + 12 + 2 * 32));
        let at = |x: usize, y: usize| sheet.pixels[y * sheet.width as usize + x];
        // Rows begin below the headings, and pictures below their captions.
        let (first, second) = (4 + 12 + 12, 4 + 12 + 32 + 12);
        assert_eq!([at(4, first), at(24, first), at(44, first)], [0.25, 0.5, 1.0]);
        assert_eq!([at(4, second), at(24, second), at(19, second + 15)], [0.75, 0.0, 0.75]);
        let inked = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
            rows.flat_map(|y| columns.clone().map(move |x| (x, y)))
                .filter(|(x, y)| at(*x, *y) > 0.8)
                .count()
        };
        // Headings, and captions as far as the pictures below them go.
        for left in [4, 24, 44] {
            assert!(inked(4..16, left..left + 16) > 3, "heading at {left}");
        }
        assert!(inked(16..28, 4..40) > 10, "caption");
        assert_eq!(inked(16..28, 40..44), 0);
        assert_eq!(inked(48..60, 0..64), 0, "an empty caption");
    }

    #[test]
    fn words_stand_in_lines_that_fit() {
        let broken = |text, letters, most| lines(text, letters, most).collect::<Vec<_>>();
        let text = "chest radiograph,  AP view, child";
        assert_eq!(broken(text, 17, 9), ["chest radiograph,", "AP view, child"]);
        assert_eq!(broken(text, 8, 9), ["chest", "radiograph,", "AP view,", "child"]);
        assert_eq!(broken(text, 8, 2), ["chest", "radiograph,"]);
        assert!(broken(" ", 8, 2).is_empty());
        let row = (String::new(), vec![Cell::Words("one two".into())]);
        let sheet = sheet(&[Block { headings: vec![""], rows: vec![row] }], 26);
        let inked = |rows: std::ops::Range<usize>| {
            let width = sheet.width as usize;
            sheet.pixels[rows.start * width..rows.end * width].iter().filter(|x| **x > 0.8).count()
        };
        // Below heading and caption, a line for each of the two.
        assert_eq!(inked(0..28), 0);
        assert!(inked(28..40) > 3 && inked(40..52) > 3);
    }
}
