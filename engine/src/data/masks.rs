//! Lung masks: found beside the sources, and in memory for training.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use image::{ExtendedColorType, ImageEncoder, ImageFormat, codecs::png};
use rayon::prelude::*;

use super::{DataError, Dataset, Sample};
use crate::dicom::Frame;

/// Where the lung masks of a data set's sources lie.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MaskOptions {
    /// The folder: `X.png` is the mask of the source `X.dcm`, white inside. It lies over the whole
    /// picture, also where the picture was stretched back to its aspect and the mask was not.
    pub folder: PathBuf,
    /// A table with the columns `lungmask`, a mask's file name, and `mask_match_score`, how well it is
    /// known to belong to its picture.
    pub scores: Option<PathBuf>,
    /// A mask whose score is lower is left out.
    pub least_score: f64,
}

/// The masks that may be taken.
pub(super) struct MaskSource {
    folder: PathBuf,
    /// File names of masks whose score is too low.
    dropped: HashSet<String>,
}

impl MaskSource {
    /// # Errors
    /// Where the folder or the table cannot be read; the option is named.
    pub(super) fn open(options: &MaskOptions) -> Result<Self, DataError> {
        if !options.folder.is_dir() {
            return Err(DataError::Option { option: "masks", cause: "is no folder".to_owned() });
        }
        let dropped = match &options.scores {
            Some(table) => too_low(table, options.least_score)
                .map_err(|cause| DataError::Option { option: "mask_scores", cause })?,
            None => HashSet::new(),
        };
        Ok(Self { folder: options.folder.clone(), dropped })
    }

    /// The mask of the source at `path`, in the size of its `frame`, as a PNG; `None` where it has none.
    ///
    /// # Errors
    /// Why the mask cannot be read.
    pub(super) fn of(&self, path: &Path, frame: &Frame) -> Result<Option<Vec<u8>>, String> {
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { return Ok(None) };
        let name = format!("{stem}.png");
        let mask = self.folder.join(&name);
        if self.dropped.contains(&name) || !mask.is_file() {
            return Ok(None);
        }
        let cause = |cause: &dyn std::fmt::Display| format!("its lung mask: {cause}");
        let bytes = std::fs::read(mask).map_err(|error| cause(&error))?;
        let mask = decode(&bytes).map_err(|error| cause(&error))?;
        let stretched = mask.resized(frame.width, frame.height);
        let pixels: Vec<u8> =
            stretched.pixels.iter().map(|inside| if *inside > 0.5 { 255 } else { 0 }).collect();
        let mut png = Vec::new();
        png::PngEncoder::new(&mut png)
            .write_image(&pixels, frame.width, frame.height, ExtendedColorType::L8)
            .map_err(|error| cause(&error))?;
        Ok(Some(png))
    }
}

/// File names of the masks whose score is below `least`.
fn too_low(table: &Path, least: f64) -> Result<HashSet<String>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(table)
        .map_err(|_| "cannot be read".to_owned())?;
    let headers = reader.headers().map_err(|_| "has no header line".to_owned())?.clone();
    let column = |name: &str| {
        headers
            .iter()
            .position(|header| header == name)
            .ok_or_else(|| format!("no column is called {name}"))
    };
    let (file, score) = (column("lungmask")?, column("mask_match_score")?);
    let mut dropped = HashSet::new();
    for (index, record) in reader.records().enumerate() {
        // The header is row 1, as in a spreadsheet; a cell is not repeated, for it may be a patient's.
        let row = index + 2;
        let record = record.map_err(|_| format!("row {row} cannot be read"))?;
        let cell = |column: usize| record.get(column).unwrap_or_default();
        if cell(file).is_empty() {
            continue;
        }
        let score: f64 = cell(score)
            .parse()
            .map_err(|_| format!("row {row}: mask_match_score is not a number"))?;
        // What is no number is no good score either.
        if score.is_nan() || score < least {
            dropped.insert(cell(file).to_owned());
        }
    }
    Ok(dropped)
}

/// A mask from a PNG: 1 where it is brighter than half, else 0.
pub(super) fn decode(bytes: &[u8]) -> Result<Frame, String> {
    let mask = image::load_from_memory_with_format(bytes, ImageFormat::Png)
        .map_err(|error| error.to_string())?
        .into_luma8();
    let (width, height) = mask.dimensions();
    let pixels = mask.as_raw().iter().map(|value| f32::from(u8::from(*value > 127))).collect();
    Ok(Frame { width, height, pixels })
}

/// The square lung masks of some samples, decoded once.
pub struct Masks {
    size: usize,
    inside: Vec<bool>,
}

impl Masks {
    /// Loads the masks that lie over [`super::Images::of`] the same samples.
    ///
    /// # Errors
    /// Where a mask does not load, or a sample has none.
    pub fn of(dataset: &Dataset, samples: &[&Sample], size: usize) -> Result<Self, DataError> {
        let squares = samples
            .par_iter()
            .map(|sample| {
                let square = dataset.mask_square(sample, size as u32)?.ok_or_else(|| {
                    let cause = format!("the sample {} has no lung mask", sample.id);
                    DataError::Sources { cause }
                })?;
                Ok(square.into_iter().map(|value| value > 0.5).collect::<Vec<_>>())
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        Ok(Self { size, inside: squares.concat() })
    }

    /// `[indices, 1, size, size]`, 1 inside and 0 outside.
    ///
    /// # Errors
    /// Where the device has no room.
    pub fn tensor(&self, indices: &[usize], device: &Device) -> candle_core::Result<Tensor> {
        let pixels = self.size * self.size;
        let values: Vec<f32> = indices
            .iter()
            .flat_map(|index| &self.inside[index * pixels..(index + 1) * pixels])
            .map(|inside| f32::from(u8::from(*inside)))
            .collect();
        Tensor::from_vec(values, (indices.len(), 1, self.size, self.size), device)
    }
}
