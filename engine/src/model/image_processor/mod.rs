//! From a picture to what the image encoder sees: transformers' `CLIPImageProcessor`.

mod resample;

use std::path::Path;

use candle_core::{Device, Tensor};
use serde::Deserialize;

use super::disk::read_json;
use super::error::ModelError;
use crate::dicom::Frame;
use crate::kernel::Fault;
use resample::{Filter, resample};

/// `preprocessor_config.json`. What it leaves out has transformers' values.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the switches of the file")]
struct Config {
    do_resize: bool,
    size: Sides,
    resample: u8,
    do_center_crop: bool,
    crop_size: Sides,
    do_rescale: bool,
    rescale_factor: f64,
    do_normalize: bool,
    image_mean: [f64; 3],
    image_std: [f64; 3],
}

/// Sides in the forms that transformers wrote over the years.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Sides {
    /// The shorter side of a size, both of a crop.
    One(usize),
    Both {
        height: usize,
        width: usize,
    },
    Shortest {
        shortest_edge: usize,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            do_resize: true,
            size: Sides::One(224),
            // Pillow's number of bicubic.
            resample: 3,
            do_center_crop: true,
            crop_size: Sides::One(224),
            do_rescale: true,
            rescale_factor: 1.0 / 255.0,
            do_normalize: true,
            // Of the images that OpenAI's CLIP was trained on.
            image_mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            image_std: [0.268_629_54, 0.261_302_58, 0.275_777_11],
        }
    }
}

/// The longest side of an image before it is cropped: a picture of one row would grow without end.
const LONGEST_SIDE: usize = 32_768;
/// Sides that a configuration may ask for.
const LARGEST: usize = 4096;

/// Makes pictures ready for an image encoder.
#[derive(Debug, Clone)]
pub struct ImageProcessor {
    config: Config,
    filter: Filter,
    size: usize,
}

impl ImageProcessor {
    /// The processor of the encoder in `folder`, which sees images of `size × size`: from its
    /// `preprocessor_config.json`, or as diffusers makes one where there is none.
    ///
    /// # Errors
    /// Where the file cannot be read, asks for what no image can be made from, or for another size than the
    /// encoder's.
    pub fn open(folder: &Path, size: usize) -> Result<Self, ModelError> {
        let path = folder.join("preprocessor_config.json");
        let config = if path.exists() {
            read_json(&path)?
        } else {
            Config { size: Sides::One(size), crop_size: Sides::One(size), ..Config::default() }
        };
        Self::new(config, size).map_err(|cause| ModelError::file(path, cause))
    }

    fn new(config: Config, size: usize) -> Result<Self, String> {
        let filter = Filter::numbered(config.resample).ok_or_else(|| {
            format!("resample: {} is not 1 (Lanczos), 2 (bilinear) or 3 (bicubic)", config.resample)
        })?;
        for (key, sides) in [("size", config.size), ("crop_size", config.crop_size)] {
            let (height, width) = match sides {
                Sides::One(side) | Sides::Shortest { shortest_edge: side } => (side, side),
                Sides::Both { height, width } => (height, width),
            };
            if ![height, width].iter().all(|side| (1..=LARGEST).contains(side)) {
                return Err(format!("{key}: must lie between 1 and {LARGEST}"));
            }
        }
        if let Sides::Shortest { .. } = config.crop_size {
            return Err("crop_size: must have height and width".to_owned());
        }
        if !config.rescale_factor.is_finite()
            || !config.image_mean.iter().all(|mean| mean.is_finite())
            || !config.image_std.iter().all(|deviation| deviation.is_normal())
        {
            return Err("rescale_factor, image_mean and image_std must be numbers, \
                        image_std not zero"
                .to_owned());
        }
        let processor = Self { config, filter, size };
        // What comes out is known where it does not hang on the picture.
        let sides = if processor.config.do_center_crop {
            Some(processor.config.crop_size)
        } else {
            processor.config.do_resize.then_some(processor.config.size)
        };
        match sides {
            Some(Sides::Both { height, width }) if (height, width) != (size, size) => Err(format!(
                "gives images of {width} × {height}, and the encoder sees {size} × {size}"
            )),
            Some(Sides::One(side) | Sides::Shortest { shortest_edge: side }) if side != size => {
                Err(format!(
                    "gives images of {side} × {side}, and the encoder sees {size} × {size}"
                ))
            }
            _ => Ok(processor),
        }
    }

