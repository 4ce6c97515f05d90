//! Opening a data set.

use std::collections::HashMap;
use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use sha2::{Digest, Sha256};

use super::{Card, Counts, DataError, FORMAT, Framing, Sample, Size, Split, masks};
use crate::dicom::Frame;

/// A data set on disk. Frames are read when asked for; nothing else touches the disk after opening.
#[derive(Debug)]
pub struct Dataset {
    folder: PathBuf,
    card: Card,
    samples: Vec<Sample>,
    sha256: String,
}

impl Dataset {
    /// Opens a folder that [`super::build`] made.
    ///
    /// # Errors
    /// [`DataError::Damaged`] without a card of this edition, with a manifest that does not agree with
    /// it, with a missing frame or mask, or with a patient in both splits.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        let folder = folder.as_ref().to_owned();
        let card = read_card(&folder)?;
        let (samples, sha256) = read_manifest(&folder)?;
        let damaged = |cause: &str| DataError::Damaged {
            file: "manifest.jsonl".to_owned(),
            cause: cause.to_owned(),
        };
        let mut counts = Counts::default();
        let mut sides: HashMap<&str, Split> = HashMap::new();
        for sample in &samples {
            match sample.split {
                Split::Train => counts.train += 1,
                Split::Validation => counts.validation += 1,
            }
            if *sides.entry(&sample.patient).or_insert(sample.split) != sample.split {
                return Err(damaged("a patient is in both splits"));
            }
            // The id becomes part of a path.
            if sample.id.is_empty() || !sample.id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(damaged("an id is not hexadecimal"));
            }
            if !frame_path(&folder, sample).is_file() {
                return Err(frame_error(sample, "missing"));
            }
            if sample.mask_sha256.is_some() && !mask_path(&folder, sample).is_file() {
                return Err(mask_error(sample, "missing"));
            }
        }
        if counts != card.samples {
            return Err(damaged("does not hold as many samples as the card says"));
        }
        Ok(Self { folder, card, samples, sha256 })
    }

    /// What the data set is.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// SHA-256 of its manifest on disk, which tells every frame's and mask's own.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The same data set with every caption as `word` puts it.
    #[must_use]
    pub fn worded(mut self, word: impl Fn(&str) -> String) -> Self {
        for sample in &mut self.samples {
            sample.caption = word(&sample.caption);
        }
        self
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The samples of both splits, in the order of the manifest.
    pub(super) fn all(&self) -> &[Sample] {
        &self.samples
    }

    /// The samples of a split, in the order of the manifest.
    pub fn samples(&self, split: Split) -> Vec<&Sample> {
        self.samples.iter().filter(|sample| sample.split == split).collect()
    }

    /// The first `limit` samples of a split, at most.
    ///
    /// # Errors
    /// Where it has none.
    pub fn some(&self, split: Split, limit: usize) -> Result<Vec<&Sample>, DataError> {
        let mut samples = self.samples(split);
        samples.truncate(limit);
        if samples.is_empty() {
            let to = if split == Split::Train { "train on" } else { "validate with" };
            return Err(DataError::Option {
                option: "dataset",
                cause: format!("has no images to {to}"),
            });
        }
        Ok(samples)
    }

    /// A sample's frame at its stored size.
    ///
    /// # Errors
    /// [`DataError::Damaged`] when the file is not the one that the manifest speaks of.
    pub fn frame(&self, sample: &Sample) -> Result<Frame, DataError> {
        let bytes = fs::read(frame_path(&self.folder, sample)).map_err(DataError::io("a frame"))?;
        if hex::encode(Sha256::digest(&bytes)) != sample.sha256 {
            return Err(frame_error(sample, "is not the file that the manifest speaks of"));
        }
        let image = image::load_from_memory_with_format(&bytes, ImageFormat::Png)
            .map_err(|error| frame_error(sample, &error.to_string()))?
            .into_luma16();
        if image.dimensions() != (sample.width, sample.height) {
            return Err(frame_error(sample, "has another size than the manifest says"));
        }
        let pixels = image.into_raw().iter().map(|value| f32::from(*value) / 65_535.0).collect();
        Ok(Frame { width: sample.width, height: sample.height, pixels })
    }

    /// The training image of a sample: `size × size` values between 0 and 1, row by row.
    ///
    /// Up to an aspect of 6 : 5 the whole frame is kept, and bars of black make it square; what is
    /// longer loses its ends.
    ///
    /// # Errors
    /// As [`Dataset::frame`], and [`DataError::Option`] for a size of zero.
    pub fn square(&self, sample: &Sample, size: u32) -> Result<Vec<f32>, DataError> {
        Ok(self.framed(sample, &Framing::Square(size as usize))?.pixels)
    }

    /// The training image of a sample, of values between 0 and 1.
    ///
    /// # Errors
    /// As [`Dataset::square`].
    pub fn framed(&self, sample: &Sample, framing: &Framing) -> Result<Frame, DataError> {
        check_size(framing.size(sample))?;
        Ok(framing.image(&self.frame(sample)?))
    }

    /// A sample's lung mask in the size of its frame, 1 inside and 0 outside, or `None` where it has none.
    ///
    /// # Errors
    /// [`DataError::Damaged`] when the file is not the one that the manifest speaks of.
    pub fn mask(&self, sample: &Sample) -> Result<Option<Frame>, DataError> {
        let Some(sha256) = &sample.mask_sha256 else { return Ok(None) };
        let bytes = fs::read(mask_path(&self.folder, sample)).map_err(DataError::io("a mask"))?;
        if hex::encode(Sha256::digest(&bytes)) != *sha256 {
            return Err(mask_error(sample, "is not the file that the manifest speaks of"));
        }
        let mask = masks::decode(&bytes).map_err(|cause| mask_error(sample, &cause))?;
        if (mask.width, mask.height) != (sample.width, sample.height) {
            return Err(mask_error(sample, "has another size than the manifest says"));
        }
        Ok(Some(mask))
    }

    /// The lung mask that lies over [`Dataset::square`]: `size × size` values, 1 inside and 0 outside, or
    /// `None` where the sample has no mask.
    ///
    /// # Errors
    /// As [`Dataset::mask`], and [`DataError::Option`] for a size of zero.
    pub fn mask_square(&self, sample: &Sample, size: u32) -> Result<Option<Vec<f32>>, DataError> {
        let framing = Framing::Square(size as usize);
        Ok(self.mask_framed(sample, &framing)?.map(|mask| mask.pixels))
    }

    /// The lung mask that lies over [`Dataset::framed`], 1 inside and 0 outside, or `None` where the sample has no
    /// mask.
    ///
    /// # Errors
    /// As [`Dataset::mask_square`].
    pub fn mask_framed(
        &self,
        sample: &Sample,
        framing: &Framing,
    ) -> Result<Option<Frame>, DataError> {
        check_size(framing.size(sample))?;
        Ok(self.mask(sample)?.map(|mask| framing.mask(&mask)))
    }
}

