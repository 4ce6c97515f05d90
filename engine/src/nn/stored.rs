//! Weights as they lie on disk, under the names that a network knows them by.

use std::borrow::Cow;
use std::collections::BTreeMap;

use candle_core::safetensors::MmapedSafetensors;
use candle_core::{DType, Device, Result, Tensor, bail};
use safetensors::Dtype;

use super::finite::all_finite;
use crate::kernel::release;

/// Where a weight lies: the tensor of the file, and which part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The tensor's name in the file.
    pub name: String,
    /// What of it.
    pub cut: Cut,
}

/// What of a stored tensor is the weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// All of it.
    Whole,
    /// One of `of` equal pieces along the first axis: what a layer stored fused.
    Piece {
        /// Which, counted from 0.
        index: usize,
        /// Of how many.
        of: usize,
    },
    /// All of it, without the axes of length one behind the second: a convolution of one pixel that
    /// is a linear layer.
    Flat,
    /// All of it, with its two axes exchanged.
    Transposed,
}

/// Weights in mapped files, by the names that a network asks for.
pub struct Stored {
    files: MmapedSafetensors,
    places: BTreeMap<String, Place>,
}

impl From<MmapedSafetensors> for Stored {
    /// Every tensor under its own name.
    fn from(files: MmapedSafetensors) -> Self {
        let places = files
            .tensors()
            .into_iter()
            .map(|(name, _)| (name.clone(), Place { name, cut: Cut::Whole }))
            .collect();
        Self { files, places }
    }
}

impl Stored {
    /// The tensors of `files` under other names: `rename` says for each what it holds, and by which
    /// name a network asks for it. What it says nothing of stays out.
    ///
    /// # Errors
    /// Where two tensors would have one name.
    pub fn renamed(
        files: MmapedSafetensors,
        mut rename: impl FnMut(&str) -> Vec<(String, Cut)>,
    ) -> std::result::Result<Self, String> {
        let mut places = BTreeMap::new();
        for (name, _) in files.tensors() {
            for (logical, cut) in rename(&name) {
                let place = Place { name: name.clone(), cut };
                if let Some(other) = places.insert(logical.clone(), place) {
                    return Err(format!("{name} and {} are both {logical}", other.name));
                }
            }
        }
        Ok(Self { files, places })
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Whether there is a weight of this name.
    pub fn holds(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// The shape of a weight, where there is one.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let place = self.places.get(name)?;
        let view = self.files.get(&place.name).ok()?;
        cut_shape(view.shape(), &place.cut)
    }

    /// The number type of a weight, where there is one.
    pub fn dtype(&self, name: &str) -> Option<Dtype> {
        Some(self.files.get(&self.places.get(name)?.name).ok()?.dtype())
    }

    /// The bytes of a weight as they are stored, in the order of its shape; copied only where the axes
    /// are exchanged.
    ///
    /// # Errors
    /// Where there is no such weight, or it cannot be cut as its place says.
    pub fn bytes(&self, name: &str) -> Result<Cow<'_, [u8]>> {
        let Some(place) = self.places.get(name) else { bail!("there is no weight {name}") };
        let view = self.files.get(&place.name)?;
        let Some(shape) = cut_shape(view.shape(), &place.cut) else {
            bail!("{}: its shape {:?} is not the expected one", place.name, view.shape())
        };
        Ok(match place.cut {
            Cut::Whole | Cut::Flat => Cow::Borrowed(view.data()),
            Cut::Piece { index, of } => {
                let length = view.data().len() / of;
                Cow::Borrowed(&view.data()[index * length..(index + 1) * length])
            }
            Cut::Transposed => {
                let size = view.dtype().bitsize() / 8;
                let [rows, columns] = shape[..] else { bail!("{name} has no two axes") };
                let mut bytes = Vec::with_capacity(view.data().len());
                for row in 0..rows {
                    for column in 0..columns {
                        let at = (column * rows + row) * size;
                        bytes.extend_from_slice(&view.data()[at..at + size]);
                    }
                }
                Cow::Owned(bytes)
            }
        })
    }