    /// `frame` as the encoder sees it, `[1, 3, size, size]`; grey is the same in every colour.
    ///
    /// The grey values are rounded to 8 bits first, as those of the images that an encoder was trained on.
    ///
    /// # Errors
    /// Where the picture is empty, too long for its width, or, without a crop, does not come out at the
    /// encoder's size.
    pub fn pixels(&self, frame: &Frame, device: &Device) -> Result<Tensor, String> {
        let (width, height) = (frame.width as usize, frame.height as usize);
        if width == 0 || height == 0 || frame.pixels.len() != width * height {
            return Err("is empty".to_owned());
        }
        let mut grey: Vec<u8> = frame
            .pixels
            .iter()
            .map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8)
            .collect();
        let mut sides = (width, height);
        if self.config.do_resize {
            let resized = self.resized(width, height)?;
            grey = resample(&grey, sides, resized, self.filter);
            sides = resized;
        }
        if self.config.do_center_crop {
            (grey, sides) = self.cropped(&grey, sides);
        }
        if sides != (self.size, self.size) {
            return Err(format!(
                "comes out as {} × {}, and the encoder sees {} × {}: its processor does not crop",
                sides.0, sides.1, self.size, self.size
            ));
        }
        let mut values = Vec::with_capacity(3 * grey.len());
        for channel in 0..3 {
            let shades = self.shades(channel);
            values.extend(grey.iter().map(|value| shades[usize::from(*value)]));
        }
        Tensor::from_vec(values, (1, 3, self.size, self.size), device).map_err(Fault::words)
    }

    /// Width and height after resizing.
    fn resized(&self, width: usize, height: usize) -> Result<(usize, usize), String> {
        let short = match self.config.size {
            Sides::Both { height, width } => return Ok((width, height)),
            Sides::One(short) | Sides::Shortest { shortest_edge: short } => short,
        };
        // In floating point and cut off, as transformers has it.
        let long = |of: usize, by: usize| ((short * of) as f64 / by as f64) as usize;
        let (width, height) = if width <= height {
            (short, long(height, width))
        } else {
            (long(width, height), short)
        };
        if width.max(height) > LONGEST_SIDE {
            return Err("is too long for its width".to_owned());
        }
        Ok((width, height))
    }

    /// The middle, with black around it where the picture is smaller.
    fn cropped(&self, grey: &[u8], (width, height): (usize, usize)) -> (Vec<u8>, (usize, usize)) {
        let (to_height, to_width) = match self.config.crop_size {
            Sides::Both { height, width } => (height, width),
            Sides::One(side) | Sides::Shortest { shortest_edge: side } => (side, side),
        };
        // Half of what is left over, rounded down also where it is negative.
        let before = |have: usize, want: usize| (have as isize - want as isize).div_euclid(2);
        let (left, top) = (before(width, to_width), before(height, to_height));
        let inside = |at: usize, from: isize, end: usize| {
            at.checked_add_signed(from).filter(|place| *place < end)
        };
        let mut cropped = vec![0; to_width * to_height];
        for (index, value) in cropped.iter_mut().enumerate() {
            let (x, y) = (index % to_width, index / to_width);
            if let (Some(x), Some(y)) = (inside(x, left, width), inside(y, top, height)) {
                *value = grey[y * width + x];
            }
        }
        (cropped, (to_width, to_height))
    }

    /// What each of the 256 grey values becomes in a channel.
    fn shades(&self, channel: usize) -> Vec<f32> {
        let config = &self.config;
        let (mean, deviation) = (config.image_mean[channel], config.image_std[channel]);
        let shade = |value: u8| {
            let value = f64::from(value);
            let scaled =
                if config.do_rescale { value * config.rescale_factor } else { value } as f32;
            if config.do_normalize { (scaled - mean as f32) / deviation as f32 } else { scaled }
        };
        (0..=u8::MAX).map(shade).collect()
    }
}
