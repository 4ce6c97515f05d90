//! The sheets of an evaluation: images beside what was asked for, and beside the nearest training radiographs.

use std::fmt::Write as _;
use std::path::Path;

use super::Group;
use super::figures::Neighbours;
use super::room::Room;
use super::sheet::{Block, Cell, sheet};
use crate::data::{Dataset, Sample};
use crate::dicom::{Frame, Provenance, SyntheticDescription, png_with_provenance};
use crate::evaluate::EvaluateError;
use crate::files;
use crate::sample::RANDOM_GENERATOR;

/// What a sheet is drawn from.
pub(super) struct Pictures<'a> {
    pub(super) room: &'a Room,
    pub(super) set: &'a Dataset,
    pub(super) training: &'a [&'a Sample],
}

/// The sheet of generated images alone, which may go wherever the model goes.
const ALONE: &str = "samples.png";
/// The sheet with real radiographs on it, which may go where the data set may.
const BESIDE_REAL: &str = "samples-beside-real.png";
const PAGE: &str = "samples.md";

impl Pictures<'_> {
    /// Writes the first `count` images of each group, each in a row: `samples.png` with what was asked for, words or
    /// the outline of a mask; `samples-beside-real.png` with the nearest training radiograph; and `samples.md` with
    /// what each is, and how far that radiograph is.
    pub(super) fn write(
        &self,
        groups: &[Group],
        neighbours: &[Neighbours],
        count: usize,
        out: &Path,
    ) -> Result<(), EvaluateError> {
        let side = self.room.pipeline.image_size() as u32;
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        let (mut lines, mut number) = (String::new(), 0);
        for (group, neighbours) in groups.iter().zip(neighbours) {
            let led = group.name == "masks";
            let (mut plain_rows, mut real_rows) = (Vec::new(), Vec::new());
            for (place, nearest) in neighbours.best().iter().enumerate().take(count) {
                number += 1;
                let sample = group.samples[place];
                let near = self.training[nearest.place];
                let caption = format!("{number}  {}", sample.caption);
                let made = || Cell::Picture(group.frames[place].clone());
                let mut real = vec![made(), Cell::Picture(self.square(near, side)?)];
                let (heading, asked) = if led {
                    let mask = self.mask(sample, side)?;
                    let outlined = Cell::Picture(outline(&mask));
                    real.insert(0, Cell::Picture(mask));
                    (caption.clone(), outlined)
                } else {
                    (number.to_string(), Cell::Words(sample.caption.clone()))
                };
                plain_rows.push((heading, vec![asked, made()]));
                real_rows.push((caption, real));
                let seed = self.room.seed.wrapping_add(place as u64);
                let follows = if led { sample.id.as_str() } else { "" };
                let _ = writeln!(
                    lines,
                    "| {number} | {} | {seed} | {follows} | {} | {:.3} |",
                    sample.caption, near.id, nearest.distance
                );
            }
            let asked = if led { "mask asked for" } else { "words asked for" };
            alone.push(Block { headings: vec![asked, "generated"], rows: plain_rows });
            let mut headings = vec!["generated", "nearest training radiograph"];
            if led {
                headings.insert(0, "mask");
            }
            beside.push(Block { headings, rows: real_rows });
        }
        let png = |blocks: &[Block]| {
            let picture = sheet(blocks, side);
            png_with_provenance(&picture, &self.description(&picture, count))
        };
        let page = self.page(&lines);
        for (name, bytes) in
            [(ALONE, png(&alone)?), (BESIDE_REAL, png(&beside)?), (PAGE, page.into_bytes())]
        {
            let path = out.join(name);
            files::replace(&path, &bytes)
                .map_err(|source| EvaluateError::File { path: path.clone(), source })?;
        }
        Ok(())
    }

    fn mask(&self, sample: &Sample, side: u32) -> Result<Frame, EvaluateError> {
        let pixels = self.set.mask_square(sample, side)?.unwrap_or_default();
        Ok(Frame { width: side, height: side, pixels })
    }

    fn square(&self, sample: &Sample, side: u32) -> Result<Frame, EvaluateError> {
        Ok(Frame { width: side, height: side, pixels: self.set.square(sample, side)? })
    }

    fn description(&self, picture: &Frame, count: usize) -> SyntheticDescription {
        let (card, scheduler) = (&self.room.card, self.room.pipeline.scheduler());
        SyntheticDescription {
            prompt: format!("a sheet of {count} prompts and masks; see samples.md"),
            provenance: Provenance {
                program: "Skiagraph".into(),
                version: crate::VERSION.into(),
                model: format!("{} {}", card.name, card.version).trim_end().to_owned(),
                model_sha256: card.weights_sha256.clone(),
                adapters: self.room.adapters.clone(),
                seed: self.room.seed,
                random_generator: RANDOM_GENERATOR.into(),
                steps: self.room.steps as u32,
                guidance_scale: self.room.guidance_scale as f32,
                scheduler: scheduler.class_name().to_owned(),
                scheduler_config: scheduler.to_json(),
                width: picture.width,
                height: picture.height,
                options: serde_json::json!({ "attribution": self.set.card().attribution }),
                ..Provenance::default()
            },
            ..SyntheticDescription::default()
        }
    }

    fn page(&self, lines: &str) -> String {
        let (model, set) = (&self.room.card, self.set.card());
        let measure = if self.room.judge.is_some() {
            "1 − cosine of the judge's features, seen from the mean of the training radiographs"
        } else {
            "1 − correlation of the reduced images' pixels"
        };
        format!(
            "# Samples of {} {}\n\n`{ALONE}` shows images that the model made ({} steps, guidance {}), each beside what \
             was asked for: its words, or the outline of a lung mask. Prompts and masks are not chosen by hand: they are \
             the first of the evaluation. `{BESIDE_REAL}`, which the evaluation writes as well, shows each beside the \
             training radiograph that is nearest to it. It holds real radiographs, so it may go only where the data \
             set may, and does not go along with the model. The distance is {measure}; 0 is a copy.\n\n\
             Radiographs: {}. Licence: {}. {}\n\n\
             | row | prompt | seed | mask of the held-out sample | nearest training sample | distance |\n\
             |---|---|---|---|---|---|\n{lines}",
            model.name,
            model.version,
            self.room.steps,
            self.room.guidance_scale,
            set.name,
            set.licence,
            set.attribution,
        )
    }
}