    /// A weight, in the number type in which it is stored.
    ///
    /// # Errors
    /// Where there is no such weight, it cannot be cut as its place says, or its number type is none
    /// that weights come in: 16, 32 or 64-bit floats, or 8-bit ones (E4M3).
    pub fn load(&self, name: &str, device: &Device) -> Result<Tensor> {
        let (Some(shape), Some(dtype)) = (self.shape(name), self.dtype(name)) else {
            bail!("there is no weight {name}")
        };
        let Some(dtype) = float(dtype) else { bail!("{name} holds {dtype:?}, and no floats") };
        let tensor = Tensor::from_raw_buffer(&self.bytes(name)?, dtype, &shape, device)?;
        if let Some(place) = self.places.get(name) {
            release(&self.files, &place.name);
        }
        Ok(tensor)
    }

    /// What is wrong with the numbers of a weight, if anything.
    pub(super) fn damage(&self, name: &str) -> Option<String> {
        let dtype = self.dtype(name)?;
        if float(dtype).is_none() {
            return Some(format!("number type of {name}: {dtype:?} is no float"));
        }
        let bytes = self.bytes(name).ok()?;
        (!all_finite(dtype, &bytes)).then(|| format!("not finite: {name} holds NaN or infinity"))
    }
}

/// The number types that weights come in.
fn float(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        Dtype::F32 => Some(DType::F32),
        Dtype::F64 => Some(DType::F64),
        Dtype::F8_E4M3 => Some(DType::F8E4M3),
        _ => None,
    }
}

/// The shape of what is cut from a tensor of `shape`; nothing where it cannot be cut so.
fn cut_shape(shape: &[usize], cut: &Cut) -> Option<Vec<usize>> {
    match *cut {
        Cut::Whole => Some(shape.to_vec()),
        Cut::Piece { index, of } => {
            let (first, rest) = shape.split_first()?;
            (index < of && first.is_multiple_of(of)).then(|| [&[first / of], rest].concat())
        }
        Cut::Flat => {
            let (matrix, rest) = shape.split_at_checked(2)?;
            rest.iter().all(|side| *side == 1).then(|| matrix.to_vec())
        }
        Cut::Transposed => match *shape {
            [rows, columns] => Some(vec![columns, rows]),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use candle_core::safetensors::save;

    use super::*;
    use crate::kernel::map_weights;

    #[test]
    fn one_tensor_is_cut_into_the_weights_that_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fused.safetensors");
        let values: Vec<f32> = (0..12).map(|value| value as f32).collect();
        let fused = Tensor::from_vec(values, (6, 2), &Device::Cpu).unwrap();
        let tensors = [
            ("fused".to_owned(), fused.clone()),
            ("pixel".to_owned(), fused.reshape((6, 2, 1, 1)).unwrap()),
            ("turned".to_owned(), fused.to_dtype(DType::F16).unwrap()),
        ];
        save(&tensors.into_iter().collect(), &path).unwrap();
        let stored = Stored::renamed(map_weights(&path).unwrap(), |name| match name {
            "fused" => {
                (0..3).map(|index| (format!("part.{index}"), Cut::Piece { index, of: 3 })).collect()
            }
            "pixel" => vec![("linear".into(), Cut::Flat)],
            _ => vec![("turned".into(), Cut::Transposed)],
        })
        .unwrap();
        let load = |name: &str| stored.load(name, &Device::Cpu).unwrap();
        assert_eq!(load("part.1").to_vec2::<f32>().unwrap(), [[4.0, 5.0], [6.0, 7.0]]);
        assert_eq!(load("linear").to_vec2::<f32>().unwrap(), fused.to_vec2::<f32>().unwrap());
        let turned = load("turned").to_dtype(DType::F32).unwrap();
        assert_eq!(turned.to_vec2::<f32>().unwrap(), fused.t().unwrap().to_vec2::<f32>().unwrap());
        assert_eq!(stored.names().count(), 5);

        let both =
            Stored::renamed(map_weights(&path).unwrap(), |_| vec![("one".to_owned(), Cut::Whole)]);
        assert!(both.err().unwrap().ends_with("are both one"));
    }
}
