//! The sheet of an evaluation: images beside the nearest training radiographs.

use std::fmt::Write as _;
use std::path::Path;

use super::Group;
use super::figures::Neighbours;
use super::room::Room;
use super::sheet::{Block, sheet};
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

impl Pictures<'_> {
    /// Writes `samples.png`, the first `count` images of each group in rows, and `samples.md` with what each is.
    pub(super) fn write(
        &self,
        groups: &[Group],
        neighbours: &[Neighbours],
        count: usize,
        out: &Path,
    ) -> Result<(), EvaluateError> {
        let side = self.room.pipeline.image_size() as u32;
        let (mut blocks, mut lines, mut number) = (Vec::new(), String::new(), 0);
        for (group, neighbours) in groups.iter().zip(neighbours) {
            let led = group.name == "masks";
            let mut headings = vec!["generated", "nearest training radiograph"];
            if led {
                headings.insert(0, "mask");
            }
            let mut rows = Vec::new();
            for (place, nearest) in neighbours.best().iter().enumerate().take(count) {
                number += 1;
                let sample = group.samples[place];
                let near = self.training[nearest.place];
                let mut frames = vec![group.frames[place].clone(), self.square(near, side)?];
                if led {
                    let pixels = self.set.mask_square(sample, side)?.unwrap_or_default();
                    frames.insert(0, Frame { width: side, height: side, pixels });
                }
                rows.push((format!("{number}  {}", sample.caption), frames));
                let seed = self.room.seed.wrapping_add(place as u64);
                let follows = if led { sample.id.as_str() } else { "" };
                let _ = writeln!(
                    lines,
                    "| {number} | {} | {seed} | {follows} | {} | {:.3} |",
                    sample.caption, near.id, nearest.distance
                );
            }
            blocks.push(Block { headings, rows });
        }
        let picture = sheet(&blocks, side);
        let png = png_with_provenance(&picture, &self.description(&picture, count))?;
        let page = self.page(&lines);
        for (name, bytes) in [("samples.png", png.as_slice()), ("samples.md", page.as_bytes())] {
            let path = out.join(name);
            files::replace(&path, bytes)
                .map_err(|source| EvaluateError::File { path: path.clone(), source })?;
        }
        Ok(())
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
            "# Samples of {} {}\n\n`samples.png` shows images that the model made ({} steps, guidance {}) beside the \
             training radiograph that is nearest to each. The distance is {measure}. Prompts and masks are not \
             chosen by hand: they are the first of the evaluation.\n\nRadiographs: {}. Licence: {}. {}\n\n\
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