/// The pixels of a mask, 1 inside and 0 outside, that have one outside beside them, or the picture's edge.
fn outline(mask: &Frame) -> Frame {
    let (width, height) = (mask.width as usize, mask.height as usize);
    let inside = |x: usize, y: usize| {
        x < width && y < height && mask.pixels.get(y * width + x).is_some_and(|value| *value > 0.0)
    };
    let pixels = (0..mask.pixels.len()).map(|place| {
        let (x, y) = (place % width, place / width);
        // Left of the first column and above the first row is outside: the sum wraps to far beyond.
        let around = [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
        let edge = inside(x, y) && !around.into_iter().all(|(x, y)| inside(x, y));
        f32::from(u8::from(edge))
    });
    Frame { pixels: pixels.collect(), ..*mask }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_is_what_is_inside_beside_what_is_outside() {
        let rows = |rows: [&str; 4]| Frame {
            width: 5,
            height: 4,
            pixels: rows
                .concat()
                .bytes()
                .map(|letter| f32::from(u8::from(letter == b'#')))
                .collect(),
        };
        let mask = rows(["####.", "####.", "####.", "....."]);
        assert_eq!(outline(&mask), rows(["####.", "#..#.", "####.", "....."]));
        let nothing = rows(["....."; 4]);
        assert_eq!(outline(&nothing), nothing);
    }
}
