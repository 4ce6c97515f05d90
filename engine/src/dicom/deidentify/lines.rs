//! Text burned into pixels: letters of one height in a line.
//!
//! Three letters are the least that is taken for text. A side marker (L, R) is one, larger than any
//! annotation beside it, and stays: it is what says which side of the patient is which.

use super::glyphs::{Glyph, glyphs};
use super::tophat::Grey;

/// Letters of the shortest line.
const LEAST_LETTERS: usize = 3;
/// Shortest side of an image at the coarsest scale.
const LEAST_SIDE: usize = 48;
/// Letters are no taller than this part of the image's shorter side: ribs are.
const MOST_OF_SIDE: usize = 9;
/// The same along the columns, where ribs lie one above the other as letters do.
const MOST_OF_SIDE_TURNED: usize = 15;
/// How often the image is halved, for letters with wider strokes.
const SCALES: usize = 4;

/// A part of an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: usize,
    pub(super) top: usize,
    /// One beyond the last column.
    pub(super) right: usize,
    /// One beyond the last row.
    pub(super) bottom: usize,
}

impl Area {
    fn of(glyph: &Glyph) -> Self {
        let Glyph { left, top, right, bottom, .. } = *glyph;
        Self { left, top, right, bottom }
    }

    fn joined(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    fn grown(self, across: usize, down: usize) -> Self {
        Self {
            left: self.left.saturating_sub(across),
            top: self.top.saturating_sub(down),
            right: self.right + across,
            bottom: self.bottom + down,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn turned(self) -> Self {
        Self { left: self.top, top: self.left, right: self.bottom, bottom: self.right }
    }
}

/// Where text is burned into the stored values of a frame, `width` by `height`, row by row.
pub(super) fn burned_in(values: &[i32], width: usize, height: usize) -> Vec<Area> {
    let mut areas = Vec::new();
    for range in ranges(values) {
        let mut image = grey(values, range, width, height);
        for scale in (0..SCALES).map(|scale| 1 << scale) {
            let found = written(&image).into_iter().chain(written(&image.inverted()));
            areas.extend(found.map(|area| Area {
                left: area.left * scale,
                top: area.top * scale,
                right: (area.right * scale).min(width),
                bottom: (area.bottom * scale).min(height),
            }));
            if image.width.min(image.height) < 2 * LEAST_SIDE {
                break;
            }
            image = image.halved();
        }
    }
    merged(areas)
}

/// Light text of one scale, along the rows and along the columns.
fn written(image: &Grey) -> Vec<Area> {
    let found = glyphs(image);
    let side = image.width.min(image.height);
    let turned: Vec<Glyph> = found.iter().map(|glyph| glyph.turned()).collect();
    let down = lines(&turned, side / MOST_OF_SIDE_TURNED).into_iter().map(Area::turned);
    lines(&found, side / MOST_OF_SIDE).into_iter().chain(down).collect()
}

/// Areas that meet become one.
fn merged(areas: Vec<Area>) -> Vec<Area> {
    let mut merged: Vec<Area> = Vec::new();
    for mut area in areas {
        while let Some(at) = merged.iter().position(|other| other.meets(&area)) {
            area = area.joined(merged.swap_remove(at));
        }
        merged.push(area);
    }
    merged.sort_by_key(|area| (area.top, area.left));
    merged
}

/// The ranges of values in which is looked: all of them, for annotation is lighter than the patient
/// often; and without the ends, for one that is not stands out there alone where something else, a marker or
/// a broken pixel, is far lighter.
fn ranges(values: &[i32]) -> Vec<(i32, i32)> {
    let mut sorted = values.to_vec();
    let Some(last) = sorted.len().checked_sub(1) else { return Vec::new() };
    let beyond = sorted.len() / 200;
    let low = *sorted.select_nth_unstable(beyond).1;
    let high = *sorted.select_nth_unstable(last - beyond).1;
    let ends = values.iter().fold((i32::MAX, i32::MIN), |(least, largest), value| {
        (least.min(*value), largest.max(*value))
    });
    // A field with a little text on it has no range without the text, and what is all of it is the same.
    let span = |(low, high): (i32, i32)| i64::from(high) - i64::from(low);
    let within = span((low, high));
    let other = within * 20 > span(ends) && within * 10 < span(ends) * 9;
    std::iter::once(ends).chain(other.then_some((low, high))).collect()
}

/// Values on a scale of 255 between two of them.
fn grey(values: &[i32], (low, high): (i32, i32), width: usize, height: usize) -> Grey {
    let range = f64::from(high) - f64::from(low);
    let scale = if range > 0.0 { 255.0 / range } else { 0.0 };
    let pixels = values
        .iter()
        .map(|value| ((f64::from(*value) - f64::from(low)) * scale).clamp(0.0, 255.0) as u8);
    Grey { width, height, pixels: pixels.collect() }
}

/// Whether two letters can stand beside each other in a line, `a` on the left.
fn neighbours(a: &Glyph, b: &Glyph) -> bool {
    let (low, high) = (a.height().min(b.height()) as f64, a.height().max(b.height()) as f64);
    let overlap = a.bottom.min(b.bottom) as f64 - a.top.max(b.top) as f64;
    let gap = b.left as f64 - a.right as f64;
    let aligned = a.bottom.abs_diff(b.bottom).min(a.top.abs_diff(b.top)) as f64;
    high <= 1.6 * low
        && overlap >= 0.6 * low
        && (-0.2 * high..=1.1 * high).contains(&gap)
        && aligned <= (0.16 * high).max(1.0)
        && (a.tone - b.tone).abs() <= 80.0
}

/// Lines of letters, from left to right, each with what else is written in and around it.
fn lines(glyphs: &[Glyph], most_height: usize) -> Vec<Area> {
    let letter = |glyph: &&Glyph| glyph.is_letter() && glyph.height() <= most_height;
    let mut letters: Vec<&Glyph> = glyphs.iter().filter(letter).collect();
    letters.sort_by_key(|glyph| glyph.left);
    let mut parents: Vec<usize> = (0..letters.len()).collect();
    for (a, left) in letters.iter().enumerate() {
        let reach = left.right + left.height() * 2;
        for (b, right) in letters.iter().enumerate().skip(a + 1) {
            if right.left > reach {
                break;
            }
            if neighbours(left, right) {
                let (a, b) = (root(&parents, a), root(&parents, b));
                parents[b] = a;
            }
        }
    }
    let mut groups: Vec<Vec<&Glyph>> = vec![Vec::new(); letters.len()];
    for (index, glyph) in letters.iter().enumerate() {
        groups[root(&parents, index)].push(glyph);
    }
    groups.iter().filter(|group| is_line(group)).map(|group| whole(group, glyphs)).collect()
}

fn root(parents: &[usize], mut at: usize) -> usize {
    while parents[at] != at {
        at = parents[at];
    }
    at
}

/// Whether letters are a line: enough of them, of about one height, on one base line.
fn is_line(group: &[&Glyph]) -> bool {
    if group.len() < LEAST_LETTERS {
        return false;
    }
    let mut heights: Vec<usize> = group.iter().map(|glyph| glyph.height()).collect();
    heights.sort_unstable();
    let height = heights[heights.len() / 2] as f64;
    let like = |glyph: &&&Glyph| (glyph.height() as f64 / height - 1.0).abs() <= 0.3;
    let mut bottoms: Vec<usize> = group.iter().filter(like).map(|glyph| glyph.bottom).collect();
    bottoms.sort_unstable();
    let Some(base) = bottoms.get(bottoms.len() / 2) else { return false };
    let near = |bottom: &&usize| bottom.abs_diff(*base) as f64 <= (0.15 * height).max(1.0);
    let on_base = bottoms.iter().filter(near).count();
    on_base >= LEAST_LETTERS && on_base * 10 >= group.len() * 7
}

/// The area of a line with its dots and dashes and the letters that run into each other, and short words
/// of the same height right above, below and beside it.
fn whole(group: &[&Glyph], glyphs: &[Glyph]) -> Area {
    let mut heights: Vec<usize> = group.iter().map(|glyph| glyph.height()).collect();
    heights.sort_unstable();
    let height = heights[heights.len() / 2];
    let mut areas = group.iter().map(|glyph| Area::of(glyph));
    let first = areas.next().unwrap_or(Area { left: 0, top: 0, right: 0, bottom: 0 });
    let line = areas.fold(first, Area::joined);
    let mut area = line;
    loop {
        // Along the line as far as it goes on; away from it no further than the next one.
        let beside = Area {
            left: area.left.saturating_sub(2 * height),
            right: area.right + 2 * height,
            ..line
        };
        let around = line.grown(height, height);
        let belongs = |glyph: &&Glyph| {
            let of = Area::of(glyph);
            let within = area.left <= of.left
                && area.top <= of.top
                && of.right <= area.right
                && of.bottom <= area.bottom;
            let similar = glyph.height() * 10 >= height * 6 && glyph.height() * 10 <= height * 16;
            let small = glyph.height() <= height + height / 2 && glyph.width() <= 12 * height;
            // Most of it stands in the line: what only touches it is of the picture.
            let overlap = of.bottom.min(line.bottom).saturating_sub(of.top.max(line.top));
            let in_line = 2 * overlap >= glyph.height();
            !within
                && ((small && in_line && beside.meets(&of))
                    || (similar && glyph.is_letter() && around.meets(&of)))
        };
        let Some(more) = glyphs.iter().find(belongs) else { break };
        area = area.joined(Area::of(more));
    }
    area.grown(height / 4 + 1, height / 4 + 1)
}