fn check_size(size: Size) -> Result<(), DataError> {
    if size.area() == 0 {
        return Err(DataError::Option { option: "size", cause: "zero".to_owned() });
    }
    Ok(())
}

fn frame_path(folder: &Path, sample: &Sample) -> PathBuf {
    folder.join("frames").join(format!("{}.png", sample.id))
}

fn frame_error(sample: &Sample, cause: &str) -> DataError {
    DataError::Damaged { file: format!("frames/{}.png", sample.id), cause: cause.to_owned() }
}

fn mask_path(folder: &Path, sample: &Sample) -> PathBuf {
    folder.join("masks").join(format!("{}.png", sample.id))
}

fn mask_error(sample: &Sample, cause: &str) -> DataError {
    DataError::Damaged { file: format!("masks/{}.png", sample.id), cause: cause.to_owned() }
}

fn read_card(folder: &Path) -> Result<Card, DataError> {
    let damaged = |cause: String| DataError::Damaged { file: "card.json".to_owned(), cause };
    let bytes = fs::read(folder.join("card.json")).map_err(|error| damaged(error.to_string()))?;
    let card: Card = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if card.format != FORMAT {
        return Err(damaged(format!("format {}, and {FORMAT} is read", card.format)));
    }
    Ok(card)
}

/// The samples, and the SHA-256 of the file that holds them.
fn read_manifest(folder: &Path) -> Result<(Vec<Sample>, String), DataError> {
    let damaged = |cause: String| DataError::Damaged { file: "manifest.jsonl".to_owned(), cause };
    let bytes =
        fs::read(folder.join("manifest.jsonl")).map_err(|error| damaged(error.to_string()))?;
    let mut samples = Vec::new();
    for (index, line) in bytes.lines().enumerate() {
        let line = line.map_err(|error| damaged(error.to_string()))?;
        let sample = serde_json::from_str(&line)
            .map_err(|error| damaged(format!("line {}: {error}", index + 1)))?;
        samples.push(sample);
    }
    Ok((samples, hex::encode(Sha256::digest(&bytes))))
}
